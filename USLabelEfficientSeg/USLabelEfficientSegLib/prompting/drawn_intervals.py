"""What a drawing leaves open of an organ's volume: how far it is off as a rule, and a 90 % prediction interval.

    V(b) = v sum_voxels sigmoid(logit p + b),   V_true in [V(low), V(high)],

v is the volume of a voxel. The bounds follow from what the drawing tells of the organ's extent, and from the share of
it that is in doubt, u = sum p (1 - p) / sum p:

    b = b_told + b_u log(u / 0.1),    low <= -1 and high >= 1

The limits hold where little is in doubt, u below 0.05: few of the organs behind the constants are so sure, and lines
through the others cross. The constants are quantiles over the organs of simulated volumes and of two sets of others,
made by `benchmarks/drawn_intervals.py`; docs/propagation.md tells what they hold in sets that had no part in them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..calibration.offset_intervals import expected_size
from .drawing import Told

Field = NDArray[np.float32]
_USUAL_DOUBT = 0.1
_LEAST_DOUBT = 0.01
_LEAST_OFFSET = 1.0  # of log-odds, to either side: the volume itself lies in its interval


METHOD = (
    "90 % prediction interval from the drawing in this very volume: how much of an organ is in doubt, and along how "
    "many axes slices show it, weighed as in volumes of many organs whose true volumes are known "
    "(docs/propagation.md)."
)


@dataclass(frozen=True)
class Rule:
    """An offset of log-odds that follows from a drawing.

    Attributes:
        by_told: for each `Told`.
        doubt: for the logarithm of the share in doubt, over a tenth.
    """

    by_told: tuple[float, float, float, float, float]
    doubt: float = 0.0

    def __call__(self, told: Told, doubt: float = _USUAL_DOUBT) -> float:
        """The offset for what a drawing tells of the organ, and a share of it in doubt."""
        return float(self.by_told[told] + self.doubt * np.log(max(doubt, _LEAST_DOUBT) / _USUAL_DOUBT))


@dataclass(frozen=True)
class Rules:
    """Of an organ that is filled in by the drawing alone, or with a model's opinion."""

    low: Rule
    high: Rule

    def offsets(self, told: Told, doubt: float) -> tuple[float, float]:
        """Of the lower bound, below 0, and of the upper one, above 0."""
        return min(self.low(told, doubt), -_LEAST_OFFSET), max(self.high(told, doubt), _LEAST_OFFSET)


ALONE = Rules(Rule((-3.2, -2.6, -1.6, -1.9, -1.8), -1.4), Rule((2.0, 5.0, 1.7, 3.0, 2.2), 1.1))
WITH_MODEL = Rules(Rule((-4.7, -2.2, -1.7, -1.6, -1.6), -0.9), Rule((2.0, 2.1, 1.3, 2.0, 2.0), 0.5))


def doubt_of(probability: NDArray[np.floating]) -> float:
    """The share of an organ (...) that is in doubt."""
    size = float(probability.sum(dtype=np.float64))
    return float((probability * (1 - probability)).sum(dtype=np.float64)) / max(size, 1e-6)


def bounds(probability: Field, told: Told, rules: Rules) -> tuple[float, float]:
    """Lower and upper bound of an organ's volume in voxels; what was drawn has probability 0 or 1 and stays.

    Args:
        probability: (i, j, k) of the organ.
        told: of the organ, by the drawing.
        rules: by what it was filled in.
    """
    low, high = rules.offsets(told, doubt_of(probability))
    return expected_size(probability, low), expected_size(probability, high)
