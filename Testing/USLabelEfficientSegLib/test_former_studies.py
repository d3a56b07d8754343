"""What version 0.1.0 wrote still opens and gives the same: see `fixtures/former_studies/README.md`."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch
from trained_studies import weights

from USLabelEfficientSegLib.study.events import read_events, training_seconds
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.text.durations import duration

FORMER = Path(__file__).parents[1] / "fixtures" / "former_studies"
KINDS = ("volumes", "images")
# Another processor rounds otherwise, and a voxel or two may fall on the other side of a boundary.
SAME_VOXELS, SAME_NUMBER, SAME_UNCERTAINTY = 0.999, 0.01, 0.02
TEXT = {"case", "organ", "flags"}  # columns that are no numbers


@pytest.fixture(scope="module", params=KINDS)
def unpacked(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("former") / request.param
    shutil.unpack_archive(FORMER / f"{request.param}.tar.xz", folder, filter="data")
    return folder


@pytest.fixture
def former(unpacked, tmp_path):
    """The folder of a former study, its model, its results; each test has its own."""
    return shutil.copytree(unpacked, tmp_path / unpacked.name)


def test_a_former_study_opens_and_shows_the_same(former, call):
    code, out, _ = call("study", "show", former / "study", "--json")

    shown, expected = json.loads(out), expectation(former)["shown"]
    assert code == 0 and expected.items() <= shown.items()
    assert shown["training"]["state"] == "finished"


def test_its_events_are_read_with_their_stages_and_the_time_that_training_took(former):
    events, expected = read_events(former / "study" / "run" / "events.jsonl"), expectation(former)

    assert len(events) == expected["events"]
    assert list(dict.fromkeys(str(event.stage) for event in events)) == expected["stages"]
    assert training_seconds(events) == pytest.approx(expected["training_seconds"])


@pytest.mark.parametrize("model, before", [("study", "by-study"), ("exported.safetensors", "segmented")])
def test_a_former_model_segments_and_measures_as_it_did(former, call, model, before):
    code, out, err = call(
        "segment", former / model, former / "new", "--output", former / "now", "--uncertainty", *sizes(former)
    )

    assert code == 0, out + err
    (path,) = (path for path in (former / before).glob("*.nrrd") if "uncertainty" not in path.name)
    then, now = voxels_of(path), voxels_of(former / "now" / path.name)
    assert set(np.unique(now)) == set(np.unique(then)) > {0}
    assert (now == then).mean() >= SAME_VOXELS
    name = f"{path.stem}_measurements.json"
    assert_same_measurements(*(json.loads((former / folder / name).read_text()) for folder in (before, "now")))
    if before == "segmented":
        file = f"{path.stem}_uncertainty.nrrd"
        then, now = voxels_of(former / before / file), voxels_of(former / "now" / file)
        assert np.abs(now - then).max() <= SAME_UNCERTAINTY


def test_former_measurements_are_read_as_they_were_written(former, call):
    code, out, err = call("measure", former / "segmented", "--output", former / "now.csv", *sizes(former))

    assert code == 0, out + err
    then, now = (list(csv.DictReader((former / name).open(encoding="utf-8"))) for name in ("volumes.csv", "now.csv"))
    assert len(now) == len(then) > 0
    for before, after in zip(then, now, strict=True):
        assert before.keys() <= after.keys()
        assert all(after[name] == before[name] for name in TEXT)
        assert [float(after[name]) for name in before.keys() - TEXT] == pytest.approx(
            [float(before[name]) for name in before.keys() - TEXT], rel=1e-6
        )


def test_a_former_study_has_a_report(former, call):
    code, out, err = call("report", former / "study", "--output", former / "report.html")

    assert code == 0, out + err
    page = (former / "report.html").read_text(encoding="utf-8")
    assert duration(expectation(former)["training_seconds"]) in page
    assert all(organ in page for organ in expectation(former)["shown"]["organs"])


def test_training_a_former_study_goes_on_and_trains_nothing_anew(former, call):
    study = Study.open(former / "study")
    before, heard = weights(study), len(read_events(study.events.path))

    code, out, err = call("train", former / "study", "--device", "cpu")

    assert code == 0, out + err
    events = read_events(study.events.path)[heard:]
    assert not any(event.losses for event in events)
    found = sum(event.message == "already trained" for event in events)
    assert found == (1 if study.dimension == 2 else 5)  # alignment, teacher, slice head, two students
    after = weights(study)
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, rtol=1e-4, atol=1e-5, msg=name)  # the prior is fitted again


def expectation(former):
    return json.loads((former / "expected.json").read_text())


def voxels_of(path):
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


def sizes(former):
    table = former / "sizes.csv"
    return ["--pixel-sizes", table] if table.exists() else []


def assert_same_measurements(then, now):
    assert len(now["measurements"]) == len(then["measurements"]) > 0
    for before, after in zip(then["measurements"], now["measurements"], strict=True):
        assert_alike(before, after, before["organ"])


def assert_alike(before, after, where):
    """Numbers are nearly the same, all else is the same; there may be more."""
    if isinstance(before, dict):
        for name, value in before.items():
            assert_alike(value, after[name], f"{where} {name}")
    elif isinstance(before, list) and before and not isinstance(before[0], str):
        assert len(after) == len(before), where
        for one, other in zip(before, after, strict=True):
            assert_alike(one, other, where)
    elif isinstance(before, float):
        assert after == pytest.approx(before, rel=SAME_NUMBER, abs=0.5), where  # 0.5 mm of a coordinate, degrees
    elif type(before) is int and not where.endswith(" label"):
        assert after == pytest.approx(before, rel=SAME_NUMBER), where
    else:
        assert after == before, where
