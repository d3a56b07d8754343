"""Image-level degradations of a volume, to see how fast a method loses accuracy: each has a strength from 0 to 1.

They act on grey values as a scanner shows them, log-compressed: a gain in dB is an offset, and what lies outside the
sector stays as dark as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..imaging.resampling import resample_axes
from ..imaging.sector import sector_mask
from ..imaging.volume import UltrasoundVolume

STRENGTHS = (0.25, 0.5, 1.0)

Greys = NDArray[np.float32]
Degradation = Callable[[Greys, float, np.random.Generator], Greys]


def gain(grey: Greys, strength: float, rng: np.random.Generator) -> Greys:
    """Brighter or darker by up to half of the grey range, and as much more so with depth along each axis at random."""
    slope = sum(
        rng.uniform(-1, 1) * np.linspace(-1, 1, n).reshape([-1 if a == axis else 1 for a in range(3)])
        for axis, n in enumerate(grey.shape)
    )
    offset = rng.choice([-1, 1]) * 0.5 + 0.25 * slope
    return np.asarray(grey + strength * offset, dtype=np.float32)


def noise(grey: Greys, strength: float, rng: np.random.Generator) -> Greys:
    """Electronic noise: white, with a standard deviation of up to 30 % of the grey range."""
    return np.asarray(grey + 0.3 * strength * rng.standard_normal(grey.shape), dtype=np.float32)


def shadow(grey: Greys, strength: float, rng: np.random.Generator) -> Greys:
    """A shadow along the second axis, that of depth in the simulator: up to 60 % of the width, dark to the far end."""
    i, j, _ = grey.shape
    half = 0.3 * strength
    centre = rng.uniform(0.3, 0.7)
    across = np.abs((np.arange(i) + 0.5) / i - centre) / max(half, 1e-6)
    start = rng.uniform(0.1, 0.5)
    along = 1 / (1 + np.exp(-((np.arange(j) + 0.5) / j - start) / 0.03))
    depth = (1 / (1 + np.exp((across - 1) / 0.1)))[:, None] * along[None]
    return np.asarray(grey * (1 - 0.9 * min(1.0, 2 * strength) * depth[:, :, None]), dtype=np.float32)


def drop_out(grey: Greys, strength: float, rng: np.random.Generator) -> Greys:
    """Boundaries that are not hit at a right angle vanish: smooth random regions lose up to all their contrast."""
    field = gaussian_filter(rng.standard_normal(grey.shape), [0.1 * n for n in grey.shape])
    lost = field > np.quantile(field, 1 - 0.5 * strength)
    soft = gaussian_filter(lost.astype(np.float32), 1.5)
    blurred = gaussian_filter(grey, [0.12 * n for n in grey.shape])
    return np.asarray(grey + soft * (blurred - grey), dtype=np.float32)


def resolution(grey: Greys, strength: float, rng: np.random.Generator) -> Greys:
    """A coarser scan: up to six times fewer voxels along every axis, shown on the same grid."""
    factor = 1 + 5 * strength
    i, j, k = (max(2, round(n / factor)) for n in grey.shape)
    i_full, j_full, k_full = grey.shape
    return resample_axes(resample_axes(grey, (i, j, k)), (i_full, j_full, k_full))


DEGRADATIONS: dict[str, Degradation] = {
    "gain": gain,
    "noise": noise,
    "shadow": shadow,
    "drop-out": drop_out,
    "resolution": resolution,
}


def degrade(volume: UltrasoundVolume, name: str, strength: float, seed: int) -> UltrasoundVolume:
    """The volume under the degradation `name` of `DEGRADATIONS`; the same arguments give the same voxels.

    Grey values are clipped to their range, as a display does.
    """
    voxels = volume.voxels.astype(np.float32)
    low, high = np.percentile(voxels, [0.5, 99.5])
    sector = sector_mask(voxels)
    grey = np.clip((voxels - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    changed = np.clip(DEGRADATIONS[name](grey, strength, np.random.default_rng(seed)), 0, 1)
    return UltrasoundVolume(np.where(sector, low + changed * (high - low), voxels), volume.geometry, volume.name)
