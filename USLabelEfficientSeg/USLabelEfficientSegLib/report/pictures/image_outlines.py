"""Pictures of segmented 2-D images: the outlines of the organs, their fitted ellipses, and references."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...imaging.organ_colours import organ_colour
from ...imaging.scan import LabelMap, Scan
from ...measurement.planar import Ellipse, PlanarMeasurement
from ...measurement.quantities import Measurement
from ..blocks import SliceRow
from ..content import ReportCase
from .slice_picture import REFERENCE_COLOUR, Outline, SlicePicture, heat_png, jpeg, outlines_of

ELLIPSE_COLOUR = "#7FE9FF"


def image_rows(case: ReportCase) -> list[SliceRow]:
    """The image with its outlines and, where it is known, with its uncertainty."""
    outlines = "segmentation, ellipse and reference" if case.reference is not None else "segmentation and ellipse"
    description = f"{case.label} with the outlines of {outlines}."
    pictures = [image_overlay(case.scan, case.label_map, case.rows, case.reference, description)]
    if case.uncertainty is not None:
        told = f"{case.label} with the uncertainty of the model in colours."
        pictures.append(uncertainty_overlay(case.scan, case.uncertainty, told))
    found = any(row.is_found for row in case.rows)
    return [SliceRow("Segmentation" if found else "No organ found", pictures)]


def image_overlay(
    image: Scan,
    labels: LabelMap,
    rows: Sequence[Measurement],
    reference: LabelMap | None,
    description: str,
) -> SlicePicture:
    """An image with outlines of organs in their colours, thin ones of ellipses, and dashed white ones of references."""
    pixels = image.voxels[..., 0].T
    low, high = np.percentile(pixels.astype(np.float32), (0.5, 99.5))
    spacing = image.geometry.spacing[:2]
    lines = [
        Outline(_points(row.ellipse) / spacing + 0.5, ELLIPSE_COLOUR, thin=True)
        for row in rows
        if isinstance(row, PlanarMeasurement) and row.ellipse is not None
    ]
    lines += outlines_of(labels.voxels[..., 0].T, {label: organ_colour(label) for label in range(1, 255)})
    if reference is not None:
        of_reference = dict.fromkeys(range(1, 255), REFERENCE_COLOUR)
        lines += outlines_of(reference.voxels[..., 0].T, of_reference, dashed=True)
    return SlicePicture(jpeg(pixels, (float(low), float(high))), *_size(image), tuple(lines), "Outlines", description)


def uncertainty_overlay(image: Scan, uncertainty: NDArray[np.floating], description: str) -> SlicePicture:
    """An image with the uncertainty (I, J, 1) of its segmentation in colours."""
    pixels = image.voxels[..., 0].T
    low, high = np.percentile(pixels.astype(np.float32), (0.5, 99.5))
    heat = heat_png(uncertainty[..., 0].T)
    return SlicePicture(
        jpeg(pixels, (float(low), float(high))), *_size(image), (), "Uncertainty", description, heat=heat
    )


def _size(image: Scan) -> tuple[tuple[int, int], tuple[float, float]]:
    (i, j), (along_i, along_j) = image.geometry.shape[:2], image.geometry.spacing[:2]
    return (i, j), (i * along_i, j * along_j)


def _points(ellipse: Ellipse) -> NDArray[np.float64]:
    """A closed line (N, 2) around an ellipse in mm along the image's axes, from the centre of the first pixel."""
    points = ellipse.outline(90)
    return np.concatenate([points, points[:1]])
