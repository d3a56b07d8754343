"""What commands replace: results of this program that nobody has touched, and nothing else unless asked."""

import os
import shutil
import stat
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import USLabelEfficientSegLib
from USLabelEfficientSegLib.disk.files import sha256_of
from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume, write_label_map, write_volume

LIBRARY = os.path.dirname(os.path.dirname(USLabelEfficientSegLib.__file__))
PROTECTED = "was not written by this program or was edited since"


@pytest.fixture
def image(simulated, tmp_path):
    (tmp_path / "images").mkdir()
    return shutil.copy(simulated / "images" / "simulated_0001.nrrd", tmp_path / "images" / "scan.nrrd")


@pytest.fixture
def found(call, trained_study, image, tmp_path):
    """A folder of results."""
    assert call("segment", trained_study, image, "--output", tmp_path / "found", "--probability")[0] == 0
    return tmp_path / "found"


def corrected(segmentation):
    """An expert has removed the first organ."""
    label_map = read_label_map(segmentation)
    label_map.voxels[label_map.voxels == 1] = 0
    write_label_map(segmentation, label_map)
    return sha256_of(segmentation)


def test_a_corrected_segmentation_is_not_replaced_and_with_overwrite_it_is_told(
    refused, call, trained_study, image, found
):
    checksum = corrected(found / "scan.nrrd")

    assert PROTECTED in refused("segment", trained_study, image, "--output", found)
    assert sha256_of(found / "scan.nrrd") == checksum

    code, out, _ = call("segment", trained_study, image, "--output", found, "--overwrite")
    assert code == 0 and "Replacing" in out and sha256_of(found / "scan.nrrd") != checksum


def test_labels_of_an_expert_are_not_replaced(refused, trained_study, image, simulated, tmp_path):
    labels = tmp_path / "labels"
    labels.mkdir()
    shutil.copy(simulated / "labels" / "simulated_0001.nrrd", labels / "scan.nrrd")

    assert PROTECTED in refused("segment", trained_study, image, "--output", labels)


def test_maps_that_are_not_asked_for_again_go_and_are_told_and_those_of_others_stay(
    refused, call, trained_study, image, found
):
    code, out, _ = call("segment", trained_study, image, "--output", found)
    assert code == 0 and "Replacing 3 files in" in out
    assert sorted(path.name for path in found.iterdir()) == ["scan.nrrd", "scan_measurements.json"]

    (found / "scan_uncertainty.nrrd").write_bytes(b"of another program")
    assert "scan_uncertainty.nrrd" in refused("segment", trained_study, image, "--output", found)


COMMANDS = {
    "segment": ("segment", "STUDY", "IMAGE", "--output"),
    "measure": ("measure", "FOUND", "--output"),
    "evaluate": ("evaluate", "FOUND", "FOUND", "--output"),
    "report": ("report", "FOUND", "--images", "IMAGES", "--output"),
    "report of a study": ("report", "STUDY", "--output"),
    "benchmark": ("benchmark", "DATA", "--output"),
    "demo": ("demo",),
    "split": ("split", "IMAGE", "--output"),
}


@pytest.fixture
def fill(trained_study, image, found, simulated):
    places = {
        "STUDY": trained_study, "IMAGE": image, "IMAGES": os.path.dirname(image), "FOUND": found, "DATA": simulated,
    }  # fmt: skip
    return lambda command: [places.get(word, word) for word in command]


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("place", ["study.json", "run/model.safetensors", "labels/new.csv", "new", "../link/new"])
def test_nothing_is_written_into_a_study(refused, fill, trained_study, tmp_path, command, place):
    study = shutil.copytree(trained_study, tmp_path / "target")
    (tmp_path / "link").symlink_to(study)

    for overwrite in ((), ("--overwrite",) if command[0] not in ("benchmark", "demo") else ()):
        assert "is inside the study" in refused(*fill(command), study / place, *overwrite)


FILES = {name: command for name, command in COMMANDS.items() if name in ("measure", "evaluate", "report")}


@pytest.mark.parametrize("command", FILES.values(), ids=FILES)
def test_a_table_or_page_of_somebody_else_is_not_replaced(refused, call, fill, tmp_path, command):
    (tmp_path / "mine.csv").write_text("my,table\n1,2\n")

    assert PROTECTED in refused(*fill(command), tmp_path / "mine.csv")

    assert call(*fill(command), tmp_path / "new.csv")[0] == 0
    code, out, _ = call(*fill(command), tmp_path / "new.csv")
    assert code == 0 and "Replacing" in out
    (tmp_path / "new.csv").write_text((tmp_path / "new.csv").read_text() + "edited")
    assert PROTECTED in refused(*fill(command), tmp_path / "new.csv")
    assert call(*fill(command), tmp_path / "new.csv", "--overwrite")[0] == 0


@pytest.mark.parametrize("command", FILES.values(), ids=FILES)
@pytest.mark.parametrize(
    "name",
    ["scan_measurements.json", "new_measurements.json", "new.nii.gz", "new.dcm", "new.safetensors", "study.json"],
)
def test_no_table_or_page_takes_the_name_of_a_result_that_others_read(refused, fill, found, command, name):
    before = {path.name: sha256_of(path) for path in found.iterdir()}

    message = refused(*fill(command), found / name, "--overwrite")

    assert "is the name of an image, a model or a record" in message or "makes its folder a study" in message
    assert {path.name: sha256_of(path) for path in found.iterdir()} == before


