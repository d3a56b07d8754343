"""What slices look like in a few numbers, so that they can be compared before any network is trained.

A slice is described by its own appearance, by that of its whole volume, and by its place in the volume. Each of the
three counts the same: the first alone says nothing of the size of an organ, and the last alone cannot tell a typical
subject from an unusual one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..imaging.resampling import resample_axes
from ..imaging.sector import sector_mask

_SLICE_SIDE = 12
_VOLUME_SIDE = 8
_SECTOR_SIDE = 48
_SLICE_COMPONENTS = 16
_VOLUME_COMPONENTS = 8

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class DescribedVolume:
    """The slices of one volume along an axis.

    Attributes:
        appearance: (n, D) of each of its n slices.
        whole: (E,) of the volume.
        sector_share: (n,) pixels of each slice that carry image, over those of the slice that has most.
    """

    appearance: Floats
    whole: Floats
    sector_share: Floats


def describe_volume(voxels: NDArray[np.generic], axis: int, appearance: Floats | None = None) -> DescribedVolume:
    """Describe the slices of a volume (I, J, K) along `axis`.

    Args:
        voxels: grey values of any type.
        axis: slice axis.
        appearance: (n, D) features of the slices from a pretrained network; by default each slice is shrunk to 12 x 12
            pixels of the volume's normalised grey values.
    """
    n = voxels.shape[axis]
    coarse, sector = _coarse(voxels)
    inside = coarse[sector]
    grey = (coarse - inside.mean()) / (inside.std() + 1e-6) * sector
    if appearance is None:
        i, j, k = (n if a == axis else _SLICE_SIDE for a in range(3))
        appearance = np.moveaxis(resample_axes(grey, (i, j, k)), axis, 0).reshape(n, -1)
    return DescribedVolume(appearance, resample_axes(grey, (_VOLUME_SIDE,) * 3).ravel(), _share(sector, axis, n))


def sector_shares(voxels: NDArray[np.generic]) -> list[Floats]:
    """For each axis of a volume (I, J, K) the `DescribedVolume.sector_share` of its slices."""
    _, sector = _coarse(voxels)
    return [_share(sector, axis, n) for axis, n in enumerate(voxels.shape)]


def _coarse(voxels: NDArray[np.generic]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The volume with at most 48 voxels an axis, and where it carries image."""
    i, j, k = (min(size, _SECTOR_SIDE) for size in voxels.shape)
    coarse = resample_axes(voxels, (i, j, k))
    return coarse, sector_mask(coarse)


def _share(sector: NDArray[np.bool_], axis: int, n: int) -> Floats:
    """Pixels of each of `n` slices that carry image, over those of the slice that has most, of a coarse sector."""
    area = sector.mean(axis=tuple(a for a in range(3) if a != axis))
    places, known = (np.arange(n) + 0.5) / n, (np.arange(len(area)) + 0.5) / len(area)
    return np.asarray(np.interp(places, known, area / area.max()))


def slice_features(volumes: Sequence[DescribedVolume]) -> NDArray[np.float64]:
    """Points (N, D) of all slices of all volumes in order: appearance, whole volume and place, of equal variance."""
    counts = [len(volume.appearance) for volume in volumes]
    whole = principal_components(np.stack([volume.whole for volume in volumes]), _VOLUME_COMPONENTS)
    place = np.concatenate([(2 * np.arange(n) + 1) / n - 1 for n in counts])[:, None]
    parts = [
        principal_components(np.concatenate([volume.appearance for volume in volumes]), _SLICE_COMPONENTS),
        np.repeat(whole, counts, axis=0),
        principal_components(place, 1),
    ]
    return np.concatenate(parts, axis=1)


def principal_components(rows: Floats, count: int) -> NDArray[np.float64]:
    """At most `count` principal components (N, c) of rows (N, D), of total variance 1, or 0 if all rows are equal."""
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    scores = centred @ vectors[:, ::-1][:, :count]
    spread = np.sqrt((scores**2).sum(axis=1).mean())
    return np.asarray(scores / spread if spread > 1e-12 else scores * 0)
