"""Degradations of a volume or image, to see how fast a method loses accuracy: each has a strength from 0 to 1.

They act on grey values (I, J, K) as a scanner shows them, log-compressed: a gain in dB is an offset, and what lies
outside the sector stays as dark as it is. An image is (I, J, 1), its j downwards is depth as in the simulator.
Simulated subjects are also seen through other probes, see `simulated_probes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.special import expit

from ..imaging.resampling import resample_axes
from ..imaging.scan import LabelMap, Scan
from ..imaging.sector import sector_mask
from ..imaging.simulator import PROBES
from .simulated_probes import simulated_subject

STRENGTHS = (0.25, 0.5, 1.0)
SIMULATED_PROBE = "simulated-probe"

Greys = NDArray[np.float32]
Degradation = Callable[[Greys, float, np.random.Generator], Greys]


def gain(grey: Greys, strength: float, rng: np.random.Generator) -> Greys:
    """Brighter or darker by up to half of the grey range, and as much more so with depth along each axis at random."""
    slope = sum(
        rng.uniform(-1, 1) * np.linspace(-1, 1, n).reshape([-1 if a == axis else 1 for a in range(3)])
        for axis, n in enumerate(grey.shape)
        if n > 1
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
    along = expit(((np.arange(j) + 0.5) / j - start) / 0.03)
    depth = expit((1 - across) / 0.1)[:, None] * along[None]
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
    i, j, k = (min(n, max(2, round(n / factor))) for n in grey.shape)
    i_full, j_full, k_full = grey.shape
    return resample_axes(resample_axes(grey, (i, j, k)), (i_full, j_full, k_full))


def other_probe(grey: Greys, strength: float, rng: np.random.Generator) -> Greys:
    """A cheaper probe, approximated: clutter, a beam that widens with depth (the second axis), coarser speckle.

    At full strength clutter and point spread grow as from the simulator's good probe to its low-cost one; variances
    of point spreads add up, hence the root. It blurs what is log-compressed already; the same amount of contrast as
    it takes away comes back as speckle (the logarithm of a Rayleigh envelope) of that point spread.
    """
    lateral, axial, elevation = grey.shape

    def spread(beam: float) -> list[float]:
        """Standard deviations in voxels, of a beam and of half a percent along the pulse."""
        shares = ((beam, lateral), (0.005, axial), (beam, elevation))
        return [strength**0.5 * share * n for share, n in shares]

    around = uniform_filter(grey, [max(3, lateral // 4), 3, max(3, elevation // 4)])
    grey = np.maximum(grey, around - (1 - 0.65 * strength))  # at last 20 dB below what is around, in a display of 56
    depth = np.linspace(0, 1, axial)[:, None]
    near, far = (gaussian_filter(grey, spread(beam)) for beam in (0.01, 0.02))
    blurred = near + depth * (far - near)
    scatter = [gaussian_filter(rng.standard_normal(grey.shape), spread(0.015)) for _ in range(2)]
    speckle = np.log(np.hypot(*scatter) + 1e-9)
    speckle = (speckle - speckle.mean()) / speckle.std()
    lost = (grey - blurred).std(axis=(0, 2), keepdims=True)
    return np.asarray(blurred + lost * speckle, dtype=np.float32)


DEGRADATIONS: dict[str, Degradation] = {
    "gain": gain,
    "noise": noise,
    "shadow": shadow,
    "drop-out": drop_out,
    "resolution": resolution,
    "other-probe": other_probe,
}


def degrade(volume: Scan, name: str, strength: float, seed: int) -> Scan:
    """The volume or image under the degradation `name` of `DEGRADATIONS`; the same arguments give the same voxels.

    Grey values are clipped to their range, as a display does.
    """
    voxels = volume.voxels.astype(np.float32)
    low, high = np.percentile(voxels, [0.5, 99.5])
    sector = sector_mask(voxels)
    grey = np.clip((voxels - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    changed = np.clip(DEGRADATIONS[name](grey, strength, np.random.default_rng(seed)), 0, 1)
    return replace(volume, voxels=np.where(sector, low + changed * (high - low), voxels))


def degraded_views(image: Scan, reference: LabelMap, seed: int) -> list[tuple[str, float, Callable[[], Scan]]]:
    """Name, strength and maker of every degraded view of an image; with other probes where it is a simulated one."""
    views: list[tuple[str, float, Callable[[], Scan]]] = [
        (name, strength, partial(degrade, image, name, strength, seed))
        for name in DEGRADATIONS
        for strength in STRENGTHS
    ]
    subject = simulated_subject(image, reference)
    if subject is not None:
        views += [
            (SIMULATED_PROBE, strength, partial(subject, probe))
            for strength, probe in zip(STRENGTHS, PROBES, strict=True)
        ]
    return views
