"""The protocols of every model of scans and its predictions: volumes and 2-D images, trained or prompted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ..calibration.intervals import Calibration
from ..imaging.dimension import Dimension
from ..imaging.geometry import Geometry
from ..imaging.scan import LabelMap, Scan
from .image_statistics import ImageStatistics
from .training_statistics import TrainingStatistics


class Prediction(Protocol):
    """A model's prediction of a scan."""

    @property
    def probability(self) -> NDArray[np.float32]:
        """(C, i, j, k) on the grid on which the model computed it, background first; sums to 1."""

    @property
    def geometry(self) -> Geometry:
        """The scan's own grid."""

    @property
    def name(self) -> str:
        """The scan's name."""

    def slabs(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Places of consecutive slabs along k, and their probabilities (C, I, J, n), on the scan's own grid."""

    def labels(self) -> LabelMap:
        """The label map that maximises the expected Dice of each organ, see `decision`."""

    def uncertainty(self) -> NDArray[np.float32]:
        """(I, J, K) on the scan's own grid, see `decision.uncertainty_of`."""


class Model(Protocol):
    """Segments scans. Its calibration and statistics are None if they are unknown."""

    @property
    def dimension(self) -> Dimension:
        """3: it segments volumes; 2: images."""

    @property
    def organs(self) -> tuple[str, ...]:
        """Names, in the order of the label values 1, 2, ..."""

    @property
    def calibration(self) -> Calibration | None:
        """Of prediction intervals."""

    @property
    def statistics(self) -> TrainingStatistics | ImageStatistics | None:
        """Of the scans that it has learnt from."""

    @property
    def is_rough(self) -> bool:
        """Whether all of its measurements need a caution."""

    def predict(self, scan: Scan, device: torch.device) -> Prediction:
        """Class probabilities of a scan. Raises `InputError` when it cannot be segmented."""

    def digest(self) -> str:
        """A checksum, in hexadecimal, of all that decides how it segments."""
