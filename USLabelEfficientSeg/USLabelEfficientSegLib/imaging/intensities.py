"""Grey values of a scan in [0, 1], whatever its gain and unit."""

import numpy as np
from numpy.typing import NDArray


def normalised_grey(voxels: NDArray[np.floating], sector: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Intensities (I, J, K) in [0, 1], which span nearly the whole range inside the sector; 0 outside it."""
    low, high = np.percentile(voxels[sector], [0.5, 99.5])
    grey = np.clip((voxels - low) / max(high - low, 1e-6), 0, 1) * sector
    return np.asarray(grey, dtype=np.float32)
