"""Bad input, wrong usage and missing means: one clear line, and nothing written."""

import math
import os
import pickle
import shutil
from pathlib import Path

import pytest
import SimpleITK
import torch

from USLabelEfficientSegLib.cli import main
from USLabelEfficientSegLib.study.study import Study


def rewrite(path, change):
    """Replace an image file by a changed one."""
    image = SimpleITK.ReadImage(str(path))
    changed = change(image)
    SimpleITK.WriteImage(changed, str(path))


def with_not_a_number(image):
    changed = SimpleITK.Cast(image, SimpleITK.sitkFloat32)
    changed[12, 12, 8] = math.nan
    return changed


def with_class(label):
    def change(image):
        image[12, 12, 8] = label
        return image

    return change


def moved(image):
    image.SetOrigin((5, 0, 0))
    return image


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-300])


def emptied(folder):
    shutil.rmtree(folder)
    folder.mkdir()


BAD_FOLDERS = {
    "no images": (lambda d: emptied(d / "images"), "holds no images"),
    "unreadable": (lambda d: (d / "images" / "simulated_0001.nrrd").write_text("no image"), "damaged"),
    "truncated": (lambda d: cut_short(d / "images" / "simulated_0001.nrrd"), "cut short"),
    "not finite": (
        lambda d: rewrite(d / "images" / "simulated_0001.nrrd", with_not_a_number),
        "NaN or infinite",
    ),
    "constant": (lambda d: rewrite(d / "images" / "simulated_0001.nrrd", lambda image: image * 0), "in every voxel"),
    "2-D": (lambda d: rewrite(d / "images" / "simulated_0001.nrrd", lambda image: image[:, :, 3]), "2-D image"),
    "4-D": (
        lambda d: rewrite(d / "images" / "simulated_0001.nrrd", lambda image: SimpleITK.JoinSeries([image, image])),
        "2 volumes over time",
    ),
    "colour label": (
        lambda d: rewrite(
            d / "labels" / "simulated_0001.nrrd", lambda image: SimpleITK.Compose([image, image, image])
        ),
        "not grey or RGB",
    ),
    "label without image": (lambda d: (d / "images" / "simulated_0001.nrrd").unlink(), "label without an image"),
    "other geometry": (lambda d: rewrite(d / "labels" / "simulated_0001.nrrd", moved), "geometry"),
    "lonely class": (
        lambda d: rewrite(d / "labels" / "simulated_0001.nrrd", with_class(3)), "class 3, which no other label has",
    ),
    "no labelled slice": (
        lambda d: rewrite(d / "labels" / "simulated_0001.nrrd", lambda image: image * 0 + 255), "no labelled slice",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "problem"), BAD_FOLDERS.values(), ids=BAD_FOLDERS)
def test_no_study_is_made_of_bad_images_or_labels(refused, data, tmp_path, spoil, problem):
    spoil(data)

    folders = "--images", data / "images", "--labels", data / "labels"
    assert problem in refused("study", "create", tmp_path / "study", *folders)


@pytest.mark.parametrize("fraction", ["0", "-0.1", "1.01"])
def test_a_label_fraction_outside_0_to_1_is_refused(refused, data, tmp_path, fraction):
    folders = "--images", data / "images", "--labels", data / "labels"
    assert "fraction" in refused("study", "create", tmp_path / "study", *folders, "--label-fraction", fraction)


@pytest.mark.parametrize(("number", "words"), [(28, "disk is full"), (13, "permission")], ids=["full", "denied"])
def test_a_study_is_made_as_a_whole_or_not_at_all(refused, data, tmp_path, monkeypatch, number, words):
    def refuse(*arguments):
        raise OSError(number, os.strerror(number), str(arguments[-1]))

    monkeypatch.setattr("os.fsync", refuse)
    assert words in refused("study", "create", tmp_path / "study", "--images", data / "images").lower()


def test_a_locked_study_is_not_trained(refused, study_copy):
    with Study.open(study_copy).lock():
        # The lock of this very process refuses as that of another one would.
        assert "is being written by process" in refused("train", study_copy)


