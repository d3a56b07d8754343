"""The networks as teachers of a 3-D student: they learn from the slices of volumes and predict slices."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ..anatomy.training_volumes import TrainingVolume
from ..teacher.slices import in_slice_axes
from .images import TrainingImages, prepare_soft_images
from .prediction import predict_images


def training_slices(volumes: Sequence[TrainingVolume], axis: int, image_size: int) -> TrainingImages:
    """Every slice of the volumes along `axis`; slices with labels carry their soft targets.

    Raises `ValueError` when no volume has labels.
    """
    images: list[Tensor] = []
    targets: list[tuple[Tensor, Tensor] | None] = []
    pixel_sizes: list[tuple[float, float]] = []
    for volume in volumes:
        slices = volume.grey.movedim(axis, 0)
        images.extend(slices)
        pixel_sizes.extend([pixel_size(volume, axis)] * len(slices))
        labels = volume.labels
        if labels is None:
            targets.extend([None] * len(slices))
            continue
        weighted, weight = labels.weighted.movedim(axis + 1, 0), labels.weight.movedim(axis, 0)
        targets.extend((w, known) if known.any() else None for w, known in zip(weighted, weight, strict=True))
    return prepare_soft_images(images, targets, pixel_sizes, image_size=image_size)


class SliceNetwork:
    """A trained network as the `SlicePredictor` of one volume's slices."""

    def __init__(self, network: nn.Module, pixel_size: tuple[float, float], image_size: int) -> None:
        self.network = network
        self.pixel_size = pixel_size
        self.image_size = image_size

    def __call__(self, slices: Tensor, numbers: Tensor) -> Tensor:
        """Class probabilities (B, C, H, W) of slices (B, 1, H, W); their numbers in the volume do not matter."""
        return predict_images(self.network, slices[:, 0], self.pixel_size, self.image_size)


def pixel_size(volume: TrainingVolume, axis: int) -> tuple[float, float]:
    """Spacing in mm of rows and columns of a volume's slices."""
    rows, columns = in_slice_axes(axis)
    return volume.spacing[rows], volume.spacing[columns]
