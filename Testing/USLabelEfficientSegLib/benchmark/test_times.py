import math

import pytest

from USLabelEfficientSegLib.benchmark.results import CaseResult, CurvePoint, Job, JobResult
from USLabelEfficientSegLib.benchmark.times import mean_curve, times_to_best_rival

CASE = CaseResult("a", "organ", 0.5, 3.0, 1.0, 20.0, 24.0, 20.0)


def result(method, seed, curve, fraction=0.01, stage="training"):
    points = [CurvePoint(stage, share, seconds, dice) for share, seconds, dice in curve]
    return JobResult(Job(method, fraction, "random", seed), 5, 1.0, 1.0, None, (CASE,), tuple(points))


def test_a_curve_is_the_mean_over_seeds():
    curve = mean_curve([result("cps", 0, [(0.5, 10, 0.4), (1.0, 20, 0.6)]), result("cps", 1, [(1.0, 30, 0.5)])])

    assert [(point.share, point.seconds, point.dice) for point in curve] == [
        (0.5, 10, 0.4),
        (1.0, 25, pytest.approx(0.55)),
    ]


def test_each_method_is_timed_to_what_the_best_rival_reaches_in_the_end():
    runs = [
        result("ours", 0, [(0.25, 30, 0.5), (0.5, 60, 0.72), (1.0, 90, 0.7)]),
        result("cps", 0, [(0.5, 50, 0.65), (1.0, 100, 0.7)]),
        result("mean-teacher", 0, [(0.5, 50, 0.69), (1.0, 100, 0.6)]),
        result("full-3d", 0, [(1.0, 10, 0.9)], fraction=1.0),
        result("cps", 0, [(1.0, 10, 0.95)], fraction=0.1),
    ]

    found = times_to_best_rival(runs, 0.01)

    assert found is not None
    rival, times = found
    assert (rival.arm.method, rival.dice, rival.seconds) == ("cps", 0.7, 100)
    assert [(time.arm.method, time.reached) for time in times[:2]] == [("ours", 60), ("cps", 100)]
    assert times[2].arm.method == "mean-teacher" and math.isnan(times[2].reached)


def test_without_a_rival_there_is_nothing_to_reach():
    runs = [result("ours", 0, [(1.0, 90, 0.7)]), result("ours-one-axis", 0, [(1.0, 90, 0.6)]), result("cps", 0, [])]
    assert times_to_best_rival(runs, 0.01) is None
