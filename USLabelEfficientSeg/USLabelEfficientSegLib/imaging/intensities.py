"""Grey values of a scan in [0, 1], whatever its gain and unit."""

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-6  # of the largest value: differences below are errors of rounding
_SMALLEST = 1e-15  # that a largest value can be, but for 0


def least_spread(largest: float) -> float:
    """What grey values of this largest magnitude are divided by at least: less than that, they differ by nothing.

    Scans in volts have values of 1e-9: it is small beside those of any unit.
    """
    return _ROUNDING * min(max(largest, _SMALLEST), 1.0)


def normalised_grey(voxels: NDArray[np.floating], sector: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Intensities (I, J, K) in [0, 1], which span nearly the whole range inside the sector; 0 outside it."""
    low, high = np.percentile(voxels[sector], [0.5, 99.5])
    spread = max(high - low, least_spread(max(abs(low), abs(high))))
    grey = np.clip((voxels - low) / spread, 0, 1) * sector
    return np.asarray(grey, dtype=np.float32)
