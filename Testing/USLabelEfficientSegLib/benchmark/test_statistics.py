import numpy as np
import pytest
from scipy.stats import wilcoxon

from USLabelEfficientSegLib.benchmark.results import CaseResult, Job, JobResult
from USLabelEfficientSegLib.benchmark.statistics import Arm, compare, group_by_arm, holm, summarise_arm


def result(method, seed, dice, choice="random", fraction=0.01, minutes=2.0):
    cases = [
        CaseResult(f"case{n:02d}", "organ", d, 3.0, 1.0, 20.0, 24.0, 20.0 + 2 * (n % 2 * 2 - 1))
        for n, d in enumerate(dice)
    ]
    return JobResult(Job(method, fraction, choice, seed), 12, minutes, minutes, None, tuple(cases))


def test_an_arm_is_summarised_over_cases_and_seeds():
    runs = [result("ours", 0, [0.6, 0.8]), result("ours", 1, [0.7, 0.9], minutes=4.0)]

    ((arm, by_seed),) = group_by_arm(runs).items()
    summary = summarise_arm(arm, by_seed)

    assert arm == Arm("ours", 0.01, "random")
    assert (summary.seeds, summary.labelled_slices, summary.minutes) == (2, 12, 3.0)
    assert summary.dice == pytest.approx(0.75)
    assert summary.dice_sd == pytest.approx(np.std([0.7, 0.8], ddof=1))
    assert summary.dice_lowest == pytest.approx(0.7)
    assert summary.volume_error == pytest.approx(10.0)
    assert summary.volume_bias == pytest.approx(0.0)
    assert np.isnan(summarise_arm(arm, {0: runs[0]}).dice_sd)


def test_methods_are_compared_case_by_case_over_the_seeds_that_both_have():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.5, 0.8, (2, 15))
    better = base + rng.normal(0.05, 0.03, base.shape)
    runs = [result("ours", seed, better[seed]) for seed in (0, 1)]
    runs += [result("cps", seed, base[seed]) for seed in (0, 1)] + [result("cps", 2, base[0] + 1)]

    (comparison,) = compare(runs, "ours")

    assert (comparison.first.method, comparison.second.method) == ("ours", "cps")
    assert (comparison.seeds, comparison.cases) == (2, 15)
    assert comparison.difference == pytest.approx((better - base).mean())
    assert comparison.difference_sd == pytest.approx((better - base).mean(axis=1).std(ddof=1))
    assert comparison.p == comparison.p_adjusted == pytest.approx(wilcoxon((better - base).mean(axis=0)).pvalue)
    assert comparison.p < 0.01


def test_suggested_slices_are_compared_with_random_ones_and_the_ceiling_with_nobody():
    dice = np.linspace(0.5, 0.7, 8)
    runs = [
        result("ours", 0, dice),
        result("ours", 0, dice + 0.02, choice="suggested"),
        result("cps", 0, dice, choice="suggested"),
        result("full-3d", 0, dice + 0.2, fraction=1.0),
    ]

    compared = {(c.first.choice, c.second.method, c.second.choice): c for c in compare(runs, "ours")}

    assert set(compared) == {("suggested", "ours", "random"), ("suggested", "cps", "suggested")}
    assert compared["suggested", "ours", "random"].difference == pytest.approx(0.02)


def test_equal_methods_differ_by_chance_alone():
    runs = [result("ours", 0, [0.5, 0.6]), result("cps", 0, [0.5, 0.6])]
    assert compare(runs, "ours")[0].p == 1.0


def test_holm_correction():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert np.isnan(holm([float("nan"), 0.02])).tolist() == [True, False]
    assert holm([float("nan"), 0.02])[1] == 0.02
