"""Statistics of a study's volumes, kept with the model: a new volume unlike them deserves a warning.

Intensities are described by features that do not depend on gain: quantiles within the sector, how alike neighbouring
voxels are along each axis (speckle, blur), how much of the volume is sector, and how alike the whole is to the mean
of the study, at 6 x 6 x 6 places.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..imaging.geometry import Geometry
from ..imaging.intensities import normalised_grey
from ..imaging.orientation import ANATOMICAL, Orientation, reordering, spelt
from ..imaging.resampling import resample_axes, working_geometry
from ..imaging.scan import Scan
from ..imaging.sector import sector_mask

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_PLACES = (6, 6, 6)
_FEATURES = 10
_LEAST_SPREAD = 0.02
_LEAST_LIMIT = 3.5  # standard deviations
_BEYOND_LIMIT = 1.2
_BEYOND_VOLUMES = 1.15
_BEYOND_GRID = 1.5

Range = tuple[float, float]


class TrainingStatistics(BaseModel):
    """Ranges within which the volumes of a study lie.

    Attributes:
        volumes_ml: of each organ, as the model measures it in the study's volumes.
        spacing_mm: of each axis.
        extent_mm: of each axis, from edge to edge.
        feature_mean, feature_spread: of the intensity features, see `IntensityFeatures`.
        thumbnail: (216,) mean intensity of the study at 6 x 6 x 6 places.
        feature_limit: largest distance from the mean in spreads that counts as usual.
        max_voxels: most voxels along an axis of the grid on which features are computed.
        axes: codes of the volumes' axes, see `Geometry.axis_codes`; none: unknown.
        orientation: the order of the axes in which the model sees volumes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    volumes_ml: tuple[Range, ...]
    spacing_mm: tuple[Range, Range, Range]
    extent_mm: tuple[Range, Range, Range]
    feature_mean: tuple[float, ...]
    feature_spread: tuple[float, ...]
    thumbnail: tuple[float, ...]
    feature_limit: float
    max_voxels: Annotated[int, Field(ge=1, le=4096)]
    axes: tuple[Annotated[str, Field(pattern="^[LRPASI]{3}$")], ...] = ()
    orientation: Orientation = "as-stored"

    @model_validator(mode="after")
    def _as_many_features_as_there_are(self) -> Self:
        lengths = len(self.feature_mean), len(self.feature_spread), len(self.thumbnail)
        if lengths != (_FEATURES, _FEATURES, prod(_PLACES)) or min(self.feature_spread) <= 0:
            raise ValueError("the intensity features are not those of this program")
        return self

    def usual_volume(self, organ: int, volume_ml: float) -> bool:
        """Whether the volume of the organ with this index is within 15 % of the study's range."""
        low, high = self.volumes_ml[organ]
        return low / _BEYOND_VOLUMES <= volume_ml <= high * _BEYOND_VOLUMES

    def usual_grid(self, geometry: Geometry) -> bool:
        """Whether spacing and extent of every axis are within a factor of 1.5 of the study's ranges."""
        if self.orientation == "anatomical" or self.other_axes(geometry) is not None:
            geometry = reordering(geometry, self.axes[0] if self.axes else ANATOMICAL).grid(geometry)
        extents = [step * size for step, size in zip(geometry.spacing, geometry.shape, strict=True)]
        return all(
            low / _BEYOND_GRID <= value <= high * _BEYOND_GRID
            for value, (low, high) in zip(
                (*geometry.spacing, *extents), (*self.spacing_mm, *self.extent_mm), strict=True
            )
        )

    def other_axes(self, geometry: Geometry) -> tuple[str, str] | None:
        """The axes of a volume and of the study, if they differ and the model sees them as stored."""
        own = geometry.axis_codes
        if self.orientation == "anatomical" or not self.axes or own in self.axes:
            return None
        return spelt(own), " or ".join(spelt(codes) for codes in self.axes)

    def usual_intensities(self, features: IntensityFeatures) -> bool:
        """Whether every feature is about as close to the study's mean as the study's volumes are."""
        mean, spread = np.array(self.feature_mean), np.array(self.feature_spread)
        values = features.values(np.array(self.thumbnail))
        return bool((np.abs(values - mean) / spread).max() <= self.feature_limit)


