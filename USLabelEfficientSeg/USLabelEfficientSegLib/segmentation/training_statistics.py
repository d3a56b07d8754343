"""Statistics of a study's volumes, kept with the model: a new volume unlike them deserves a warning.

Intensities are described by features that do not depend on gain, see `intensity_features`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..imaging.geometry import Geometry
from ..imaging.orientation import ANATOMICAL, Orientation, reordering, spelt
from .intensity_features import OF_VOLUMES, IntensityFeatures, UsualIntensities

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
        if lengths != OF_VOLUMES or min(self.feature_spread) <= 0:
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
        usual = UsualIntensities(
            mean=self.feature_mean, spread=self.feature_spread, thumbnail=self.thumbnail, limit=self.feature_limit
        )
        return usual.includes(features)


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
    intensities = UsualIntensities.of(features)
    spacings = np.array([geometry.spacing for geometry in geometries])
    extents = spacings * [geometry.shape for geometry in geometries]
    (i, j, k), (x, y, z) = _ranges(spacings), _ranges(extents)
    return TrainingStatistics(
        volumes_ml=tuple(_ranges(volumes_ml)),
        spacing_mm=(i, j, k),
        extent_mm=(x, y, z),
        feature_mean=intensities.mean,
        feature_spread=intensities.spread,
        thumbnail=intensities.thumbnail,
        feature_limit=intensities.limit,
        max_voxels=max_voxels,
        axes=tuple(dict.fromkeys(geometry.axis_codes for geometry in geometries)),
        orientation=orientation,
    )


def _ranges(values: NDArray[np.float64]) -> list[Range]:
    """Lowest and highest value of each column."""
    return list(zip(values.min(axis=0).tolist(), values.max(axis=0).tolist(), strict=True))