def test_a_study_of_a_newer_version_is_refused(refused, study_copy):
    manifest = study_copy / "study.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 2'))

    assert "newer version" in refused("study", "show", study_copy)


@pytest.mark.parametrize("command", [("study", "show"), ("train",)])
def test_what_is_no_study_is_refused(refused, tmp_path, command):
    (tmp_path / "file").write_text("")

    assert "is not a study" in refused(*command, tmp_path / "missing")
    assert "is not a study" in refused(*command, tmp_path / "file")


def test_training_needs_a_labelled_slice(refused, data, call, tmp_path):
    call("study", "create", tmp_path / "study", "--images", data / "images")

    assert "has no labelled slice" in refused("train", tmp_path / "study")


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:3"])
def test_an_unknown_or_missing_device_is_refused(refused, study_copy, device):
    assert f"device {device}" in refused("train", study_copy, "--device", device)


def test_more_devices_than_there_are_are_refused(refused, study_copy):
    message = refused("train", study_copy, "--device", "cpu", "--devices", "100000")
    assert "--devices 100000: is more than the" in message


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("student.steps", "not of the form NAME=VALUE"),
        ("student.stepz=3", "'student.stepz' is wrong"),
        ("nothing.at.all=3", "does not exist"),
        ("student.steps.more=3", "does not exist"),
        ("student.steps=0", "'student.steps' is wrong"),
        ("preset=full", "--preset"),
    ],
)
def test_wrong_settings_are_refused(refused, study_copy, change, problem):
    assert problem in refused("train", study_copy, "--set", change)


def test_weights_that_would_execute_code_are_refused(refused, study_copy, tmp_path):
    class Attack:
        def __reduce__(self):
            return Path.touch, (tmp_path / "executed",)

    with (tmp_path / "weights.pth").open("wb") as file:
        pickle.dump(Attack(), file)

    refused("train", study_copy, "--restart", "--teacher-weights", tmp_path / "weights.pth")


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory. Tried"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
    ids=["GPU", "CPU"],
)
def test_too_little_memory_is_told_with_what_to_lower(refused, study_copy, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("USLabelEfficientSegLib.segmentation.inference.predict", fail)
    message = refused("segment", study_copy, study_copy / "images", "--output", study_copy.parent / "out")
    assert "student.window" in message and "--device cpu" in message


def test_other_errors_keep_their_traceback(study_copy, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr("USLabelEfficientSegLib.segmentation.inference.predict", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["segment", str(study_copy), str(study_copy / "images"), "--output", str(study_copy.parent / "out")])


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["trian"], "Did you mean 'train'?"),
        (["train"], "Missing argument 'STUDY'"),
        (["study"], "Missing command"),
        (["train", "study", "--preset", "fast"], "fast"),
        (["train", "study", "--method", "magic"], "magic"),
        (["segment", "study", "image.nrrd"], "--output"),
        (["study", "create", "study", "--images", ".", "--slice-axis", "7"], "slice axis 7"),
    ],
)
def test_wrong_usage_is_one_line(refused, arguments, problem):
    assert problem in refused(*arguments)


def test_other_settings_than_the_stored_ones_need_a_restart(refused, study_copy):
    assert "student.steps is 3, now 4); use --restart" in refused("train", study_copy, "--set", "student.steps=4")
    assert "use --restart" in refused("train", study_copy, "--preset", "standard")


def test_what_a_killed_create_left_is_removed_and_told(call, simulated, tmp_path):
    left = tmp_path / ".uslabelseg-0123456789abcdef"
    (left / "images").mkdir(parents=True)
    (left / "images" / "patient.nrrd").write_bytes(b"copy")
    (left / "lock").touch()
    os.utime(left / "lock", (0, 0))

    code, out, _ = call("study", "create", tmp_path / "study", "--images", simulated / "images")

    assert code == 0 and f"Removed {left}: copies of images" in " ".join(out.split())
    assert [path.name for path in tmp_path.iterdir()] == ["study"]
