"""A prediction in whose volume somebody has drawn: it holds what was drawn, to the voxel of the volume's own grid."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..annotation.sparse_labels import UNLABELLED
from ..imaging.scan import LabelMap
from ..segmentation.inference import VolumePrediction
from .drawing import drawn_slices, how_much, whole_slices
from .drawn_intervals import Rules, bounds
from .next_slice import Slice, least_certain, next_slice


@dataclass(frozen=True, kw_only=True)
class DrawnPrediction(VolumePrediction):
    """Probabilities on a working grid, and the drawing that overrules them.

    Attributes:
        drawn: (I, J, K) labels on the volume's own grid, 255 where nothing was drawn.
        rules: of the intervals of what was filled in.
    """

    drawn: NDArray[np.uint8]
    rules: Rules

    @property
    def slices(self) -> int:
        """In how many slices somebody has drawn."""
        return drawn_slices(self.drawn)

    def intervals_ml(self) -> list[tuple[float, float]]:
        """90 % prediction interval of each organ's volume in millilitres, see `drawn_intervals`."""
        voxel_ml = self.geometry.voxel_volume_ml * np.prod(self.geometry.shape) / self.probability[0].size
        told = how_much(self.drawn, len(self.probability) - 1).told
        pairs = (bounds(of_one, its, self.rules) for of_one, its in zip(self.probability[1:], told, strict=True))
        return [(float(low * voxel_ml), float(high * voxel_ml)) for low, high in pairs]

    def next_slice(self, labels: LabelMap) -> Slice | None:
        """Axis and index of the slice to draw next: of the organ whose volume is least certain, see `next_slice`.

        Args:
            labels: the prediction's labels.
        """
        organ = labels.voxels == 1 + least_certain(self.intervals_ml())
        return next_slice(organ, whole_slices(self.drawn), self.geometry.spacing)

    def drawing_digest(self) -> str:
        """A checksum, in hexadecimal, of what was drawn and where."""
        return hashlib.sha256(f"{self.drawn.shape}".encode() + np.ascontiguousarray(self.drawn).tobytes()).hexdigest()

    def slabs(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """As of every prediction, with probabilities 0 and 1 where something was drawn."""
        for where, slab in super().slabs():
            yield where, _overruled(slab, self.drawn[:, :, where])

    def slice_labels(self, axis: int, index: int) -> NDArray[np.uint8]:
        """As of every prediction, with what was drawn."""
        drawn = self.drawn.take(index, axis=axis)
        return np.where(drawn == UNLABELLED, super().slice_labels(axis, index), drawn)

    def uncertainty(self) -> NDArray[np.float32]:
        """As of every prediction, 0 where something was drawn."""
        return np.where(self.drawn == UNLABELLED, super().uncertainty(), np.float32(0))


def _overruled(probability: NDArray[np.float32], drawn: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities (C, ...) with certainty where labels (...) were drawn."""
    told = drawn != UNLABELLED
    for label, of_class in enumerate(probability):
        of_class[told] = drawn[told] == label
    return probability
