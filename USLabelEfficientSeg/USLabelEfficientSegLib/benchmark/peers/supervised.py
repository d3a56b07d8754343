"""Rivals that learn from labels alone: in 3-D, and in 2-D slice by slice."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...student.augmentation import PoseRange, random_intensity
from ...training.cross_entropy import soft_cross_entropy
from ...training.random_draws import either_way, smooth_noise
from .networks import SliceUNet
from .training import Peer, Task

_SLICES = 8  # in a step


class LabelsOnly(Peer):
    """A 3-D U-Net with position channels, cross-entropy on labelled voxels.

    With sparse labels that is Çiçek et al., "3D U-Net: learning dense volumetric segmentation from sparse
    annotation", MICCAI 2016, arXiv 1606.06650 (simplified: a smaller, residual network); with dense labels of all
    volumes it is full supervision, the ceiling.
    """

    def loss(self, progress: float, generator: torch.Generator) -> Tensor:
        """Cross-entropy of one labelled volume."""
        return self.supervised(self.network, self.task.draw(self.task.labelled, generator))[0]


class SliceLabelsOnly(Peer):
    """A 2-D U-Net on the labelled slices, Ronneberger et al., MICCAI 2015, arXiv 1505.04597.

    Simplified: a smaller, residual network, which is also told where in the volume each pixel lies.
    """

    sees_slices = True

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.inputs, self.weighted, self.weight = labelled_slices(task)

    def build(self) -> nn.Module:
        """A U-Net on slices along the slice axis."""
        return SliceUNet(self.task.classes, self.task.slice_axis)

    def loss(self, progress: float, generator: torch.Generator) -> Tensor:
        """Cross-entropy of eight random labelled slices, each in a pose and with intensities of its own."""
        network = self.network
        assert isinstance(network, SliceUNet)
        rows = torch.randint(len(self.inputs), (_SLICES,), generator=generator).tolist()
        moved = [self._moved(row, generator) for row in rows]
        inputs, weighted, weight = (torch.cat(parts).to(self.task.device) for parts in zip(*moved, strict=True))
        with self.precision():
            logits = network.of_slices(inputs)
        return soft_cross_entropy(logits.float(), weighted, weight)

    def _moved(self, row: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs (1, 5, H, W), weighted targets (1, C, H, W) and weights (1, H, W) in a random pose."""
        inputs, weighted, weight = self.inputs[row], self.weighted[row], self.weight[row]
        grid = slice_grid(inputs.shape[1:], self.task.pose, generator)
        image, position = inputs[None, :-3], inputs[None, -3:]
        image = F.grid_sample(image, grid, align_corners=False)
        image = random_intensity(image[..., None], generator)[..., 0]
        both = F.grid_sample(torch.cat([weighted, weight[None]])[None], grid, align_corners=False)
        return torch.cat([image, position], dim=1), both[:, :-1], both[:, -1]


def labelled_slices(task: Task) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Inputs (5, H, W), weighted targets (C, H, W) and weights (H, W) of slices that are at least half labelled."""
    slices: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])
    axis = task.slice_axis
    for volume in task.labelled:
        assert volume.labels is not None
        share = volume.labels.weight.movedim(axis, 0).flatten(1).mean(dim=1)
        for index in torch.nonzero(share >= 0.5 * share.max()).flatten().tolist():
            slices[0].append(volume.inputs.select(axis + 1, index))
            slices[1].append(volume.labels.weighted.select(axis + 1, index))
            slices[2].append(volume.labels.weight.select(axis, index))
    return slices


def slice_grid(shape: torch.Size, pose: PoseRange, generator: torch.Generator) -> Tensor:
    """A sampling grid (1, H, W, 2): rotation, scaling, shift and a smooth deformation within the ranges of `pose`."""
    height, width = shape
    angle, scale = either_way(generator, 1, pose.rotation), torch.exp(either_way(generator, 1, pose.scale))
    cos, sin = scale * angle.cos(), scale * angle.sin()
    theta = torch.stack([cos, -sin * height / width, sin * width / height, cos]).reshape(2, 2)
    grid = F.affine_grid(
        torch.cat([theta, either_way(generator, 2, pose.shift)[:, None]], dim=1)[None], [1, 1, height, width], False
    )
    return grid + smooth_noise((1, 2, 5, 5), shape, pose.deformation, generator, "bilinear").movedim(1, -1)
