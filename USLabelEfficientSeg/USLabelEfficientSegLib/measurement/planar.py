"""The measurement of organs in 2-D images: area, perimeter, and the fitted ellipse with its circumference.

Fetal heads are measured by the circumference of the ellipse through their outline (HC18, van den Heuvel et al.,
PLoS ONE 2018). The ellipse here has the area and the second moments of the organ: an elliptic outline gives itself, any
other outline an ellipse close in shape, without an iterative fit.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ellipe

from ..errors import InputError
from ..imaging.geometry import Geometry
from ..imaging.scan import LabelMap
from ..segmentation.decision import expected_dice
from ..segmentation.image_statistics import ImageStatistics
from ..segmentation.intensity_features import IntensityFeatures
from .flags import IMAGE_SENTENCES, Flag, ordered
from .quality import uncertain
from .quantities import Interval, Quantity

_CUT_SHARE = 0.01  # of the outline that lies at the edge of the image
_PIECE_SHARE = 0.02
_HOLE_SHARE = 0.005
_BLUR_PIXELS = 1.0


@dataclass(frozen=True)
class Ellipse:
    """An ellipse in a 2-D image.

    Attributes:
        centre_mm: along the image's two axes, from the centre of the first pixel.
        axes_mm: full lengths of the major and the minor axis.
        angle_degrees: of the major axis against the first image axis, in [0, 180).
    """

    centre_mm: tuple[float, float]
    axes_mm: tuple[float, float]
    angle_degrees: float

    @property
    def circumference_mm(self) -> float:
        """Length of the outline: 2 a E(1 - (b/a)^2) of the full axes, with the complete elliptic integral E."""
        major, minor = self.axes_mm
        return float(2 * major * ellipe(1 - (minor / major) ** 2))

    def outline(self, count: int) -> NDArray[np.float64]:
        """So many points (count, 2) of the outline, from an end of the major axis on; in mm, as the centre."""
        turn, angle = np.arange(count) * (2 * np.pi / count), np.radians(self.angle_degrees)
        along = self.axes_mm[0] / 2 * np.cos(turn)
        across = self.axes_mm[1] / 2 * np.sin(turn)
        x = self.centre_mm[0] + along * np.cos(angle) - across * np.sin(angle)
        y = self.centre_mm[1] + along * np.sin(angle) + across * np.cos(angle)
        return np.column_stack([x, y])


@dataclass(frozen=True)
class PlanarMeasurement:
    """Everything measured of one organ in one 2-D image; of an absent organ lengths and areas are 0.

    Attributes:
        case, organ: names.
        label: of the organ in the segmentation, from 1.
        pixel_count: pixels of the organ.
        area_mm2: the number to report: the sum of the organ's probabilities where they count, else the outline area.
        outline_area_mm2: of the counted pixels.
        from_probabilities: whether `area_mm2` is the sum of probabilities.
        perimeter_mm: length of the outline, those of holes included.
        ellipse: fitted to the largest piece of the organ, None of an absent one.
        flags: reasons for caution, in the order of `Flag`.
        area_interval_mm2, circumference_interval_mm: 90 % prediction intervals of the true values; None where the
            model was not calibrated.
        interval_method: one sentence on how those intervals were made; None where there are none.
    """

    case: str
    organ: str
    label: int
    pixel_count: int
    area_mm2: float
    outline_area_mm2: float
    from_probabilities: bool
    perimeter_mm: float
    ellipse: Ellipse | None
    flags: tuple[Flag, ...] = ()
    area_interval_mm2: tuple[float, float] | None = None
    circumference_interval_mm: tuple[float, float] | None = None
    interval_method: str | None = None
    sentences: ClassVar[Mapping[Flag, str]] = IMAGE_SENTENCES

    @property
    def axes(self) -> None:
        """Images have none in space that could differ from those of the training."""
        return None

    @property
    def drawn_slices(self) -> None:
        """Drawings correct volumes alone."""
        return None

    @property
    def circumference_mm(self) -> float:
        """Of the fitted ellipse, 0 of an absent organ."""
        return 0.0 if self.ellipse is None else self.ellipse.circumference_mm

    def with_intervals(self, intervals: Mapping[str, Interval | None], method: str) -> PlanarMeasurement:
        """The measurement with the prediction intervals of its headline quantities, by their names."""
        area, length = intervals["area"], intervals["circumference"]
        known = area is not None or length is not None
        return replace(
            self,
            area_interval_mm2=area,
            circumference_interval_mm=length,
            interval_method=method if known else None,
        )

    @property
    def is_lower_bound(self) -> bool:
        """Whether part of the organ lies outside the image, so that it is at least as large as measured."""
        return Flag.CUT_BY_EDGE in self.flags

    @property
    def is_found(self) -> bool:
        """Whether the segmentation holds the organ at all."""
        return self.pixel_count > 0

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """All that was measured, in the order of the columns of a table."""
        unknown: tuple[None, None] = (None, None)
        axes, centre = (unknown, unknown) if self.ellipse is None else (self.ellipse.axes_mm, self.ellipse.centre_mm)
        area, circumference = self.headline
        return (
            Quantity("pixel_count", "", self.pixel_count),
            area,
            Quantity("perimeter", "mm", self.perimeter_mm),
            Quantity("ellipse_major_axis", "mm", axes[0]),
            Quantity("ellipse_minor_axis", "mm", axes[1]),
            circumference,
            Quantity("ellipse_centre_i", "mm", centre[0]),
            Quantity("ellipse_centre_j", "mm", centre[1]),
            Quantity("ellipse_angle", "degrees", None if self.ellipse is None else self.ellipse.angle_degrees),
        )

    @property
    def headline(self) -> tuple[Quantity, ...]:
        """The area, and the circumference of the fitted ellipse."""
        area, length = self.area_interval_mm2, self.circumference_interval_mm
        return (
            Quantity("area", "mm2", self.area_mm2, area, self.outline_area_mm2, headline=True),
            Quantity("circumference", "mm", self.circumference_mm, length, headline=True),
        )


def measure_planar(
    case: str,
    labels: NDArray[np.integer],
    spacing: tuple[float, float],
    organs: Sequence[str],
    probabilities: NDArray[np.floating] | None = None,
    counted: Container[int] | None = None,
) -> list[PlanarMeasurement]:
    """Measure every organ of a segmented image.

    Args:
        case: name of the image.
        labels: (I, J) label 1 + n for the n-th organ.
        spacing: of the two axes in mm.
        organs: names of the organs.
        probabilities: (C, I, J) class probabilities, background first, if there are any.
        counted: labels of the organs whose probabilities count, by default all; of others the outline does.

    Raises:
        InputError: not 2-D, a spacing that is not positive, a label without a name, probabilities that do not fit.
    """
    if labels.ndim != 2:
        raise InputError(case, f"has {labels.ndim} dimensions", "give a 2-D segmentation")
    if not all(np.isfinite(step) and step > 0 for step in spacing):
        raise InputError(case, f"has the pixel spacing {spacing} mm", "give spacings above zero")
    if labels.max(initial=0) > len(organs):
        problem = f"holds the label {labels.max()} but there are {len(organs)} organs"
        raise InputError(case, problem, "name one organ for every label")
    if probabilities is not None and probabilities.shape != (len(organs) + 1, *labels.shape):
        problem = f"has probabilities of shape {probabilities.shape} for {len(organs)} organs on {labels.shape} pixels"
        raise InputError(case, problem, "give background and every organ on the segmentation's grid")
    rows = []
    for label, organ in enumerate(organs, start=1):
        mask = labels == label
        area = float(np.prod(spacing))
        outline_mm2 = np.count_nonzero(mask) * area
        weighted = None
        if probabilities is not None and (counted is None or label in counted):
            weighted = float(probabilities[label].sum(dtype=np.float64)) * area
        present = bool(mask.any())
        rows.append(
            PlanarMeasurement(
                case,
                organ,
                label,
                int(np.count_nonzero(mask)),
                outline_mm2 if weighted is None else weighted,
                outline_mm2,
                weighted is not None,
                perimeter_mm(mask, spacing) if present else 0.0,
                fitted_ellipse(_largest_piece(mask), spacing) if present else None,
                _flags(mask),
            )
        )
    return rows


def measure_labels(
    labels: LabelMap,
    organs: Sequence[str],
    probabilities: NDArray[np.floating] | None = None,
    *,
    statistics: ImageStatistics | None = None,
    features: IntensityFeatures | None = None,
    counted: Container[int] | None = None,
) -> list[PlanarMeasurement]:
    """Measure every organ of the labels of a 2-D image, with the flags that model and probabilities raise.

    Args:
        labels: (I, J, 1).
        organs, counted: see `measure_planar`.
        probabilities: (C, I, J, 1) class probabilities, background first, if there are any.
        statistics: of the images that the model learnt from, to see whether this one is like them.
        features: what the image looks like, if it is at hand.

    Raises:
        InputError: as `measure_planar` does.
    """
    across = None if probabilities is None else np.squeeze(probabilities, axis=-1)
    rows = measure_planar(labels.name, labels.voxels[..., 0], labels.geometry.spacing[:2], organs, across, counted)
    of_image = () if statistics is None else tuple(_image_flags(labels.geometry, statistics, features))
    return [
        replace(row, flags=ordered({*row.flags, *_model_flags(row, across, statistics), *of_image})) for row in rows
    ]


def _model_flags(
    row: PlanarMeasurement, probabilities: NDArray[np.floating] | None, statistics: ImageStatistics | None
) -> Iterator[Flag]:
    """Flags of one organ."""
    is_weighed = row.from_probabilities and row.is_found
    if probabilities is not None and is_weighed and uncertain(expected_dice(probabilities[row.label])):
        yield Flag.UNCERTAIN_BOUNDARY
    if statistics is not None and row.is_found and not statistics.usual_area(row.label - 1, row.outline_area_mm2):
        yield Flag.OUTSIDE_TRAINING_RANGE


def _image_flags(geometry: Geometry, statistics: ImageStatistics, features: IntensityFeatures | None) -> Iterator[Flag]:
    """Flags of all organs of an image."""
    if features is not None and not statistics.usual_intensities(features):
        yield Flag.UNUSUAL_INTENSITIES
    if not statistics.usual_pixels(geometry):
        yield Flag.UNUSUAL_SPACING


def fitted_ellipse(mask: NDArray[np.bool_], spacing: tuple[float, float]) -> Ellipse:
    """The ellipse of the area, the centre and the direction and ratio of axes of a mask (I, J), holes filled."""
    pixels = np.argwhere(ndimage.binary_fill_holes(mask)) * spacing
    centre = pixels.mean(axis=0)
    centred = pixels - centre
    covariance = centred.T @ centred / len(pixels) + np.diag(np.square(spacing)) / 12  # pixels are no points
    variances, directions = np.linalg.eigh(covariance)
    ratio = float(np.sqrt(variances[1] / variances[0]))
    area = len(pixels) * float(np.prod(spacing))
    minor = 2 * float(np.sqrt(area / (np.pi * ratio)))
    angle = float(np.degrees(np.arctan2(directions[1, 1], directions[0, 1]))) % 180
    return Ellipse((float(centre[0]), float(centre[1])), (minor * ratio, minor), angle)


def _largest_piece(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    pieces, _ = ndimage.label(mask, np.ones((3, 3)))
    return np.asarray(pieces == 1 + np.bincount(pieces.ravel())[1:].argmax())


def perimeter_mm(mask: NDArray[np.bool_], spacing: tuple[float, float]) -> float:
    """Length of the outline of a mask (I, J), holes included.

    It is the integral of the gradient's magnitude of the mask, slightly blurred: each outline contributes its
    length, however it runs through the pixels (coarea formula).
    """
    smooth = ndimage.gaussian_filter(np.pad(mask, 4).astype(np.float64), _BLUR_PIXELS)
    along_i, along_j = np.gradient(smooth, *spacing)
    return float(np.hypot(along_i, along_j).sum() * np.prod(spacing))


def _flags(mask: NDArray[np.bool_]) -> tuple[Flag, ...]:
    if not mask.any():
        return (Flag.EMPTY,)
    flags = set()
    outline = np.count_nonzero(mask & ~ndimage.binary_erosion(mask))
    edges = [mask[0], mask[-1], mask[:, 0], mask[:, -1]]
    if sum(int(np.count_nonzero(edge)) for edge in edges) > _CUT_SHARE * outline:
        flags.add(Flag.CUT_BY_EDGE)
    pixels = np.count_nonzero(mask)
    pieces, count = ndimage.label(mask, np.ones((3, 3)))
    if count > 1 and pixels - np.bincount(pieces.ravel())[1:].max() > _PIECE_SHARE * pixels:
        flags.add(Flag.SEVERAL_COMPONENTS)
    if np.count_nonzero(ndimage.binary_fill_holes(mask)) - pixels > _HOLE_SHARE * pixels:
        flags.add(Flag.HOLES)
    return ordered(flags)
