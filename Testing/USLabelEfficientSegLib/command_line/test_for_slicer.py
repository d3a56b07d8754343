"""The commands and options that Slicer's worker uses."""

import json
import os
import shutil

import pytest

from USLabelEfficientSegLib.imaging.files import write_volume
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.study.study import Study


@pytest.fixture
def more_images(tmp_path):
    """A folder with a volume that no study holds."""
    (tmp_path / "more").mkdir()
    volume = simulate_volume(31, shape=(20, 18, 16), spacing=(4.0, 4.0, 4.0)).volume
    write_volume(tmp_path / "more" / "late.nrrd", volume)
    return tmp_path / "more"


def test_volumes_are_added_to_a_study_once(call, tmp_path, simulated, more_images):
    study = tmp_path / "study"
    Study.create(study, simulated / "images")

    code, output, _ = call("study", "add", study, "--images", more_images)
    assert code == 0 and output.startswith("Added late to") and "4 volumes" in output
    assert "late" in [case.name for case in Study.open(study).cases]

    code, _, refusal = call("study", "add", study, "--images", more_images)
    assert code == 2 and "has the same name as a volume of the study" in refusal


def test_devices_tell_the_processor_last(call):
    code, output, _ = call("devices", "--json")
    assert code == 0
    devices = json.loads(output)["devices"]
    assert devices[-1] == {"device": "cpu", "name": f"processor with {os.cpu_count()} threads", "memory_gb": None}

    code, output, _ = call("devices")
    assert code == 0 and output.splitlines()[-1].startswith("cpu: processor")


def test_segmentations_are_told_as_json_one_a_line(call, tmp_path, trained_study, more_images):
    shutil.copytree(trained_study, tmp_path / "study")

    code, output, errors = call("segment", tmp_path / "study", more_images, "--output", tmp_path / "out", "--json")

    assert code == 0 and not errors
    (result,) = [json.loads(line) for line in output.splitlines()]
    assert result["file"] == str(tmp_path / "out" / "late.nrrd")
    assert set(result["volumes_ml"]) == set(Study.open(trained_study).organs)
