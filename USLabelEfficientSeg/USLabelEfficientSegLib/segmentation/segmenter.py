"""What segments volumes: a trained model, or what fills in the organs that somebody has begun to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from ..calibration.volumes import VolumeCalibration
from ..imaging.scan import Scan
from .training_statistics import TrainingStatistics

if TYPE_CHECKING:
    from .inference import CoarsePrediction


class Segmenter(Protocol):
    """Segments volumes, and knows how far its volumes can be trusted and what it has learnt from, or None."""

    @property
    def organs(self) -> tuple[str, ...]:
        """Names, in the order of the label values 1, 2, ..."""

    @property
    def calibration(self) -> VolumeCalibration | None:
        """Of the volumes' prediction intervals."""

    @property
    def statistics(self) -> TrainingStatistics | None:
        """Of the volumes that it has learnt from."""

    @property
    def is_rough(self) -> bool:
        """Whether its volumes are to be taken with caution, all of them."""

    def predict(self, volume: Scan, device: torch.device) -> CoarsePrediction:
        """Class probabilities of a volume. Raises `InputError` when it cannot be segmented."""

    def digest(self) -> str:
        """A checksum, in hexadecimal, of all that decides how it segments."""
