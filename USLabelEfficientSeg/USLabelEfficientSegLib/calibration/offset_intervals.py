"""90 % prediction intervals of volumes by offsets of logits, where 2-D networks decide alone.

    V(b) = v sum_voxels sigmoid(logit p + b),    V_true in [V(b-), V(b+)],    v the volume of a voxel

How much a volume changes with b tells how sure the networks are of it: a clear outline hardly moves, an organ that they
see dimly grows a lot. Errors of volumes differ twentyfold between organs, the offsets that mend them do not (the idea
of COMPASS, arXiv 2509.22240). So one pair of offsets serves all: it was chosen on simulated studies of organs of many
kinds, on subjects that no other number of this project is from (docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .intervals import Calibration, Factors

OFFSETS: Factors = (-4.7, 4.7)
FEWEST_SLICES = 2  # that show the organ: networks that have seen it once may take anything for it
_NOTHING = 1e-5  # a probability that is 0 for all that is known, and that no offset makes an organ


def calibration_by_offsets(slices: Sequence[int]) -> Calibration:
    """Intervals of a model of 2-D networks.

    Args:
        slices: labelled ones that show each organ.
    """
    offsets = tuple(OFFSETS if count >= FEWEST_SLICES else None for count in slices)
    method = (
        "90 % prediction interval from how sure the networks are of the outline: the volumes with the log-odds of all "
        f"voxels {-OFFSETS[0]:g} lower and {OFFSETS[1]:g} higher, offsets that held 90 % of the true volumes of "
        "simulated organs of many kinds."
    )
    return Calibration(factors={"volume": (None,) * len(offsets)}, offsets=offsets, method=method)


def expected_voxels(probability: NDArray[np.float32], offset: float = 0.0) -> float:
    """The sum of an organ's probabilities (I, J, K) with an offset of their logits."""
    if not offset:
        return float(probability.sum(dtype=np.float64))
    possible = probability[probability > _NOTHING].astype(np.float64)
    odds = possible * np.exp(offset)
    return float((odds / (1 - possible + odds)).sum())