class IntensityFeatures:
    """Intensity features of one volume on its working grid.

    Args:
        grey: (I, J, K) intensities in [0, 1], 0 outside the sector.
        sector: (I, J, K) bool.
    """

    def __init__(self, grey: NDArray[np.float32], sector: NDArray[np.bool_]) -> None:
        inside = grey[sector]
        self._own = np.array([*np.quantile(inside, _QUANTILES), *_likeness(grey, sector), sector.mean()])
        self.thumbnail = resample_axes(grey, _PLACES).ravel().astype(np.float64)

    def values(self, thumbnail: NDArray[np.float64]) -> NDArray[np.float64]:
        """The features (10,), the last of them the correlation with a mean volume (216,)."""
        return np.append(self._own, _correlation(self.thumbnail, thumbnail))


def intensity_features(volume: Scan, max_voxels: int) -> IntensityFeatures:
    """Features of a volume on the working grid of at most so many voxels an axis."""
    voxels = resample_axes(volume.voxels, working_geometry(volume.geometry, max_voxels).shape)
    sector = sector_mask(voxels)
    return IntensityFeatures(normalised_grey(voxels, sector), sector)


def training_statistics(
    volumes_ml: NDArray[np.float64],
    geometries: Sequence[Geometry],
    features: Sequence[IntensityFeatures],
    max_voxels: int,
    orientation: Orientation = "as-stored",
) -> TrainingStatistics:
    """Statistics of a study.

    Args:
        volumes_ml: (volumes, organs) as the model measures them.
        geometries: native grids.
        features: of the intensities.
        max_voxels: most voxels along an axis of the grid on which they were computed.
        orientation: the order of the axes in which the model sees volumes.
    """
    thumbnails = np.array([one.thumbnail for one in features])
    total, count = thumbnails.sum(axis=0), len(thumbnails)
    # Each volume against the mean of the others, as a new one will be; a single one has only itself.
    others = (total - thumbnails) / (count - 1) if count > 1 else thumbnails
    values = np.array([one.values(other) for one, other in zip(features, others, strict=True)])
    mean, spread = values.mean(axis=0), np.maximum(values.std(axis=0), _LEAST_SPREAD)
    spacings = np.array([geometry.spacing for geometry in geometries])
    extents = spacings * [geometry.shape for geometry in geometries]
    (i, j, k), (x, y, z) = _ranges(spacings), _ranges(extents)
    return TrainingStatistics(
        volumes_ml=tuple(_ranges(volumes_ml)),
        spacing_mm=(i, j, k),
        extent_mm=(x, y, z),
        feature_mean=tuple(mean.tolist()),
        feature_spread=tuple(spread.tolist()),
        thumbnail=tuple((total / count).tolist()),
        feature_limit=max(_LEAST_LIMIT, _BEYOND_LIMIT * float((np.abs(values - mean) / spread).max())),
        max_voxels=max_voxels,
        axes=tuple(dict.fromkeys(geometry.axis_codes for geometry in geometries)),
        orientation=orientation,
    )


def _ranges(values: NDArray[np.float64]) -> list[Range]:
    """Lowest and highest value of each column."""
    return list(zip(values.min(axis=0).tolist(), values.max(axis=0).tolist(), strict=True))


def _likeness(grey: NDArray[np.float32], sector: NDArray[np.bool_]) -> list[float]:
    """Correlation of neighbouring voxels in the sector, along each axis."""
    likeness = []
    for axis in range(3):
        first, second = (np.moveaxis(grey, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        both = np.moveaxis(sector, axis, 0)
        pairs = both[:-1] & both[1:]
        likeness.append(_correlation(first[pairs], second[pairs]))
    return likeness


def _correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Correlation coefficient; 0 where one of them is constant."""
    a, b = first - first.mean(dtype=np.float64), second - second.mean(dtype=np.float64)
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / scale if scale > 0 else 0.0
