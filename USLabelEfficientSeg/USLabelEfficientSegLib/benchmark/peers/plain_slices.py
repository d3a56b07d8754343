"""A plain 2-D U-Net on the labelled slices as they are: in their own resolution, knowing nothing of the volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...student.augmentation import random_intensity
from ...student.training import AVERAGE_DECAY
from ...training.cross_entropy import soft_cross_entropy
from ...training.moving_average import average_state, mean_first
from .networks import PlainUNet
from .supervised import slice_grid
from .training import Peer, Task

_SLICES = 4  # in a step
_AT_ONCE = 16  # slices in memory when a volume is segmented


@dataclass(frozen=True)
class LabelledSlice:
    """A labelled slice of a volume.

    Attributes:
        axis: array axis across it.
        image: (1, H, W) intensities, normalised over the volume.
        weighted: (C, H, W) weighted targets.
        weight: (H, W).
    """

    axis: int
    image: Tensor
    weighted: Tensor
    weight: Tensor


class PlainSlices(Peer):
    """A 2-D U-Net on the labelled slices at their own resolution, Ronneberger et al., MICCAI 2015, arXiv 1505.04597.

    Simplified: a narrower network with batch normalisation, which sees one normalised image and no position. Each step
    takes four slices of one size, turned, scaled, shifted, mirrored, deformed, with other gain and noise. Slices of
    every axis that was labelled are learnt from and segmented; several axes vote.
    """

    sees_slices = True

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.slices = whole_slices(task)

    def build(self) -> nn.Module:
        """A U-Net on slices of any axis."""
        return PlainUNet(self.task.classes)

    def update_average(self, step: int) -> None:
        """Also of the statistics that batch normalisation keeps."""
        average_state(self.average, self.network, mean_first(step, AVERAGE_DECAY))

    def loss(self, progress: float, generator: torch.Generator) -> Tensor:
        """Cross-entropy of four random labelled slices, each in a pose and with intensities of its own."""
        images, weighted, weight = (part.to(self.task.device) for part in self.batch(generator))
        with self.precision():
            logits = self.network(images)
        return soft_cross_entropy(logits.float(), weighted, weight)

    def batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Images (4, 1, H, W), weighted targets (4, C, H, W) and weights (4, H, W) of slices of one axis and size."""

        def draw(slices: Sequence[LabelledSlice]) -> LabelledSlice:
            return slices[int(torch.randint(len(slices), (1,), generator=generator))]

        first = draw(self.slices)
        alike = [one for one in self.slices if (one.axis, one.image.shape) == (first.axis, first.image.shape)]
        moved = [self._moved(one, generator) for one in (first, *(draw(alike) for _ in range(_SLICES - 1)))]
        images, weighted, weight = (torch.cat(parts) for parts in zip(*moved, strict=True))
        return images, weighted, weight

    def _moved(self, one: LabelledSlice, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """A slice in a random pose."""
        grid = slice_grid(one.weight.shape, self.task.pose, generator)
        in_plane = [axis for axis in range(3) if axis != one.axis]
        for place, axis in enumerate(in_plane):
            if axis in self.task.mirrored_axes and torch.rand(1, generator=generator) < 0.5:
                grid = grid.flip(1 + place)
        image = F.grid_sample(one.image[None], grid, align_corners=False)
        image = random_intensity(image[..., None], generator)[..., 0]
        both = F.grid_sample(torch.cat([one.weighted, one.weight[None]])[None], grid, align_corners=False)
        return image, both[:, :-1], both[:, -1]

    def predictors(self) -> tuple[nn.Module, ...]:
        """The average on the slices of each axis that it has learnt."""
        return tuple(SlicesAlong(self.average, axis) for axis in sorted({one.axis for one in self.slices}))


class SlicesAlong(nn.Module):
    """A network on images (N, 1, H, W) behind the interface of networks on volumes: it reads slices along `axis`."""

    def __init__(self, network: nn.Module, axis: int) -> None:
        super().__init__()
        self.network = network
        self.axis = axis

    def forward(self, volume: Tensor) -> Tensor:
        """Logits (1, C, I, J, K) of a volume (1, 5, I, J, K), from its first channel."""
        slices = volume[0, :1].movedim(self.axis + 1, 0)
        logits = torch.cat([self.network(part) for part in slices.split(_AT_ONCE)])
        return logits.movedim(0, self.axis + 1)[None]


def whole_slices(task: Task) -> list[LabelledSlice]:
    """The slices of the task's volumes that are labelled, along the slice axis alone where a volume is dense."""
    found = []
    for volume in task.volumes:  # one at a time: they are large
        if volume.labels is None:
            continue
        dense = bool(volume.labels.labelled_along(task.slice_axis).all())
        for axis in (task.slice_axis,) if dense else range(3):
            for index in torch.nonzero(volume.labels.labelled_along(axis)).flatten().tolist():
                image = volume.image[:1].select(axis + 1, index).float()
                weighted = volume.labels.weighted.select(axis + 1, index)
                found.append(LabelledSlice(axis, image, weighted, volume.labels.weight.select(axis, index)))
    return found
