import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from USLabelEfficientSegLib.benchmark.figures import dice_against_fraction_png
from USLabelEfficientSegLib.benchmark.methods import (
    ABLATION,
    VARIANTS,
    check_methods,
    description_of,
    method_names,
    title_of,
)
from USLabelEfficientSegLib.benchmark.page import write_report
from USLabelEfficientSegLib.benchmark.results import CaseResult, CurvePoint, Job, JobResult
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.study.settings import changed, preset

RECORD = {
    "seconds": 600.0,
    "steps": None,
    "preset": "quick",
    "changes": {"student.steps": 3},
    "validation": False,
    "cases": {"training": ["x"] * 9, "held_out": ["a", "b", "c"]},
}


def result(method, seed, dice, fraction=0.01, choice="random", degraded=False):
    rng = np.random.default_rng(seed)
    conditions = [("none", 0.0), *([("noise", 0.5), ("gain", 1.0)] if degraded else [])]
    cases = [
        CaseResult(
            case, organ, dice - strength / 4, float("nan"), 1.0, ml, ml, ml * rng.uniform(0.8, 1.2), name, strength
        )
        for name, strength in conditions
        for case in "abc"
        for organ, ml in (("liver", 30.0), ("cyst", 9.0))
    ]
    return JobResult(Job(method, fraction, choice, seed), 5, 1.5, 3.0, 100, tuple(cases))


@pytest.fixture
def results():
    runs = [
        result(method, seed, dice + 0.01 * seed, fraction, degraded=method == "ours")
        for method, dice in (("cps", 0.6), ("ours", 0.7))
        for fraction in (0.005, 0.01)
        for seed in (0, 1)
    ]
    return [*runs, result("full-3d", 0, 0.85, 1.0), result("ours", 0, 0.71, choice="suggested")]


def test_the_report_holds_tables_figures_and_a_page(tmp_path, results):
    page = write_report(tmp_path, results, RECORD).read_text(encoding="utf-8")

    with (tmp_path / "cases.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(r.cases) for r in results)
    assert rows[0]["method"] == "ours" and rows[0]["hausdorff_95_mm"] == ""
    with (tmp_path / "summary.csv").open() as file:
        summary = {(r["method"], r["label_fraction"], r["choice"]): r for r in csv.DictReader(file)}
    assert float(summary["ours", "0.01", "random"]["dice"]) == pytest.approx(0.705)
    with (tmp_path / "comparisons.csv").open() as file:
        assert {r["against_method"] for r in csv.DictReader(file)} == {"cps", "ours"}
    shown = ["dice.png", "volumes_0.005.png", "volumes_0.01.png", "degradations_0.005.png", "degradations_0.01.png"]
    for name in shown:
        assert f"({name})" in page
        assert imread(tmp_path / name).ndim == 3
    assert "9 cases to train on, 3 cases of held-out test subjects" in page
    assert "`quick` with `student.steps=3`" in page
    assert "| Ours | 2 | 5 | 0.705 | 0.007 | 0.700 | – |" in page
    assert page.index("## 0.5 %") < page.index("## 1 %")
    assert "arXiv 2106.01226" in page  # what a rival is


def test_the_report_tells_how_long_each_method_takes_to_be_as_good_as_the_best_rival(tmp_path, results):
    assert "over time" not in write_report(tmp_path / "without", results, RECORD).read_text(encoding="utf-8").lower()
    assert not (tmp_path / "without" / "times.csv").exists()
    curves = {"ours": [(0.5, 20.0, 0.55), (1.0, 40.0, 0.7)], "cps": [(0.5, 50.0, 0.5), (1.0, 100.0, 0.6)]}
    timed = [
        replace(r, curve=tuple(CurvePoint("training", *point) for point in curves[r.job.method]))
        for r in results
        if r.job.method in curves and r.job.choice == "random"
    ]

    page = write_report(tmp_path, timed, RECORD).read_text(encoding="utf-8")

    assert "The best rival in the end is Cross pseudo supervision." in page
    assert "| Method | Dice in the end | Seconds | Seconds to 0.600 |" in page
    assert (
        "| Ours | 0.700 | 40 | 40 | 40 |" in page and "| Cross pseudo supervision | 0.600 | 100 | 100 | 100 |" in page
    )
    assert "(times_0.01.png)" in page and imread(tmp_path / "times_0.01.png").ndim == 3
    with (tmp_path / "times.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(timed)
    assert rows[0]["seed"] == "0" and float(rows[0]["seconds"]) == 20.0


def test_the_report_tells_what_degradations_cost(tmp_path, results):
    page = write_report(tmp_path, results, RECORD).read_text(encoding="utf-8")
    assert "| Dice at full strength | as they are | noise | gain |" in page
    assert "| Ours | 0.705 | – | 0.455 |" in page  # noise was tried at half strength alone
    assert "is degraded" not in page
    record = {**RECORD, "training_degradation": "noise"}
    assert "Every training image is degraded (noise)" in write_report(tmp_path, results, record).read_text()


def test_rivals_alone_and_the_ceiling_alone_make_a_report(tmp_path, results):
    for name, chosen in (("rival", results[:1]), ("ceiling", [results[-2]])):
        page = write_report(tmp_path / name, chosen, RECORD).read_text(encoding="utf-8")
        assert page.startswith("# Benchmark")
        assert not (tmp_path / name / "comparisons.csv").exists()


def test_the_figure_grows_with_what_it_shows(results):
    few, many = (imread(io.BytesIO(dice_against_fraction_png(chosen))) for chosen in (results[:2], results))
    assert (many[..., :3].min(axis=2) < 0.9).sum() > (few[..., :3].min(axis=2) < 0.9).sum()


@pytest.mark.parametrize("name", ["quick", "standard", "full"])
def test_variants_are_changes_of_existing_settings(name):
    settings = preset(name)
    for variant in VARIANTS.values():
        assert changed(settings, variant.changes).preset == name


def test_the_ablation_takes_away_one_part_at_a_time():
    assert set(ABLATION) == {"ours"} | {
        f"ours-{part}"
        for part in (
            "no-pretraining",
            "one-axis",
            "no-refinement",
            "no-uncertainty",
            "no-distillation",
            "no-location",
            "no-prior-vote",
            "no-alignment",
            "no-scaling",
            "no-slice-networks",
            "no-student-of-labels",
            "one-round",
        )
    }


def test_every_method_has_a_title_of_its_own_and_a_description():
    titles = [title_of(name) for name in method_names()]
    assert len(set(titles)) == len(titles)
    assert all(len(description_of(name)) > 15 for name in method_names())


def test_an_unknown_method_is_refused():
    with pytest.raises(InputError, match="method magic: does not exist; choose among ours,"):
        check_methods(["ours", "magic"])
