import json
import math
from dataclasses import replace

import pytest

from USLabelEfficientSegLib.benchmark.results import (
    CaseResult,
    CurvePoint,
    Job,
    JobResult,
    is_done,
    read_result,
    read_results,
    result_path,
    write_result,
)
from USLabelEfficientSegLib.errors import InputError

JOB = Job("ours", 0.005, "random", 3)


def result(*cases, job=JOB, steps=None):
    return JobResult(job, 18, 10.25, 19.5, steps, cases)


def row(degradation="none", strength=0.0, hausdorff=4.0):
    return CaseResult("a", "prostate", 0.8, hausdorff, 1.0, 30.0, 40.0, 33.0, degradation, strength)


def test_a_result_survives_its_file_undefined_distances_included(tmp_path):
    write_result(tmp_path, result(row(), row(hausdorff=math.nan), steps=7))

    (read,) = read_results(tmp_path)

    assert read.job == JOB and read.steps == 7 and read.minutes == 10.25
    assert read.cases[0] == row()
    assert math.isnan(read.cases[1].hausdorff_95_mm)
    assert read.cases[0].volume_error_percent == pytest.approx(10.0)


def test_a_result_keeps_its_curve_and_one_without_is_done_only_if_nobody_asks_for_it(tmp_path):
    write_result(tmp_path, result(row()))
    assert read_results(tmp_path)[0].curve == ()
    assert not is_done(tmp_path, JOB, degradations=False, curve=True)

    points = (CurvePoint("training", 0.5, 12.5, 0.4), CurvePoint("training", 1.0, 25.0, 0.6))
    write_result(tmp_path, replace(result(row()), curve=points))

    assert read_results(tmp_path)[0].curve == points
    assert is_done(tmp_path, JOB, degradations=False, curve=True)
    assert not is_done(tmp_path, JOB, degradations=True, curve=True)


def test_results_of_before_curves_were_measured_are_still_read(tmp_path):
    write_result(tmp_path, result(row()))
    path = result_path(tmp_path, JOB)
    content = json.loads(path.read_text())
    del content["curve"]
    path.write_text(json.dumps(content))
    assert read_result(path) == result(row())


def test_a_run_is_done_when_all_that_is_wanted_is_there(tmp_path):
    assert not is_done(tmp_path, JOB, degradations=False)
    write_result(tmp_path, result(row()))
    assert is_done(tmp_path, JOB, degradations=False)
    assert not is_done(tmp_path, JOB, degradations=True)
    write_result(tmp_path, result(row(), row("noise", 0.5)))
    assert is_done(tmp_path, JOB, degradations=True)
    assert [case.degradation for case in read_result(result_path(tmp_path, JOB)).plain] == ["none"]


@pytest.mark.parametrize("text", ["", "{}", '{"job": {"method": "ours"}, "cases": []}', "[]"])
def test_a_damaged_result_is_named(tmp_path, text):
    path = result_path(tmp_path, JOB)
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(InputError, match=r"ours_random_0.005_3.json: is no result"):
        read_results(tmp_path)
