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
    moved = _in_poses(slices.images, settings.batch_size, settings, flips, generator)
    beyond = 1 - moved[:, -1]
    images = slices.images
    count = settings.batch_size if with_others else 0
    others = spread_slices(slices, count, generator)
    shown = images.grey[others].float() / 255
    other_grids = _poses(images, count, settings, flips, generator) if count else torch.zeros(0, *shown.shape[2:], 2)
    return Batch(
        labelled=Labelled(
            images=_disturbed(moved[:, :1] + NEUTRAL * beyond[:, None], generator),
            target=torch.cat([moved[:, 1:2] + beyond[:, None], moved[:, 2:-2]], dim=1),
            weight=moved[:, -2] + beyond,
        ),
        others=network_grey(shown),
        grids=other_grids,
        disturbed=_disturbed(_posed(shown, other_grids), generator),
        crossed=None if slices.crossed is None else _lines(slices.crossed.images, settings, flips, generator),
    )


def _lines(
    images: TrainingImages, settings: SliceNetworkSettings, flips: tuple[bool, bool], generator: torch.Generator
) -> Labelled:
    """Random slices of which lines are labelled."""
    moved = _in_poses(images, max(1, settings.batch_size // 2), settings, flips, generator)
    seen = _disturbed(moved[:, :1] + NEUTRAL * (1 - moved[:, -1:]), generator)
    return Labelled(seen, moved[:, 1:-2], moved[:, -2])


def _in_poses(
    images: TrainingImages,
    count: int,
    settings: SliceNetworkSettings,
    flips: tuple[bool, bool],
    generator: torch.Generator,
) -> Tensor:
    """Random labelled images in random poses (count, 1 + C + 2, H, W): grey, target times weight, weight, image."""
    rows = torch.randint(len(images.labelled), (count,), generator=generator)
    grids = _poses(images, count, settings, flips, generator)
    grey = images.grey[images.labelled[rows]].float() / 255
    known = images.weight[rows][:, None]
    return move(torch.cat([grey, images.target[rows] * known, known, torch.ones_like(grey)], dim=1), grids)


def _poses(
    images: TrainingImages,
    count: int,
    settings: SliceNetworkSettings,
    flips: tuple[bool, bool],
    generator: torch.Generator,
) -> Tensor:
    """Sampling grids (count, H, W, 2)."""
    height, width = images.grey.shape[2:]
    ranges = PoseRange(
        settings.rotation_degrees, settings.scale, settings.stretch, settings.shift, settings.deformation, False
    )
    grids = random_poses(count, (height, width), ranges, generator)
    # A grid holds (x, y): columns first.
    signs = 1 - 2 * ((torch.rand(count, 2, generator=generator) < 0.5) & torch.tensor(flips)[None]).float()
    centred = signs.flip(1)[:, None, None, :]
    return grids * centred


def _posed(images: Tensor, grids: Tensor) -> Tensor:
    """Slices in their poses, neutral beyond."""
    return move(images - NEUTRAL, grids) + NEUTRAL


def _disturbed(images: Tensor, generator: torch.Generator) -> Tensor:
    """What the network reads of slices with other gain, offset, time-gain error and noise."""
    seen = [random_intensity(image[None, ..., None], generator)[..., 0] for image in network_grey(images)]
    return torch.cat(seen) if seen else images
