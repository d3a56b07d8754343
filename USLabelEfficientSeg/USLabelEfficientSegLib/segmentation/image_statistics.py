"""Statistics of a study's images, kept with the model: a new image unlike them deserves a warning."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from ..imaging.geometry import Geometry
from .intensity_features import IntensityFeatures, UsualIntensities

_BEYOND_AREAS = 1.3
_BEYOND_PIXELS = 1.5


class ImageStatistics(BaseModel):
    """Ranges within which the images of a study lie.

    Attributes:
        areas_mm2: of each organ, as the model measures it in the study's images; None if it finds none.
        pixel_mm: side of a pixel.
        intensities: what the images look like; None in a model of version 0.1.0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    areas_mm2: tuple[tuple[float, float] | None, ...]
    pixel_mm: tuple[float, float]
    intensities: UsualIntensities | None = None

    def usual_area(self, organ: int, area_mm2: float) -> bool:
        """Whether the area of the organ with this index is within 30 % of the study's range."""
        found = self.areas_mm2[organ]
        return found is None or found[0] / _BEYOND_AREAS <= area_mm2 <= found[1] * _BEYOND_AREAS

    def usual_pixels(self, geometry: Geometry) -> bool:
        """Whether the pixels are within a factor of 1.5 of the study's."""
        low, high = self.pixel_mm
        return all(low / _BEYOND_PIXELS <= side <= high * _BEYOND_PIXELS for side in geometry.spacing[:2])

    def usual_intensities(self, features: IntensityFeatures) -> bool:
        """Whether an image looks like those of the study, as far as that is known."""
        return self.intensities is None or self.intensities.includes(features)
