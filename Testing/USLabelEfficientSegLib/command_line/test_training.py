"""What `uslabelseg train` tells first, and what it asks the pipeline for."""

import os
import subprocess
import sys

import pytest

from USLabelEfficientSegLib import pipeline
from USLabelEfficientSegLib.method.shown_slices import shown_pixels
from USLabelEfficientSegLib.study.settings import preset
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.study.training_time import seconds_on_processor
from USLabelEfficientSegLib.text.durations import duration
from USLabelEfficientSegLib.training import processors

FIRST_LINE = """
import os, sys
from USLabelEfficientSegLib.cli import main
from USLabelEfficientSegLib.command_line.console import console

def say(text, *_, **__):
    print(text, flush=True)
    heavy = [name for name in ("torch", "monai", "matplotlib") if name in sys.modules]
    print(*heavy, flush=True)
    os._exit(0)

console.say = say
main(["train", sys.argv[1]])
"""


@pytest.fixture
def study(tmp_path, simulated):
    return Study.create(tmp_path / "study", simulated / "images", simulated / "labels", label_fraction=0.2)


def test_what_is_trained_is_told_before_anything_heavy_is_loaded(study):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    program = [sys.executable, "-c", FIRST_LINE, str(study.folder)]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == [f"Training {study.folder}: preset quick, seed 0.", ""]


@pytest.mark.parametrize(("options", "most"), [([], 4), (["--processes", "3"], 3), (["--processes", "9"], 4)])
def test_there_are_no_more_processes_than_asked_for_and_processors(study, call, monkeypatch, options, most):
    given = []
    monkeypatch.setattr(processors, "count", lambda: 4)
    monkeypatch.setattr(pipeline, "train", lambda *_, processors, **__: given.append(processors))

    code, _, err = call("train", study.folder, "--device", "cpu", *options)

    assert code == 0, err
    assert given[0].most == most


def test_how_long_it_takes_is_told_before_it_starts_where_that_is_known(study, call, monkeypatch):
    monkeypatch.setattr(pipeline, "train", lambda *_, **__: None)

    _, unchanged, _ = call("train", study.folder, "--device", "cpu")
    _, changed, _ = call("train", study.folder, "--device", "cpu", "--set", "student.steps=7")

    slices = sum(len(case.labels.slices) for case in study.cases)
    (pixels,) = shown_pixels(study, preset("quick").slice_network.max_voxels).values()
    estimate = seconds_on_processor("quick", 3, slices, axes=1, slice_pixels=pixels)
    assert estimate is not None
    least, most = map(duration, estimate)
    assert f"On cpu. It takes about {least} on one core of a server's processor, or {most} where it helps" in unchanged
    assert "On cpu. How long it takes, shows once its first steps are measured." in changed


def test_after_a_part_of_the_training_the_rest_comes_next(study, call, monkeypatch):
    monkeypatch.setattr(pipeline, "train", lambda *_, **__: None)

    _, out, _ = call("train", study.folder, "--stage", "teacher")

    assert out.splitlines()[-1] == f"Next: uslabelseg train {study.folder}"
