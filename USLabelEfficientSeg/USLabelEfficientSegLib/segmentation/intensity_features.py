"""Intensity features of a scan, which do not depend on gain: they tell whether it is unlike those of a study.

They are quantiles of the intensities within the sector, how alike neighbouring voxels are along each axis (speckle,
blur), how much of the scan is sector, and how alike the whole is to the mean of the study, at 6 x 6 x 6 places of a
volume or 6 x 6 of a 2-D image.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from ..imaging.intensities import normalised_grey
from ..imaging.resampling import resample_axes, working_geometry
from ..imaging.scan import Scan
from ..imaging.sector import sector_mask

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_PLACES, _PLACES_OF_IMAGE = (6, 6, 6), (6, 6, 1)
OF_VOLUMES, OF_IMAGES = (10, 10, prod(_PLACES)), (9, 9, prod(_PLACES_OF_IMAGE))  # lengths of mean, spread, thumbnail
_IMAGE_SIDE = 128  # pixels of the longer side at which features of images are computed
_LEAST_SPREAD = 0.02
_LEAST_LIMIT = 3.5  # standard deviations
_BEYOND_LIMIT = 1.2


class UsualIntensities(BaseModel):
    """The features of the scans of a study.

    Attributes:
        mean, spread: of each feature.
        thumbnail: mean intensity of the study at 6 x 6 x 6, or 6 x 6, places.
        limit: largest distance from the mean in spreads that counts as usual.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mean: tuple[float, ...]
    spread: tuple[float, ...]
    thumbnail: tuple[float, ...]
    limit: float

    @model_validator(mode="after")
    def _as_many_as_there_are(self) -> Self:
        lengths = len(self.mean), len(self.spread), len(self.thumbnail)
        if lengths not in (OF_VOLUMES, OF_IMAGES) or min(self.spread) <= 0:
            raise ValueError("the intensity features are not those of this program")
        return self

    @classmethod
    def of(cls, features: Sequence[IntensityFeatures]) -> UsualIntensities:
        """What is usual in a study, of the features of its scans."""
        thumbnails = np.array([one.thumbnail for one in features])
        total, count = thumbnails.sum(axis=0), len(thumbnails)
        # Each scan against the mean of the others, as a new one will be; a single one has only itself.
        others = (total - thumbnails) / (count - 1) if count > 1 else thumbnails
        values = np.array([one.values(other) for one, other in zip(features, others, strict=True)])
        mean, spread = values.mean(axis=0), np.maximum(values.std(axis=0), _LEAST_SPREAD)
        return cls(
            mean=tuple(mean.tolist()),
            spread=tuple(spread.tolist()),
            thumbnail=tuple((total / count).tolist()),
            limit=max(_LEAST_LIMIT, _BEYOND_LIMIT * float((np.abs(values - mean) / spread).max())),
        )

    def includes(self, features: IntensityFeatures) -> bool:
        """Whether every feature is about as close to the study's mean as the study's scans are."""
        values = features.values(np.array(self.thumbnail))
        return bool((np.abs(values - np.array(self.mean)) / np.array(self.spread)).max() <= self.limit)


class IntensityFeatures:
    """Intensity features of one scan on its working grid.

    Args:
        grey: (I, J, K) intensities in [0, 1], 0 outside the sector; K is 1 of a 2-D image.
        sector: (I, J, K) bool.
    """

    def __init__(self, grey: NDArray[np.float32], sector: NDArray[np.bool_]) -> None:
        inside = grey[sector]
        self._own = np.array([*np.quantile(inside, _QUANTILES), *_likeness(grey, sector), sector.mean()])
        places = _PLACES if grey.shape[2] > 1 else _PLACES_OF_IMAGE
        self.thumbnail = resample_axes(grey, places).ravel().astype(np.float64)

    def values(self, thumbnail: NDArray[np.float64]) -> NDArray[np.float64]:
        """The features (10,), of an image (9,); the last is the correlation with a mean scan (216,) or image (36,)."""
        return np.append(self._own, _correlation(self.thumbnail, thumbnail))


def intensity_features(volume: Scan, max_voxels: int) -> IntensityFeatures:
    """Features of a volume on the working grid of at most so many voxels an axis."""
    voxels = resample_axes(volume.voxels, working_geometry(volume.geometry, max_voxels).shape)
    sector = sector_mask(voxels)
    return IntensityFeatures(normalised_grey(voxels, sector), sector)


def image_features(image: Scan) -> IntensityFeatures:
    """Features of a 2-D image, all of which counts as sector."""
    i, j, _ = image.geometry.shape
    shrink = min(1.0, _IMAGE_SIDE / max(i, j))
    voxels = resample_axes(image.voxels, (max(2, round(shrink * i)), max(2, round(shrink * j)), 1))
    everywhere = np.ones(voxels.shape, dtype=bool)
    return IntensityFeatures(normalised_grey(voxels, everywhere), everywhere)


def _likeness(grey: NDArray[np.float32], sector: NDArray[np.bool_]) -> list[float]:
    """Correlation of neighbouring voxels in the sector, along each axis that has any."""
    likeness = []
    for axis in [axis for axis in range(3) if grey.shape[axis] > 1]:
        first, second = (np.moveaxis(grey, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        both = np.moveaxis(sector, axis, 0)
        pairs = both[:-1] & both[1:]
        likeness.append(_correlation(first[pairs], second[pairs]))
    return likeness


def _correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Correlation coefficient; 0 where one of them is constant, or empty."""
    if not first.size:
        return 0.0
    a, b = first - first.mean(dtype=np.float64), second - second.mean(dtype=np.float64)
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / scale if scale > 0 else 0.0
