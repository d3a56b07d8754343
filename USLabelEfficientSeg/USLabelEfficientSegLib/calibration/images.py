"""90 % prediction intervals of areas and circumferences in 2-D images, and the ranges that a model has learnt from.

Both lengths and areas err by a factor, so the intervals are split conformal ones of log(true / measured), see
`calibration`: exact for images of the same kind as those they were calibrated on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ..errors import InputError
from ..imaging.geometry import Geometry
from .volumes import FEWEST_VOLUMES, calibration_from_volumes

_BEYOND_AREAS = 1.3
_BEYOND_PIXELS = 1.5

Factors = tuple[float, float]


class ImageCalibration(BaseModel):
    """By what factors the true area and circumference of each organ may differ from the measured ones.

    Attributes:
        area, circumference: lower and upper factor of each organ.
        method: one sentence for the reader of a report.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    area: tuple[Factors, ...]
    circumference: tuple[Factors, ...]
    method: str


def calibration_from_images(
    log_areas: NDArray[np.float64], log_circumferences: NDArray[np.float64]
) -> ImageCalibration:
    """Split conformal calibration on labelled images that the model was not trained on.

    Args:
        log_areas: (n, organs) log of true over measured area, nan where one of them is 0.
        log_circumferences: the same of the circumferences of the fitted ellipses.

    Raises:
        InputError: an organ is in fewer than nine images, for which no finite interval has 90 % coverage.
    """
    fewest = int((~np.isnan(log_areas)).sum(axis=0).min())
    if fewest < FEWEST_VOLUMES:
        problem = f"has {fewest} images in which an organ is both labelled and found, too few for a 90 % interval"
        raise InputError("calibration", problem, f"give at least {FEWEST_VOLUMES}")
    area, circumference = (calibration_from_volumes(ratios).factors for ratios in (log_areas, log_circumferences))
    return ImageCalibration(
        area=tuple(factors for factors in area if factors is not None),
        circumference=tuple(factors for factors in circumference if factors is not None),
        method=f"90 % prediction intervals of area and circumference by split conformal prediction on {len(log_areas)} "
        "labelled images that the model was not trained on: exact for images of the same kind, if no subject has "
        "several of them.",
    )


class ImageStatistics(BaseModel):
    """Ranges within which the images of a study lie.

    Attributes:
        areas_mm2: of each organ, as the model measures it in the study's images; None where it finds none.
        pixel_mm: side of a pixel.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    areas_mm2: tuple[tuple[float, float] | None, ...]
    pixel_mm: tuple[float, float]

    def usual_area(self, organ: int, area_mm2: float) -> bool:
        """Whether the area of the organ with this index is within 30 % of the study's range."""
        found = self.areas_mm2[organ]
        return found is None or found[0] / _BEYOND_AREAS <= area_mm2 <= found[1] * _BEYOND_AREAS

    def usual_pixels(self, geometry: Geometry) -> bool:
        """Whether the pixels are within a factor of 1.5 of the study's."""
        low, high = self.pixel_mm
        return all(low / _BEYOND_PIXELS <= side <= high * _BEYOND_PIXELS for side in geometry.spacing[:2])
