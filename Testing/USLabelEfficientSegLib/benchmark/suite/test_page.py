"""The page of a suite: who is best where, what ours loses, and a figure that shows it."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from USLabelEfficientSegLib.benchmark.results import CaseResult, Job, JobResult, write_result
from USLabelEfficientSegLib.benchmark.suite.cells import margins, read_sets
from USLabelEfficientSegLib.benchmark.suite.figure import suite_png
from USLabelEfficientSegLib.benchmark.suite.page import write_suite_report
from USLabelEfficientSegLib.benchmark.suite.run import DATA
from USLabelEfficientSegLib.imaging.files import write_label_map
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap

RECORD = {"preset": "quick", "seconds": 120.0, "steps": None, "time_of": None}
SETS = ("easy", "hard", "empty")


def result(method: str, seed: int, dice: float, hausdorff: float, choice: str = "random") -> JobResult:
    rows = tuple(
        CaseResult(case, "organ", dice, mm, 1.0, 10.0, 11.0, 12.0)
        for case, mm in (("a", hausdorff), ("b", float("nan")))
    )
    return JobResult(Job(method, 0.01, choice, seed), 6, 2.0, 2.0, None, rows)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Ours wins on the easy set; on the hard one a rival is better on the seed that both have."""
    geometry = Geometry((4, 4, 2), (1.0, 1.0, 8.0), (0, 0, 0), np.eye(3))
    for name in SETS:
        (tmp_path / DATA / name / "labels").mkdir(parents=True)
        label = LabelMap(np.ones((4, 4, 2), np.uint8), geometry, "a")
        write_label_map(tmp_path / DATA / name / "labels" / "a.nrrd", label)
    for name, runs in {
        "easy": [("ours", 0, 0.9, 2.0), ("unet-2d", 0, 0.8, 4.0), ("location-prior", 0, 0.3, 9.0)],
        "hard": [("ours", 0, 0.6, 6.0), ("ours", 1, 0.9, 6.0), ("unet-2d", 0, 0.65, 4.0), ("cdkd", 0, 0.99, 1.0)],
    }.items():
        for method, seed, dice, hausdorff in runs:
            write_result(tmp_path / name, result(method, seed, dice, hausdorff))
    return tmp_path


def test_ours_is_compared_with_the_best_rival_over_the_seeds_that_both_have(output: Path) -> None:
    easy, hard = margins(read_sets(output, SETS), 0.01, "random", "ours")

    assert (easy.set_name, easy.rival.arm.method) == ("easy", "unet-2d")
    assert easy.dice == pytest.approx(0.1)
    assert easy.hausdorff_95_voxels == pytest.approx(-1.0)
    assert hard.rival.arm.method == "unet-2d"  # a variant of ours is no rival
    assert hard.dice == pytest.approx(-0.05) and hard.ours.seeds == 1


def rows_of(path: Path) -> list[dict[str, Any]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_page_holds_tables_a_verdict_and_a_figure(output: Path) -> None:
    page = write_suite_report(output, SETS, RECORD)
    assert page is not None
    text = page.read_text(encoding="utf-8")

    assert "Data sets: 2. Rivals train for 120 seconds" in text
    assert "## 1 % of the slices labelled, random slices" in text
    assert "| easy | 0.900 |  | 0.800 | 0.300 | +0.100 |" in text
    assert "mean of" not in text  # no set has all methods
    assert "| easy | 2.0 (1.0), 50 % missed |" in text
    assert "mean over 2 sets: +0.025 of Dice. Ours loses more than 0.005 on hard (\N{MINUS SIGN}0.050 against" in text
    assert imread(output / "suite.png").ndim == 3
    table = {(row["set"], row["method"]): row for row in rows_of(output / "suite.csv")}
    assert len(table) == 6
    assert float(table["hard", "ours"]["dice"]) == pytest.approx(0.75)
    assert float(table["easy", "unet-2d"]["hausdorff_95_voxels"]) == pytest.approx(2.0)
    assert float(table["easy", "ours"]["missed"]) == 0.5
    assert [row["loses"] for row in rows_of(output / "margins.csv")] == ["False", "True"]


def test_the_mean_is_over_the_sets_on_which_all_methods_were_run(output: Path) -> None:
    for path in output.glob("*/results/cdkd_*"):
        path.unlink()
    page = write_suite_report(output, SETS, RECORD)
    assert page is not None
    assert "| mean of 1 | 0.900 | 0.800 | 0.300 | +0.100 |" in page.read_text(encoding="utf-8")


def test_rivals_alone_are_shown_without_a_verdict_and_nothing_has_no_page(output: Path, tmp_path: Path) -> None:
    for path in output.glob("*/results/ours_*"):
        path.unlink()
    page = write_suite_report(output, SETS, RECORD | {"seconds": None, "time_of": "ours"})
    assert page is not None
    text = page.read_text(encoding="utf-8")
    assert "Rivals train as long as Ours took" in text and "loses" not in text
    assert write_suite_report(tmp_path / "none", SETS, RECORD) is None


def test_the_figure_grows_with_sets_and_label_choices(output: Path) -> None:
    few = imread(io.BytesIO(suite_png(read_sets(output, ["easy"]))))
    write_result(output / "hard", result("ours", 0, 0.7, 3.0, choice="suggested"))
    many = imread(io.BytesIO(suite_png(read_sets(output, SETS))))
    assert many.shape[0] > few.shape[0] and many.shape[1] > few.shape[1]
