"""Time to Dice: how long each method trains until it reaches the best rival's final Dice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .methods import VARIANTS, uses_all_labels
from .results import CurvePoint, JobResult
from .statistics import Arm, group_by_arm


@dataclass(frozen=True)
class TimeToDice:
    """When an arm reaches a Dice.

    Attributes:
        arm: what was trained.
        seconds: of its training altogether.
        dice: in the end.
        reached: seconds until the first measurement that is at least as high; nan: never.
    """

    arm: Arm
    seconds: float
    dice: float
    reached: float


def mean_curve(runs: Sequence[JobResult]) -> list[CurvePoint]:
    """Seconds and Dice at each share of each stage, mean over the runs that measured it, by rising time."""
    points: dict[tuple[str, float], list[CurvePoint]] = {}
    for run in runs:
        for point in run.curve:
            points.setdefault((point.stage, point.share), []).append(point)
    means = [
        CurvePoint(*key, float(np.mean([p.seconds for p in found])), float(np.mean([p.dice for p in found])))
        for key, found in points.items()
    ]
    return sorted(means, key=lambda point: point.seconds)


def times_to_best_rival(
    results: Sequence[JobResult], label_fraction: float
) -> tuple[TimeToDice, list[TimeToDice]] | None:
    """The best rival, and when each method with as few labels reaches that rival's final Dice.

    None if no rival was measured over time. A time belongs to the first measurement that is high enough; nothing is
    interpolated, so it is never too short.
    """
    curves = {
        arm: curve
        for arm, runs in group_by_arm(results).items()
        if arm.label_fraction == label_fraction and not uses_all_labels(arm.method)
        if (curve := mean_curve(list(runs.values())))
    }
    rivals = [arm for arm in curves if arm.method not in VARIANTS]
    if not rivals:
        return None
    best = max(rivals, key=lambda arm: curves[arm][-1].dice)
    target = curves[best][-1].dice
    times = []
    for arm, curve in curves.items():
        reached = next((point.seconds for point in curve if point.dice >= target), float("nan"))
        times.append(TimeToDice(arm, curve[-1].seconds, curve[-1].dice, reached))
    times.sort(key=lambda time: (np.isnan(time.reached), time.reached))
    return next(time for time in times if time.arm == best), times
