"""What users do from a folder of 2-D images to areas, circumferences and a report."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import SimpleITK
from simulated_heads import write_heads

import USLabelEfficientSegLib
from USLabelEfficientSegLib.annotation.label_files import read_labels, write_label_map
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint

TINY = [
    f"--set=divergence.{name}={value}"
    for name, value in {"image_size": 32, "steps": 6, "labelled_images": 2, "unlabelled_images": 4}.items()
]


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """Two sets: `known` to train on, `new` to segment."""
    folder = tmp_path_factory.mktemp("heads")
    write_heads(folder / "known", 8)
    write_heads(folder / "new", 3, seed=1, prefix="scan")
    return folder


@pytest.fixture(scope="module")
def study(heads):
    """A trained study; tests that change it work on a copy."""
    from USLabelEfficientSegLib.cli import main

    for command in (["study", "create", *create(heads, heads / "study")], ["train", heads / "study", *TINY]):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in command])
        assert stop.value.code == 0
    return heads / "study"


@pytest.fixture(scope="module")
def found(heads, study):
    from USLabelEfficientSegLib.cli import main

    command = ["segment", study, heads / "new" / "images", *sizes(heads), "--probability", "--uncertainty"]
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in [*command, "--output", heads / "found"]])
    assert stop.value.code == 0
    return heads / "found"


def create(heads, study, *options):
    known = heads / "known"
    return [study, "--images", known / "images", "--labels", known / "masks", "--pixel-sizes", known / "sizes.csv",
            "--organs", "head", "--label-fraction", "0.5", *options]  # fmt: skip


def sizes(heads):
    return "--pixel-sizes", heads / "new" / "sizes.csv"


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_study_of_images_is_shown_as_such(call, study):
    code, out, err = call("study", "show", study)

    assert (code, err) == (0, "")
    assert "8 images, 4 of them labelled (50 %), organs head." in out and "Training: finished" in out
    assert "Pixel size, mm" in out and "64 x 48" in out and "volume" not in out.lower()
    summary = json.loads(call("study", "show", study, "--json")[1])
    assert summary["dimension"] == 2 and summary["labelled_volumes"] == 4


def test_training_says_what_it_does_and_is_done_when_repeated(call, study):
    code, out, err = call("train", study)

    assert (code, err) == (0, "")
    assert "method information-divergence, preset quick" in out and "already trained" in out
    assert f"Next: uslabelseg segment {study} IMAGE" in out


def test_segmentations_lie_on_their_images_with_measurements(heads, found):
    size = float(rows_of(heads / "new" / "sizes.csv")[0]["pixel size(mm)"])

    labels = SimpleITK.ReadImage(str(found / "scan_0.nrrd"))
    probability = SimpleITK.ReadImage(str(found / "scan_0_probability.nrrd"))
    assert labels.GetSize() == (64, 48) and labels.GetSpacing() == pytest.approx((size, size))
    assert labels.GetMetaData("Segment0_Name") == "head"
    assert probability.GetNumberOfComponentsPerPixel() == 2 and probability.GetSize() == (64, 48)
    assert {path.name for path in found.iterdir()} == {
        f"scan_{number}{suffix}"
        for number in range(3)
        for suffix in (".nrrd", "_probability.nrrd", "_uncertainty.nrrd", "_measurements.json")
    }


def test_results_are_measured_evaluated_and_reported(call, heads, study, found, tmp_path):
    assert call("measure", found, "--output", tmp_path / "areas.csv")[0] == 0
    masks = heads / "new" / "masks"
    code, out, _ = call("evaluate", found, masks, "--output", tmp_path / "metrics.csv")
    assert code == 0 and "Circumf" in out
    report = [found, "--images", heads / "new" / "images", "--references", masks, "--study", study]
    code, out, err = call("report", *report, "--output", tmp_path / "report.html", "--pdf")

    assert (code, err) == (0, "") and "Report of 3 images" in out
    assert [row["case"] for row in rows_of(tmp_path / "areas.csv")] == ["scan_0", "scan_1", "scan_2"]
    assert all(0 <= float(row["dice"]) <= 1 for row in rows_of(tmp_path / "metrics.csv"))
    page = re.sub(r'base64,[^"]*"', '"', (tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Case 003" in page and "scan_0" not in page and "2509.06495" in page
    assert "divergence.image_size" in page and "student.steps" not in page and "4 of 8 (50 %)" in page
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_images_and_model_tell_more_of_segmented_images(call, heads, study, found, tmp_path):
    masks, images = heads / "new" / "masks", heads / "new" / "images"
    options = ["--images", images, "--model", study, *sizes(heads), "--output", tmp_path / "areas.csv"]
    code, out, err = call("measure", masks, *options)

    assert code == 0 and "3 areas of 3 segmentations" in out, err
    assert {row["organ"] for row in rows_of(tmp_path / "areas.csv")} == {"head"}
    assert call("measure", found, *options[:-1], tmp_path / "taken.csv")[0] == 0


def test_a_study_is_reported_with_its_labels_as_references(call, study, tmp_path):
    code, out, _ = call("report", study, "--show-names", "--output", tmp_path / "report.html")

    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert code == 0 and "Report of 8 images" in out
    assert "head_7" in page and "Agreement with references" in page


def test_repeated_scans_of_images_are_reported(call, heads, found, tmp_path):
    (tmp_path / "visits.csv").write_text("case,subject,date\nscan_0,Doe,2024-02-29\nscan_2,Doe,2024-03-30\n")

    code = call(
        "report", found, "--images", heads / "new" / "images", "--visits", tmp_path / "visits.csv",
        "--output", tmp_path / "report.html",
    )[0]  # fmt: skip

    page = re.sub(r'base64,[^"]*"', '"', (tmp_path / "report.html").read_text(encoding="utf-8"))
    assert code == 0 and "Changes of the area between scans" in page and "Changes of the circumference" in page
    assert "Case 001 → Case 003" in page and "Doe" not in page and "2024-03" not in page


def test_results_for_programs(call, heads, study, tmp_path):
    code, out, _ = call("segment", study, heads / "new" / "images" / "scan_1.png", *sizes(heads), "--json",
                        "--output", tmp_path / "found")  # fmt: skip

    record = json.loads(out)
    assert code == 0 and record["file"].endswith("scan_1.nrrd")
    assert record["areas_mm2"]["head"] >= 0 and record["circumferences_mm"]["head"] >= 0


@pytest.mark.parametrize("label_format", ["seg.nrrd", "nii.gz"])
def test_images_are_segmented_in_every_format_of_volumes(call, heads, study, found, tmp_path, label_format):
    options = [*sizes(heads), "--format", label_format, "--output", tmp_path / "found"]
    code, _, err = call("segment", study, heads / "new" / "images", *options)
    assert code == 0, err
    for folder, name in ((found, "before"), (tmp_path / "found", "after")):
        assert call("measure", folder, "--output", tmp_path / f"{name}.csv")[0] == 0

    assert len(list((tmp_path / "found").glob(f"*.{label_format}"))) == 3
    before, after = (rows_of(tmp_path / f"{name}.csv") for name in ("before", "after"))
    assert after == before and all(row["organ"] == "head" for row in after)


def test_segmentations_of_different_models_are_refused(refused, heads, found, tmp_path):
    mixed = shutil.copytree(found, tmp_path / "mixed")
    (mixed / "scan_1_measurements.json").unlink()
    labels = read_labels(mixed / "scan_1.nrrd")
    write_label_map(mixed / "scan_1.nrrd", replace(labels, segments={1: "cyst"}))

    for command in (
        ["evaluate", mixed, heads / "new" / "masks", "--output", tmp_path / "metrics.csv"],
        ["report", mixed, "--images", heads / "new" / "images", "--output", tmp_path / "report.html"],
    ):
        assert "other segmentations of" in refused(*command)


def test_suggested_images_are_labelled_in_another_program(call, heads, study, tmp_path):
    copy = shutil.copytree(study, tmp_path / "study")
    code, out, _ = call("suggest", copy, "--count", 2)
    assert code == 0 and "Image" in out and "Slice" not in out and "--write to-label" in out and "Slicer" not in out

    code, out, _ = call("suggest", copy, "--count", 2, "--write", tmp_path / "to-label", "--json")
    names = [found["volume"] for found in json.loads(out)]
    pictures = sorted((tmp_path / "to-label" / "images").iterdir())
    assert code == 0 and [path.stem for path in pictures] == sorted(names)
    written, image = (SimpleITK.ReadImage(str(f)) for f in (pictures[0], heads / "known" / "images" / pictures[0].name))
    assert written.GetSize() == image.GetSize()
    (tmp_path / "to-label" / "labels").mkdir()
    for name in names:
        shutil.copy(heads / "known" / "masks" / f"{name}.png", tmp_path / "to-label" / "labels")
    code, out, _ = call("study", "label", copy, "--labels", tmp_path / "to-label")
    assert code == 0
    assert json.loads(call("study", "show", copy, "--json")[1])["labelled_volumes"] == 6


def test_a_killed_training_continues_to_the_same_model(call, heads, study, tmp_path):
    call("study", "create", *create(heads, tmp_path / "study"))
    root = str(Path(USLabelEfficientSegLib.__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-m", "USLabelEfficientSegLib.cli", "train", tmp_path / "study", *TINY],
        env={**os.environ, "PYTHONPATH": root}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    events = tmp_path / "study" / "run" / "events.jsonl"
    deadline = time.monotonic() + 120
    while not any(event.stage == "divergence" for event in read_events(events)) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "study" / "run" / "model.safetensors").exists()

    assert call("train", tmp_path / "study")[0] == 0

    first, second = (load_checkpoint(folder / "run" / "model.safetensors")[0] for folder in (study, tmp_path / "study"))
    assert all((first[name] == second[name]).all() for name in first)


def test_a_study_calibrated_too_thinly_keeps_its_model(refused, heads, study, tmp_path):
    copy = shutil.copytree(study, tmp_path / "study")

    line = refused("calibrate", copy, heads / "new" / "images", heads / "new" / "masks", *sizes(heads))
    assert "too few for a 90 % interval" in line


REFUSALS = {
    "no pixel size": (
        ["segment", "STUDY", "NEW/images", "--output", "OUT"], "does not say how large its pixels are",
    ),
    "volume": (["segment", "STUDY", "VOLUMES", "--output", "OUT"], "is no 2-D image but a volume"),
    "model of volumes": (["segment", "TRAINED", "NEW/images", "--output", "OUT"], "only 2-D images; give 3-D volumes"),
    "a picture as a volume": (
        ["segment", "TRAINED", "NEW/images/scan_0.png", "--output", "OUT"], "is a 2-D image; give 3-D volumes",
    ),
    "pixel size of volumes": (
        ["segment", "TRAINED", "VOLUMES", "--pixel-size", "1", "--output", "OUT"], "are for 2-D images",
    ),
    "no length": (
        ["segment", "STUDY", "NEW/images", "--pixel-size", "0", "--output", "OUT"], "pixel size 0.0 mm: is no length",
    ),
    "method": (["train", "STUDY", "--method", "cross-dimensional"], "learns from volumes, and"),
    "stage": (["train", "STUDY", "--stage", "teacher"], "--stage: is for volumes"),
    "devices": (["train", "STUDY", "--devices", "2"], "--devices: is for volumes"),
    "suggest": (["suggest", "STUDY", "--count", "1", "--volume", "head_0"], "an image is labelled as a whole"),
    "a table of references": (
        ["report", "FOUND", "--images", "NEW/images", "--references", "NEW/sizes.csv", "--output", "OUT"],
        "is not a folder; give the folder of the labels of 2-D images",
    ),
    "images of a study": (["study", "create", "OUT", "--images", "NEW/images"], "does not say how large its pixels"),
    "asked for volumes": (
        ["study", "create", "OUT", "--images", "NEW/images", "--dimension", "3"], "(study create --dimension 2)",
    ),
    "asked for images": (
        ["study", "create", "OUT", "--images", "VOLUMES", "--dimension", "2"], "is no 2-D image but a volume",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("command", "problem"), REFUSALS.values(), ids=REFUSALS)
def test_what_does_not_fit_is_refused_in_one_sentence(
    refused, heads, study, found, trained_study, simulated, tmp_path, command, problem
):
    places = {
        "STUDY": study, "FOUND": found, "TRAINED": trained_study, "VOLUMES": simulated / "images", "NEW": heads / "new",
        "OUT": tmp_path / "out",
    }  # fmt: skip
    of_place = f"^({'|'.join(places)})"
    arguments = [re.sub(of_place, lambda found: str(places[found[0]]), text) for text in command]

    assert problem in refused(*arguments)
