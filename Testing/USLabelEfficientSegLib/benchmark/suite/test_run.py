"""`uslabelseg benchmark --suite`: data, runs and page by one command that repeats nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from USLabelEfficientSegLib.benchmark.suite.sets import SUITES, GivenSet, SimulatedSet, Suite

Call = Callable[..., tuple[int, str, str]]
SHAPE, SPACING = (24, 24, 16), (3.3, 3.3, 4.0)


@pytest.fixture(autouse=True)
def tiny_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = (
        SimulatedSet("organ", "anywhere", SHAPE, SPACING, 2, 1, slice_axis=1),
        SimulatedSet("vessel", "tube", SHAPE, SPACING, 2, 1),
        GivenSet("mine", "mine", test=(0,)),
    )
    monkeypatch.setitem(SUITES, "small", Suite(sets, (0.1,), ("random",), (0,), 120.0))


def test_a_suite_is_made_run_and_shown_and_only_what_is_missing_is_repeated(
    call: Call, tmp_path: Path, simulated: Path
) -> None:
    output = tmp_path / "suite"
    command = ["benchmark", "--suite", "small", "--output", output, "--device", "cpu", "--steps", 1]
    command += ["--data", f"mine={simulated}", "--set", "working_grid.max_voxels=24"]

    code, out, error = call(*command, "--methods", "unet-2d,location-prior", "--sets", "vessel,mine")
    assert code == 0, error
    assert "2 data sets, 2 runs on each." in out and "vessel: unet-2d_random_0.1_0: Dice" in out
    assert json.loads((output / "vessel" / "benchmark.json").read_text())["organs"] == ["vessel"]
    page = (output / "suite.md").read_text(encoding="utf-8")
    assert page.index("| vessel |") < page.index("| mine |") and "| organ |" not in page
    before = {path: path.stat().st_mtime_ns for path in (output / "data").rglob("*") if path.is_file()}

    code, out, error = call(*command, "--methods", "unet-2d,location-prior")
    assert code == 0, error
    assert "organ: unet-2d_random_0.1_0: Dice" in out and "vessel: unet-2d" not in out
    assert json.loads((output / "organ" / "benchmark.json").read_text())["slice_axis"] == 1
    assert before.items() <= {p: p.stat().st_mtime_ns for p in (output / "data").rglob("*") if p.is_file()}.items()
    assert "| organ |" in (output / "suite.md").read_text(encoding="utf-8")

    code, _, error = call(*command[:-4], "--methods", "unet-2d", "--set", "working_grid.max_voxels=20")
    assert code == 2 and "holds a benchmark with other changes" in error
    code, _, error = call("benchmark", "--suite", "long", "--output", output, "--sets", "tube")
    assert code == 2 and "holds another suite than long; choose a new folder" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--suite", "small", "DATA"), "DATASET: is given together with --suite"),
        ((), "DATASET: is missing; give a folder, or --suite small"),
        (("--suite", "huge"), "suite huge: does not exist"),
        (("--suite", "small", "--sets", "spleen"), "set spleen: does not exist"),
        (("--suite", "small", "--data", "mine"), "--data mine: is not of the form NAME=FOLDER"),
        (
            ("--suite", "small", "--organs", "a", "--slice-axis", "1"),
            "--slice-axis, --organs: is for a single data set",
        ),
        (("DATA", "--sets", "tube"), "--data and --sets: belong to a suite"),
        (("--suite", "small", "--equal-time", "--steps", "3"), "or --equal-time with one of them"),
        (("--suite", "small", "--methods", "magic"), "method magic: does not exist"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    call: Call, tmp_path: Path, simulated: Path, arguments: tuple[str, ...], message: str
) -> None:
    given = [simulated if word == "DATA" else word for word in arguments]
    code, _, error = call("benchmark", *given, "--output", tmp_path / "new")
    assert code == 2 and message in error
    assert not (tmp_path / "new").exists()


def test_a_folder_of_something_else_is_left_alone(call: Call, simulated: Path) -> None:
    code, _, error = call("benchmark", "--suite", "small", "--output", simulated)
    assert code == 2 and "holds something else than a suite" in error
