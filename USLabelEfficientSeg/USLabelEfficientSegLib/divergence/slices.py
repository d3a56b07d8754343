"""The networks as teachers of a 3-D student: they learn from the slices of volumes and predict slices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from ..anatomy.kept import OnDemand
from ..anatomy.training_volumes import TrainingVolume
from ..teacher.slices import in_slice_axes
from .images import TrainingImages, prepare_soft_images
from .prediction import predict_images


def training_slices(
    volumes: Sequence[TrainingVolume], axis: int, image_size: int, *, in_memory: bool = True
) -> TrainingImages:
    """Every slice of the volumes along `axis`; slices with labels carry their soft targets.

    Slices that are not to be in memory are taken from their volumes when they are asked for. Raises `ValueError` when
    no volume has labels.
    """
    places = [(volume, number) for volume in volumes for number in range(volume.shape[axis])]
    targets: list[tuple[Tensor, Tensor] | None] = []
    for volume in volumes:
        labels = volume.labels
        if labels is None:
            targets.extend([None] * volume.shape[axis])
            continue
        weighted, weight = labels.weighted.movedim(axis + 1, 0), labels.weight.movedim(axis, 0)
        both = zip(weighted, weight, strict=True)
        targets.extend((w.clone(), known.clone()) if known.any() else None for w, known in both)
    images = OnDemand(places, partial(_slice, axis))
    pixel_sizes = [pixel_size(volume, axis) for volume, _ in places]
    return prepare_soft_images(images, targets, pixel_sizes, image_size=image_size, in_memory=in_memory)


def _slice(axis: int, place: tuple[TrainingVolume, int]) -> Tensor:
    """A slice (h, w) of a volume along an axis, by its number."""
    volume, number = place
    return volume.grey.select(axis, number)


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
