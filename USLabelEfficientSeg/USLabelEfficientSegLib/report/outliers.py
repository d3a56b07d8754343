"""Cases of a cohort whose measurements lie far from those of the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..measurement.flags import Flag
from ..text.numbers import three_digits
from .content import CaseSummary
from .tables import known_value

# Iglewicz and Hoaglin, How to Detect and Handle Outliers, ASQC 1993: a modified z-score beyond 3.5.
_BEYOND = 3.5
_OF_NORMAL = 0.6745  # the median absolute deviation of a normal distribution, in standard deviations
_LEAST_CASES = 8  # fewer tell too little of what is usual


@dataclass(frozen=True)
class Outlier:
    """A case, how far it lies from the others (modified z-score; infinite: an organ was not found), and why."""

    case: CaseSummary
    score: float
    reasons: Sequence[str]


def outliers_of(cases: Sequence[CaseSummary]) -> list[Outlier]:
    """Outliers by the logarithm of the quantities to report, the farthest first; equal ones by their cautions."""
    reasons: dict[str, list[str]] = {case.label: [] for case in cases}
    scores = dict.fromkeys(reasons, 0.0)
    for case in cases:
        missing = [row.organ for row in case.rows if Flag.EMPTY in row.flags]
        if missing:
            scores[case.label] = math.inf
            reasons[case.label].append(f"not found: {', '.join(missing)}")
    organs = dict.fromkeys(
        (row.organ, position) for case in cases for row in case.rows for position in range(len(row.headline))
    )
    for organ, position in organs:
        for case, score, reason in _of_quantity(cases, organ, position):
            scores[case.label] = max(scores[case.label], score)
            reasons[case.label].append(reason)
    found = [Outlier(case, scores[case.label], reasons[case.label]) for case in cases if reasons[case.label]]
    return sorted(found, key=lambda one: (-one.score, -sum(len(row.flags) for row in one.case.rows)))


def _of_quantity(cases: Sequence[CaseSummary], organ: str, position: int) -> list[tuple[CaseSummary, float, str]]:
    """The cases in which a quantity of an organ is far from the median, with their score and why."""
    found = [
        (case, row.headline[position].name, value)
        for case in cases
        for row in case.rows
        if row.organ == organ and (value := known_value(row, row.headline[position])) is not None and value > 0
    ]
    if len(found) < _LEAST_CASES:
        return []
    logarithms = np.log([value for _, _, value in found])
    median = np.median(logarithms)
    spread = float(np.median(np.abs(logarithms - median)))
    if spread == 0:
        return []
    scores = _OF_NORMAL * (logarithms - median) / spread
    return [
        (case, abs(score), f"{organ}: {name.replace('_', ' ')} {three_digits(math.exp(distance))} times the median")
        for (case, name, _), score, distance in zip(found, scores.tolist(), (logarithms - median).tolist(), strict=True)
        if abs(score) > _BEYOND
    ]
