"""The slices of a training step: in random poses, with disturbed intensities."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..divergence.augmentation import PoseRange, move, random_poses
from ..divergence.images import TrainingImages
from ..student.augmentation import random_intensity
from ..study.setting_sections import SliceNetworkSettings
from .fine_volume import NEUTRAL
from .prediction import network_grey
from .presence import spread_slices
from .slices import AxisSlices


@dataclass(frozen=True)
class Labelled:
    """Labelled slices in random poses, as the network reads them.

    Attributes:
        images: (L, 1, H, W), disturbed.
        target: (L, C, H, W) class probabilities times weight.
        weight: (L, H, W).
    """

    images: Tensor
    target: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Batch:
    """Slices in random poses, as the network reads them.

    Attributes:
        labelled: what a pose shows beyond a slice is background.
        others: (U, 1, H, W) unlabelled slices as they are.
        grids: (U, H, W, 2) their poses.
        disturbed: (U, 1, H, W) the same slices in their poses, disturbed.
        crossed: slices of which only the lines are labelled in which those of other axes cross them.
    """

    labelled: Labelled
    others: Tensor
    grids: Tensor
    disturbed: Tensor
    crossed: Labelled | None


def draw_batch(
    slices: AxisSlices,
    settings: SliceNetworkSettings,
    flips: tuple[bool, bool],
    with_others: bool,
    generator: torch.Generator,
) -> Batch:
    """Random labelled slices, with replacement, and unlabelled ones spread over a volume."""
    images, poses = slices.images, _Poses(settings, flips)
    moved = _labelled_in_poses(images, settings.batch_size, poses, generator)
    beyond = 1 - moved[:, -1]
    count = settings.batch_size if with_others else 0
    others = spread_slices(slices, count, generator)
    shown = images.grey[others].float() / 255
    other_grids = poses.draw(shown, generator) if count else torch.zeros(0, *shown.shape[2:], 2)
    return Batch(
        labelled=Labelled(
            images=_disturbed(moved[:, :1] + NEUTRAL * beyond[:, None], generator),
            target=torch.cat([moved[:, 1:2] + beyond[:, None], moved[:, 2:-2]], dim=1),
            weight=moved[:, -2] + beyond,
        ),
        others=network_grey(shown),
        grids=other_grids,
        disturbed=_disturbed(_posed(shown, other_grids), generator),
        crossed=None if slices.crossed is None else _lines(slices.crossed.images, poses, generator),
    )


@dataclass(frozen=True)
class _Poses:
    """Random poses, and mirror images along rows and columns where `flips` has them plausible."""

    settings: SliceNetworkSettings
    flips: tuple[bool, bool]

    def draw(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Sampling grids (B, H, W, 2) of images (B, 1, H, W)."""
        of, count = self.settings, len(images)
        ranges = PoseRange(of.rotation_degrees, of.scale, of.stretch, of.shift, of.deformation, False)
        grids = random_poses(count, (images.shape[2], images.shape[3]), ranges, generator)
        # A grid holds (x, y): columns first.
        signs = 1 - 2 * ((torch.rand(count, 2, generator=generator) < 0.5) & torch.tensor(self.flips)[None]).float()
        return grids * signs.flip(1)[:, None, None, :]


def _lines(images: TrainingImages, poses: _Poses, generator: torch.Generator) -> Labelled:
    """Random slices of which lines are labelled."""
    moved = _labelled_in_poses(images, max(1, poses.settings.batch_size // 2), poses, generator)
    seen = _disturbed(moved[:, :1] + NEUTRAL * (1 - moved[:, -1:]), generator)
    return Labelled(seen, moved[:, 1:-2], moved[:, -2])


def _labelled_in_poses(images: TrainingImages, count: int, poses: _Poses, generator: torch.Generator) -> Tensor:
    """Random labelled images (count, 1 + C + 2, H, W): grey, target times weight, weight, and where there is image."""
    rows = torch.randint(len(images.labelled), (count,), generator=generator)
    grey = images.grey[images.labelled[rows]].float() / 255
    known = images.weight[rows][:, None]
    seen = torch.cat([grey, images.target[rows] * known, known, torch.ones_like(grey)], dim=1)
    return move(seen, poses.draw(grey, generator))


def _posed(images: Tensor, grids: Tensor) -> Tensor:
    """Slices in their poses, neutral beyond."""
    return move(images - NEUTRAL, grids) + NEUTRAL


def _disturbed(images: Tensor, generator: torch.Generator) -> Tensor:
    """What the network reads of slices with other gain, offset, time-gain error and noise."""
    seen = [random_intensity(image[None, ..., None], generator)[..., 0] for image in network_grey(images)]
    return torch.cat(seen) if seen else images
