"""90 % prediction intervals of volumes by offsets of logits, where 2-D networks decide alone.

    V(b) = v sum_voxels sigmoid(logit p + b),    V_true in [V(m - h), V(m + h)],    m = b_labels + 1,    h = 3.3

v is the volume of a voxel. How much a volume changes with b tells how sure the networks are of it: a clear outline
hardly moves, an organ that they see dimly grows a lot. Errors of volumes differ twentyfold between organs, the offsets
that mend them do not (the idea of COMPASS, arXiv 2509.22240).

b_labels gives the labelled slices their true areas: networks draw thin and small organs too large everywhere. They know
these slices by heart, and miss more of an organ elsewhere: hence the 1. It and h were chosen on simulated studies of
organs of many kinds, of subjects that no other number of this project is from (docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from .intervals import Calibration

FEWEST_SLICES = 2  # that show the organ: networks that have seen it once may take anything for it
BEYOND_LABELS = 1.0
HALF_WIDTH = 3.3
_FURTHEST = 4.0  # offset that labelled slices may ask for
_NOTHING = 1e-5  # a probability that is 0 for all that is known, and that no offset makes an organ


def calibration_by_offsets(of_labels: Sequence[float | None]) -> Calibration:
    """Intervals of a model of 2-D networks.

    Args:
        of_labels: the offset that gives the labelled slices their areas, of each organ; None where too few show it.
    """
    offsets = tuple(
        None if own is None else (own + BEYOND_LABELS - HALF_WIDTH, own + BEYOND_LABELS + HALF_WIDTH)
        for own in of_labels
    )
    method = (
        "90 % prediction interval from how sure the networks are of the outline: the volumes if the log-odds of all "
        f"voxels were from {HALF_WIDTH - BEYOND_LABELS:.1f} lower to {HALF_WIDTH + BEYOND_LABELS:.1f} higher than what "
        "fits the labelled slices. That range held 93 % of the true volumes in studies of several organs, in one study "
        "60 %."
    )
    return Calibration(factors={"volume": (None,) * len(offsets)}, offsets=offsets, method=method)


def expected_size(
    probability: NDArray[np.floating], offset: float = 0.0, weight: NDArray[np.floating] | None = None
) -> float:
    """The sum of an organ's probabilities, each times its weight if there are any, with an offset of their logits."""
    possible = probability > _NOTHING
    odds = probability[possible].astype(np.float64)
    odds *= np.exp(offset)
    shifted = odds / (1 - probability[possible] + odds)
    return float(shifted.sum() if weight is None else (weight[possible] * shifted).sum())


def offset_to_size(probability: NDArray[np.floating], weight: NDArray[np.floating], size: float) -> float:
    """The offset of their logits at which weighted probabilities (n,) have this sum, at most 4 either way."""

    def excess(offset: float) -> float:
        return expected_size(probability, offset, weight) - size

    if excess(-_FURTHEST) >= 0:
        return -_FURTHEST
    if excess(_FURTHEST) <= 0:
        return _FURTHEST
    return float(brentq(excess, -_FURTHEST, _FURTHEST, xtol=1e-3))
