"""The measurements of the organs of one case: volumes, shape, interval, flags.

Organs are cut out of the volume one by one, so that memory grows with the largest organ and not with the volume or the
number of organs.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import InputError
from ..imaging.file_formats.segmentation import fitted
from ..imaging.scan import LabelMap, Scan
from ..imaging.sector import sector_mask
from ..segmentation.decision import expected_dice
from ..segmentation.intensity_features import IntensityFeatures, intensity_features
from ..segmentation.training_statistics import TrainingStatistics
from .flags import Flag, ordered
from .organ import OrganMeasurement
from .quality import implausible_grid, sector_flags, uncertain, voxel_flags
from .shape import EMPTY_SHAPE, measure_shape
from .volumes import OrganVolume, organ_volumes

if TYPE_CHECKING:
    from ..segmentation.inference import VolumePrediction


def measure_case(
    label_map: LabelMap,
    organs: Sequence[str],
    probabilities: NDArray[np.floating] | None = None,
    *,
    image: Scan | None = None,
    statistics: TrainingStatistics | None = None,
    transform: NDArray[np.float64] | None = None,
    counted: Container[int] | None = None,
) -> list[OrganMeasurement]:
    """Measure every organ of a segmentation; an absent organ has 0 ml and the flag `EMPTY`.

    Args:
        label_map: a dense segmentation, label 1 + n for the n-th organ.
        organs: names of the organs.
        probabilities: (C, I, J, K) class probabilities, background first, if there are any.
        image: the segmented one, to see whether organs are cut by the edge of the ultrasound sector.
        statistics: of the volumes that the model learnt from, to see whether this one is like them.
        transform: (4, 4) linear transform in RAS mm that the case is seen through, as under one in 3D Slicer.
        counted: labels of the organs whose probabilities count, by default all; of others the outline does.

    Raises:
        InputError: a label without a name, unlabelled voxels, probabilities that do not fit, an image on another
            grid, a transform that is no linear one of 3-D space.

    Examples:
        >>> from USLabelEfficientSegLib.imaging.files import read_label_map
        >>> label_map = read_label_map("labels/simulated_0000.nrrd")
        >>> row = measure_case(label_map, ["solid", "fluid"])[0]
        >>> row.organ, bool(row.volume_ml == (label_map.voxels == 1).sum() * label_map.geometry.voxel_volume_ml)
        ('solid', True)
    """
    if image is not None:
        label_map = fitted(label_map, image.geometry)
        if not label_map.geometry.same_grid(image.geometry):
            problem = f"has another geometry than its image: it {label_map.geometry.difference(image.geometry)}"
            raise InputError(label_map.name, problem, "segment the image again or resample to its grid")
    rows = organ_volumes(label_map, organs, probabilities, counted)
    sector = None if image is None else sector_mask(image.voxels)
    expected = [
        expected_dice(probabilities[label]) if probabilities is not None and row.from_probabilities else None
        for label, row in enumerate(rows, start=1)
    ]
    measured = _measure(label_map, rows, expected, sector, statistics, transform)
    if image is None or statistics is None:
        return measured
    return _with_intensities(measured, statistics, intensity_features(image, statistics.max_voxels))


def measure_predicted_volume(
    prediction: VolumePrediction,
    label_map: LabelMap,
    organs: Sequence[str],
    statistics: TrainingStatistics | None,
    *,
    is_rough: bool,
) -> list[OrganMeasurement]:
    """Measure what a model has segmented, with the warnings that it is able to give.

    Args:
        prediction: of a volume.
        label_map: the prediction's label map.
        organs: names of the organs.
        statistics: of the volumes that the model learnt from.
        is_rough: whether the model asks for caution whatever it finds.
    """
    rows = [
        row.weighted(volume_ml)
        for row, volume_ml in zip(organ_volumes(label_map, organs), prediction.volumes_ml(), strict=True)
    ]
    expected = [expected_dice(organ) for organ in prediction.probability[1:]]
    measured = _measure(label_map, rows, expected, prediction.sector, statistics, None)
    if statistics is not None:
        measured = _with_intensities(measured, statistics, prediction.features)
    return [_flagged(row, {Flag.FEW_SLICES}) for row in measured] if is_rough else measured


def drawn_rows(rows: Sequence[OrganMeasurement], slices: int, *, is_rough: bool) -> list[OrganMeasurement]:
    """The measurements of a volume in which somebody had drawn before it was segmented.

    Args:
        rows: without intervals.
        slices: in which somebody had drawn.
        is_rough: whether there was nothing but the drawing, so that no model was corrected.
    """
    cautions: set[Flag] = set() if is_rough else {Flag.CORRECTED}
    return [_flagged(replace(row, drawn_slices=slices), cautions) for row in rows]


def _measure(
    label_map: LabelMap,
    rows: Sequence[OrganVolume],
    expected: Sequence[float | None],
    sector: NDArray[np.bool_] | None,
    statistics: TrainingStatistics | None,
    transform: NDArray[np.float64] | None,
) -> list[OrganMeasurement]:
    """Shape and flags of every organ beside its volumes, seen through a transform."""
    factor = 1.0 if transform is None else _volume_factor(label_map.name, transform)
    boxes = ndimage.find_objects(label_map.voxels, max_label=len(rows))
    axes = None if statistics is None else statistics.other_axes(label_map.geometry)
    grid_flags = _grid_flags(label_map, statistics) | ({Flag.OTHER_AXES} if axes else set())
    measured = []
    for label, (row, box, dice) in enumerate(zip(rows, boxes, expected, strict=True), start=1):
        flags = set(grid_flags)
        if box is None:
            shape = EMPTY_SHAPE
            flags.add(Flag.EMPTY)
        else:
            mask, corner = label_map.voxels[box] == label, np.array([part.start for part in box])
            shape = measure_shape(mask, corner, label_map.geometry, transform)
            flags.update(voxel_flags(mask, corner, label_map.geometry.shape))
            if sector is not None:
                flags.update(sector_flags(mask, corner, sector, label_map.geometry.shape))
            if dice is not None and uncertain(dice):
                flags.add(Flag.UNCERTAIN_BOUNDARY)
            if statistics is not None and not statistics.usual_volume(label - 1, row.volume_ml):
                flags.add(Flag.OUTSIDE_TRAINING_RANGE)
        measurement = OrganMeasurement(
            case=row.case,
            organ=row.organ,
            label=label,
            voxel_count=row.voxel_count,
            volume_ml=row.volume_ml * factor,
            outline_volume_ml=row.outline_volume_ml * factor,
            from_probabilities=row.from_probabilities,
            surface_volume_ml=shape.surface_volume_ml,
            surface_area_mm2=shape.surface_area_mm2,
            axes_mm=shape.axes_mm,
            extents_ras_mm=shape.extents_ras_mm,
            max_diameter_mm=shape.max_diameter_mm,
            centroid_ras_mm=shape.centroid_ras_mm,
            ellipsoid_volume_ml=shape.ellipsoid_volume_ml,
        )
        measured.append(_flagged(replace(measurement, axes=axes), flags))
    return measured


def _grid_flags(label_map: LabelMap, statistics: TrainingStatistics | None) -> set[Flag]:
    unlike = statistics is not None and not statistics.usual_grid(label_map.geometry)
    return {Flag.UNUSUAL_SPACING} if unlike or implausible_grid(label_map.geometry) else set()


def _with_intensities(
    rows: list[OrganMeasurement], statistics: TrainingStatistics, features: IntensityFeatures
) -> list[OrganMeasurement]:
    usual = statistics.usual_intensities(features)
    return rows if usual else [_flagged(row, {Flag.UNUSUAL_INTENSITIES}) for row in rows]


def _flagged(row: OrganMeasurement, flags: set[Flag]) -> OrganMeasurement:
    """The row with further flags, in the order of `Flag`."""
    return replace(row, flags=ordered({*flags, *row.flags}))


def _volume_factor(name: str, transform: NDArray[np.float64]) -> float:
    """By how much a linear transform (4, 4) enlarges volumes."""
    linear = transform.shape == (4, 4) and np.isfinite(transform).all() and np.allclose(transform[3], (0, 0, 0, 1))
    factor = abs(float(np.linalg.det(transform[:3, :3]))) if linear else 0.0
    if factor == 0:
        raise InputError(name, "is under a transform that is not linear", "harden the transform or remove it")
    return factor
