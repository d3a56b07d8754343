"""Summaries of a benchmark: means with their spread over seeds, and paired tests of one method against the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import wilcoxon

from .results import JobResult


@dataclass(frozen=True)
class Arm:
    """A method with labels chosen in one way: the unit of comparison."""

    method: str
    label_fraction: float
    choice: str


@dataclass(frozen=True)
class ArmSummary:
    """An arm over its seeds; a standard deviation is nan for a single seed.

    Attributes:
        arm: what was run.
        seeds: number of runs.
        labelled_slices: of one run (the mean over runs).
        dice: mean over cases, organs and seeds.
        dice_sd: standard deviation of the seeds' means.
        dice_lowest: the lowest mean of a seed.
        hausdorff_95_mm: mean over cases in which it is defined.
        volume_error: median absolute error of the expected volume in percent, mean over seeds.
        volume_bias: median signed error in percent, mean over seeds.
        minutes: of training, mean over seeds.
    """

    arm: Arm
    seeds: int
    labelled_slices: float
    dice: float
    dice_sd: float
    dice_lowest: float
    hausdorff_95_mm: float
    volume_error: float
    volume_bias: float
    minutes: float


@dataclass(frozen=True)
class Comparison:
    """A first arm against a second one, over the seeds that both have.

    Attributes:
        first, second: the arms.
        seeds: shared by both.
        cases: number of held-out cases.
        difference: mean Dice of the first minus that of the second.
        difference_sd: standard deviation of the seeds' differences, nan for a single seed.
        p: of Wilcoxon's signed-rank test, two-sided, over the cases' mean Dice (over organs and seeds).
        p_adjusted: after Holm's correction over all comparisons of a table.
    """

    first: Arm
    second: Arm
    seeds: int
    cases: int
    difference: float
    difference_sd: float
    p: float
    p_adjusted: float


def group_by_arm(results: Sequence[JobResult]) -> dict[Arm, dict[int, JobResult]]:
    """Results by arm, then by seed."""
    arms: dict[Arm, dict[int, JobResult]] = {}
    for result in results:
        job = result.job
        arms.setdefault(Arm(job.method, job.label_fraction, job.choice), {})[job.seed] = result
    return arms


def summarise_arm(arm: Arm, by_seed: dict[int, JobResult]) -> ArmSummary:
    """The summary of an arm's runs, at least one."""
    runs = list(by_seed.values())
    dice = np.array([_mean_dice(run) for run in runs])
    errors = [np.array([row.volume_error_percent for row in run.plain]) for run in runs]
    return ArmSummary(
        arm,
        len(runs),
        float(np.mean([run.labelled_slices for run in runs])),
        float(dice.mean()),
        _spread(dice),
        float(dice.min()),
        _mean_of_defined([row.hausdorff_95_mm for run in runs for row in run.plain]),
        float(np.mean([np.nanmedian(np.abs(error)) for error in errors])),
        float(np.mean([np.nanmedian(error) for error in errors])),
        float(np.mean([run.minutes for run in runs])),
    )


def compare(results: Sequence[JobResult], reference: str) -> list[Comparison]:
    """The reference method against every other with the same labels, and suggested against random labels.

    Args:
        results: of all runs.
        reference: a method; methods with all labels are left out, since they have other labels.
    """
    arms = group_by_arm(results)
    pairs = [
        (first, second)
        for first in arms
        for second in arms
        if (first.label_fraction == second.label_fraction < 1)
        and (
            (first.method == reference != second.method and first.choice == second.choice)
            or (first.method == second.method and (first.choice, second.choice) == ("suggested", "random"))
        )
    ]
    compared = [found for pair in pairs if (found := _compare(arms, *pair)) is not None]
    adjusted = holm([comparison.p for comparison in compared])
    return [
        Comparison(**{**vars(comparison), "p_adjusted": p}) for comparison, p in zip(compared, adjusted, strict=True)
    ]


def holm(values: Sequence[float]) -> list[float]:
    """p-values after Holm's correction (Scandinavian Journal of Statistics 6:65-70, 1979); nan is passed over."""
    adjusted = [float("nan")] * len(values)
    tested = [index for index in np.argsort(values) if not np.isnan(values[index])]
    largest = 0.0
    for rank, index in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * values[index]))
        adjusted[index] = largest
    return adjusted


def degraded_dice(results: Sequence[JobResult]) -> dict[Arm, dict[tuple[str, float], float]]:
    """Of each arm with degraded images, mean Dice by degradation and strength, the images as they are included."""
    found: dict[Arm, dict[tuple[str, float], list[float]]] = {}
    for arm, runs in group_by_arm([result for result in results if result.has_degradations]).items():
        values = found.setdefault(arm, {})
        for row in (row for run in runs.values() for row in run.cases):
            values.setdefault((row.degradation, row.strength), []).append(row.dice)
    return {arm: {key: float(np.mean(dice)) for key, dice in values.items()} for arm, values in found.items()}


def dice_by_case(results: Sequence[JobResult]) -> dict[str, float]:
    """Mean Dice of every case over organs and runs."""
    values: dict[str, list[float]] = {}
    for result in results:
        for row in result.plain:
            values.setdefault(row.case, []).append(row.dice)
    return {case: float(np.mean(dice)) for case, dice in sorted(values.items())}


def _compare(arms: dict[Arm, dict[int, JobResult]], first: Arm, second: Arm) -> Comparison | None:
    seeds = sorted(arms[first].keys() & arms[second].keys())
    if not seeds:
        return None
    ours, theirs = ([arms[arm][seed] for seed in seeds] for arm in (first, second))
    by_seed = np.array([_mean_dice(a) - _mean_dice(b) for a, b in zip(ours, theirs, strict=True)])
    a, b = dice_by_case(ours), dice_by_case(theirs)
    differences = np.array([a[case] - b[case] for case in a])
    p = float(wilcoxon(differences).pvalue) if differences.any() else 1.0
    return Comparison(
        first, second, len(seeds), len(differences), float(by_seed.mean()), _spread(by_seed), p, float("nan")
    )


def _mean_dice(result: JobResult) -> float:
    return float(np.mean([row.dice for row in result.plain]))


def _mean_of_defined(values: Sequence[float]) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def _spread(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")
