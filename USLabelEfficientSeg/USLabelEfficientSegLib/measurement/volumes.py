"""Organ volumes in millilitres, from the voxels of a segmentation and, if there are any, from probabilities.

A mask counts every voxel as all or nothing; the sum of probabilities also counts the part of an organ that
uncertain boundary voxels are likely to hold, and is the less biased measure when the probabilities are
calibrated (Bertels et al., "Theoretical analysis and experimental validation of volume bias of soft Dice
optimized segmentation maps in the context of inherent uncertainty", Medical Image Analysis 2021).
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..annotation.sparse_labels import UNLABELLED
from ..errors import InputError
from ..imaging.scan import LabelMap
from .quantities import Interval, Quantity


@dataclass(frozen=True)
class OrganVolume:
    """Volume of one organ in one case.

    Attributes:
        case, organ: names.
        voxel_count: voxels of the organ.
        volume_ml: the number to report: the sum of the organ's probabilities where they count, else the outline volume.
        outline_volume_ml: the counted voxels.
        from_probabilities: whether `volume_ml` is the sum of probabilities.
        interval_ml: 90 % prediction interval of the true volume; None where there is none.
    """

    case: str
    organ: str
    voxel_count: int
    volume_ml: float
    outline_volume_ml: float
    from_probabilities: bool = False
    interval_ml: Interval | None = None

    @property
    def headline(self) -> tuple[Quantity, ...]:
        """The volume."""
        return (Quantity("volume", "ml", self.volume_ml, self.interval_ml, self.outline_volume_ml, headline=True),)

    def weighted(self, volume_ml: float) -> Self:
        """With the sum of the organ's probabilities as its volume."""
        return replace(self, volume_ml=volume_ml, from_probabilities=True)


def organ_volumes(
    label_map: LabelMap,
    organs: Sequence[str],
    probabilities: NDArray[np.floating] | None = None,
    counted: Container[int] | None = None,
) -> list[OrganVolume]:
    """Volume of every organ; 0 ml for an organ that the segmentation does not hold.

    Args:
        label_map: a dense segmentation, label 1 + n for the n-th organ.
        organs: names of the organs.
        probabilities: (C, I, J, K) class probabilities, background first, C = organs + 1.
        counted: labels of the organs whose probabilities count, by default all.

    Raises:
        InputError: a label without an organ's name, unlabelled voxels, or probabilities that do not fit.
    """
    counts = label_counts(label_map)
    if counts[len(organs) + 1 :].any():
        raise InputError(
            label_map.name,
            f"holds the label {np.flatnonzero(counts)[-1]} but there are {len(organs)} organs",
            "name one organ for every label",
        )
    voxel_volume_ml = label_map.geometry.voxel_volume_ml
    outlines_ml = [float(count) * voxel_volume_ml for count in counts[1 : len(organs) + 1]]
    rows = [
        OrganVolume(label_map.name, organ, int(count), outline_ml, outline_ml)
        for organ, count, outline_ml in zip(organs, counts[1:], outlines_ml, strict=False)
    ]
    if probabilities is None:
        return rows
    if probabilities.shape != (len(organs) + 1, *label_map.geometry.shape):
        raise InputError(
            label_map.name,
            f"has probabilities of shape {probabilities.shape} for {len(organs)} organs "
            f"on a grid of {label_map.geometry.shape}",
            "give background and every organ on the segmentation's grid",
        )
    sums_ml = probability_volumes_ml(probabilities, voxel_volume_ml)
    return [
        row.weighted(sum_ml) if counted is None or label in counted else row
        for label, (row, sum_ml) in enumerate(zip(rows, sums_ml, strict=True), start=1)
    ]


def label_counts(label_map: LabelMap) -> NDArray[np.int64]:
    """Number of voxels (256,) of every label of a dense label map.

    Raises:
        InputError: the label map holds unlabelled voxels, so that its volumes are unknown.
    """
    counts = np.zeros(256, dtype=np.int64)
    for slab in _slabs(label_map.voxels):
        counts += np.bincount(slab.ravel(order="K"), minlength=256)
    if counts[UNLABELLED]:
        raise InputError(
            label_map.name,
            f"holds {counts[UNLABELLED]} unlabelled voxels",
            "give a label map with every slice labelled",
        )
    return counts


def probability_volumes_ml(probabilities: NDArray[np.floating], voxel_volume_ml: float) -> list[float]:
    """Probability-weighted volume in ml of every organ: the sum of its probabilities (C, I, J, K)."""
    return [
        sum(float(slab.sum(dtype=np.float64)) for slab in _slabs(organ)) * voxel_volume_ml
        for organ in probabilities[1:]
    ]


def _slabs(voxels: NDArray[np.generic]) -> list[NDArray[np.generic]]:
    """Views of about a million voxels along the axis that varies slowest in memory: copies stay small."""
    axis = int(np.argmax(voxels.strides))
    thickness = max(1, voxels.shape[axis] * 2**20 // voxels.size)
    return np.array_split(voxels, range(thickness, voxels.shape[axis], thickness), axis=axis)