def test_the_pdf_beside_a_new_page_and_the_summary_beside_new_metrics_are_protected_too(refused, fill, tmp_path):
    (tmp_path / "page.pdf").write_text("somebody's")
    (tmp_path / "metrics_summary.csv").write_text("somebody's")

    assert "page.pdf" in refused(*fill(FILES["report"]), tmp_path / "page.html", "--pdf")
    assert "metrics_summary.csv" in refused(*fill(FILES["evaluate"]), tmp_path / "metrics.csv")


def test_an_input_is_never_the_output(refused, fill, found, tmp_path):
    (tmp_path / "visits.csv").write_text("case,subject,order\nscan,1,1\n")
    report = fill(FILES["report"])

    assert "is read by this command" in refused(
        *report, tmp_path / "visits.csv", "--visits", tmp_path / "visits.csv", "--overwrite"
    )
    assert "is read by this command" in refused("measure", found / "scan.nrrd", "--output", found / "scan.nrrd")


def test_a_table_goes_through_a_link_into_a_pipe_and_to_standard_output(found, tmp_path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    measure = [sys.executable, "-m", "USLabelEfficientSegLib.cli", "measure", str(found), "--output"]
    run: dict[str, Any] = {"check": True, "capture_output": True, "text": True, "cwd": LIBRARY}

    subprocess.run([*measure, str(tmp_path / "link.csv")], **run)
    streamed = subprocess.run([*measure, "/dev/stdout"], **run)

    assert (tmp_path / "link.csv").is_symlink()
    assert streamed.stdout == (tmp_path / "real.csv").read_text() and streamed.stdout.startswith("case,organ,")
    assert "volumes of 1 segmentations" in streamed.stderr


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_private_table_stays_private(call, found, tmp_path):
    table = tmp_path / "t.csv"
    call("measure", found, "--output", table)
    table.chmod(0o600)

    assert call("measure", found, "--output", table)[0] == 0

    assert stat.S_IMODE(table.stat().st_mode) == 0o600


def test_a_killed_segmentation_leaves_results_of_one_model_and_the_next_one_mends_it(
    call, trained_study, image, found, monkeypatch
):
    """Killed between two renames, the record tells that its segmentation is not the one that lies there."""
    from USLabelEfficientSegLib.measurement.measuring import read_measurements_of
    from USLabelEfficientSegLib.segmentation import inference

    def killed(source, target, replace=os.replace):
        if str(target).endswith("_measurements.json") and str(found) == os.path.dirname(target):
            raise KeyboardInterrupt
        replace(source, target)

    plain = inference.VolumePrediction.labels

    def other(self):
        label_map = plain(self)
        np.copyto(label_map.voxels, np.roll(label_map.voxels, 1, axis=0))
        return label_map

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed)
        patched.setattr(inference.VolumePrediction, "labels", other)
        assert call("segment", trained_study, image, "--output", found, "--probability")[0] == 130
    assert read_measurements_of(found / "scan.nrrd") is None

    assert call("segment", trained_study, image, "--output", found, "--probability")[0] == 0
    assert read_measurements_of(found / "scan.nrrd") is not None
    assert len(list(found.iterdir())) == 3


@pytest.mark.parametrize("suffix", ["nii.gz", "seg.nrrd"])
def test_another_format_holds_the_same_labels_and_takes_the_place_of_the_earlier_one(
    call, trained_study, image, found, tmp_path, suffix
):
    before = read_label_map(found / "scan.nrrd")

    code, _, err = call("segment", trained_study, image, "--output", found, "--format", suffix)

    after = read_label_map(found / f"scan.{suffix}")
    np.testing.assert_array_equal(after.voxels, before.voxels)
    assert code == 0 and not err and after.geometry.same_grid(before.geometry)
    assert sorted(path.name for path in found.iterdir()) == sorted([f"scan.{suffix}", "scan_measurements.json"])
    assert call("measure", found, "--output", tmp_path / "v.csv")[0] == 0
    assert {line.split(",")[1] for line in (tmp_path / "v.csv").read_text().splitlines()[1:]} == {"solid", "fluid"}


def test_another_format_does_not_leave_a_corrected_segmentation_beside_a_new_one(
    refused, call, trained_study, image, found
):
    checksum = corrected(found / "scan.nrrd")
    again = ("segment", trained_study, image, "--output", found, "--format", "nii.gz")

    message = refused(*again)

    assert "scan.nrrd" in message and PROTECTED in message
    assert sha256_of(found / "scan.nrrd") == checksum and not (found / "scan.nii.gz").exists()
    assert call(*again, "--overwrite")[0] == 0
    assert not (found / "scan.nrrd").exists() and (found / "scan.nii.gz").exists()


def test_an_image_beside_which_its_segmentation_is_written_stays(call, trained_study, image, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    write_volume(folder / "scan.nii.gz", read_volume(image))
    before = sha256_of(folder / "scan.nii.gz")

    assert call("segment", trained_study, folder / "scan.nii.gz", "--output", folder)[0] == 0

    assert sha256_of(folder / "scan.nii.gz") == before and (folder / "scan.nrrd").exists()
