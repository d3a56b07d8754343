"""`segment --prompts`: volumes in which the user has drawn follow the drawing, others are as without; and refusals."""

import json
from dataclasses import replace

import numpy as np
import pytest

from USLabelEfficientSegLib.calibration.intervals import Calibration
from USLabelEfficientSegLib.imaging.files import read_label_map, write_label_map
from USLabelEfficientSegLib.segmentation.model import SegmentationModel

DRAWN, OTHER = "simulated_0000", "simulated_0001"


@pytest.fixture
def model(tmp_path, trained_study):
    """A model file with intervals for both organs."""
    path = tmp_path / "model.safetensors"
    found = SegmentationModel.load(trained_study / "run" / "model.safetensors")
    calibration = Calibration(factors={"volume": ((0.5, 2.0), (0.5, 2.0))}, method="a sentence.")
    replace(found, calibration=calibration).save(path)
    return path


@pytest.fixture
def prompts(tmp_path, simulated):
    """The drawing of a slice of one volume."""
    return draw(tmp_path / "prompts", simulated, lambda dense: dense)


def draw(folder, simulated, change, index=8):
    folder.mkdir(exist_ok=True)
    dense = read_label_map(simulated / "labels" / f"{DRAWN}.nrrd")
    voxels = np.full_like(dense.voxels, 255)
    voxels[:, :, index] = change(dense.voxels[:, :, index])
    write_label_map(folder / f"{DRAWN}.nrrd", replace(dense, voxels=voxels, segments={}))
    return folder


def record_of(folder, name):
    return json.loads((folder / f"{name}_measurements.json").read_text())


def test_the_drawn_slice_is_the_result_there_and_tells_so(call, model, simulated, prompts, tmp_path):
    images = [simulated / "images" / f"{name}.nrrd" for name in (DRAWN, OTHER)]
    call("segment", model, *images, "--output", tmp_path / "plain")

    code, out, _ = call("segment", model, *images, "--prompts", prompts, "--output", tmp_path / "out")

    assert code == 0
    drawing = read_label_map(prompts / f"{DRAWN}.nrrd").voxels
    found = read_label_map(tmp_path / "out" / f"{DRAWN}.nrrd").voxels
    assert np.array_equal(found[:, :, 8], drawing[:, :, 8])
    assert "corrected by what was drawn" in out and "drawn slices: 1" in out
    record, plain = (record_of(tmp_path / folder, DRAWN) for folder in ("out", "plain"))
    assert all("corrected" in row["flags"] and row["drawn_slices"] == 1 for row in record["measurements"])
    for row in record["measurements"]:
        low, high = row["interval_ml"]
        assert low < row["volume_ml"] < high and row["from_probabilities"]
        assert "drawing in this very volume" in row["interval_method"]
    assert any(row["interval_ml"] for row in plain["measurements"])
    assert record["origin"]["maker"]["model_sha256"] == plain["origin"]["maker"]["model_sha256"]
    assert record["origin"]["maker"]["drawing_sha256"] and not plain["origin"]["maker"]["drawing_sha256"]


def test_volumes_without_a_drawing_are_the_same_files_as_without_prompts(call, model, simulated, prompts, tmp_path):
    for folder, more in (("plain", []), ("out", ["--prompts", prompts])):
        call("segment", model, simulated / "images", "--output", tmp_path / folder, *more)

    for file in (f"{OTHER}.nrrd", f"{OTHER}_measurements.json"):
        assert (tmp_path / "out" / file).read_bytes() == (tmp_path / "plain" / file).read_bytes()


def test_another_drawing_gives_another_result_in_the_same_folder(call, model, simulated, prompts, tmp_path):
    image, out = simulated / "images" / f"{DRAWN}.nrrd", tmp_path / "out"
    records = []
    for change in (lambda drawn: drawn, np.zeros_like, None):
        if change is not None:
            draw(prompts, simulated, change)
        call("segment", model, image, "--output", out, *([] if change is None else ["--prompts", prompts]))
        records.append(record_of(out, DRAWN)["origin"]["maker"]["drawing_sha256"])

    assert len(set(records)) == 3 and records[2] is None


def test_measuring_again_keeps_what_was_recorded(call, model, simulated, prompts, tmp_path):
    call("segment", model, simulated / "images", "--prompts", prompts, "--output", tmp_path / "out")

    code, _, _ = call("measure", tmp_path / "out", "--output", tmp_path / "table.json", "--model", model)

    rows = json.loads((tmp_path / "table.json").read_text())["measurements"]
    drawn = [row for row in rows if row["case"] == DRAWN]
    assert code == 0 and all("corrected" in row["flags"] and "other_model" not in row["flags"] for row in drawn)
    assert not any("corrected" in row["flags"] for row in rows if row["case"] != DRAWN)


def test_a_drawing_of_no_image_is_refused_by_name(refused, model, simulated, prompts, tmp_path):
    image = simulated / "images" / f"{OTHER}.nrrd"

    err = refused("segment", model, image, "--prompts", prompts, "--output", tmp_path / "out")

    assert DRAWN in err and "which is none of the images" in err


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda drawn: np.full_like(drawn, 255), "has nothing drawn"),
        (lambda drawn: np.full_like(drawn, 7), "holds label 7, and the organs are solid, fluid"),
    ],
)
def test_drawings_that_say_nothing_or_show_another_organ_are_refused(
    refused, model, simulated, tmp_path, change, words
):
    folder = draw(tmp_path / "prompts", simulated, change)

    err = refused("segment", model, simulated / "images", "--prompts", folder, "--output", tmp_path / "out")

    assert words in err


def test_an_organ_of_a_name_that_the_study_lacks_is_refused(refused, model, simulated, prompts, tmp_path):
    drawing = read_label_map(prompts / f"{DRAWN}.nrrd")
    named = prompts / f"{DRAWN}.seg.nrrd"
    (prompts / f"{DRAWN}.nrrd").unlink()
    fields = {"Segment0_LabelValue": "1", "Segment0_Name": "spleen", "Segment0_ID": "s"}
    write_label_map(named, drawing, fields)

    err = refused("segment", model, simulated / "images", "--prompts", prompts, "--output", tmp_path / "out")

    assert "spleen" in err and "solid, fluid" in err


def test_a_drawing_of_another_grid_fails_alone(call, model, simulated, prompts, tmp_path):
    drawing = read_label_map(prompts / f"{DRAWN}.nrrd")
    moved = replace(drawing.geometry, origin=(9.0, 0.0, 0.0))
    write_label_map(prompts / f"{DRAWN}.nrrd", replace(drawing, geometry=moved))

    code, _, err = call("segment", model, simulated / "images", "--prompts", prompts, "--output", tmp_path / "out")

    assert code == 2 and "has another geometry than its image" in err
    assert (tmp_path / "out" / f"{OTHER}.nrrd").exists() and not (tmp_path / "out" / f"{DRAWN}.nrrd").exists()


def test_the_drawings_are_never_written_onto(refused, model, simulated, prompts):
    err = refused("segment", model, simulated / "images", "--prompts", prompts, "--output", prompts)

    assert "is read by this command" in err
