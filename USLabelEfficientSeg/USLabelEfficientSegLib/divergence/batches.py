"""Batches of the training: images in random poses, and two views of each that are disturbed by different amounts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..study.setting_sections import DivergenceSettings
from .augmentation import PoseRange, disturb_as_published, disturb_strongly, disturb_weakly, move, random_poses
from .images import TrainingImages


@dataclass(frozen=True)
class Batch:
    """Images in random poses, those with labels first.

    Attributes:
        weak, strong: (L + U, 1, H, W) grey in [0, 1], weakly and strongly disturbed.
        target: (L, C, H, W) class probabilities of the labelled ones.
        weight: (L, H, W) of their pixels.
        inside: (L + U, H, W) 1 where the pose shows the image, 0 outside of it.
    """

    weak: Tensor
    strong: Tensor
    target: Tensor
    weight: Tensor
    inside: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on `device`."""
        return Batch(*(getattr(self, name).to(device) for name in ("weak", "strong", "target", "weight", "inside")))


def draw_batch(
    images: TrainingImages, settings: DivergenceSettings, counts: tuple[int, int], generator: torch.Generator
) -> Batch:
    """Random labelled and unlabelled images, with replacement, in random poses, weakly and strongly disturbed."""
    labelled_count, unlabelled_count = counts
    rows = torch.randint(len(images.labelled), (labelled_count,), generator=generator)
    others = images.unlabelled
    others = others[torch.randint(len(others), (unlabelled_count,), generator=generator)]
    chosen = torch.cat([images.labelled[rows], others])
    ranges = PoseRange(
        settings.rotation_degrees,
        settings.scale,
        settings.stretch,
        settings.shift,
        settings.deformation,
        settings.flip,
    )
    height, width = images.grey.shape[2:]
    grid = random_poses(len(chosen), (height, width), ranges, generator)
    both = torch.cat([images.grey[chosen].float() / 255, images.covered[chosen].float()], dim=1)
    moved = move(both, grid)
    grey, inside = moved[:, :1].clamp(0, 1), moved[:, 1]
    weight = images.weight[rows][:, None]
    # Weighted while moved, so that unlabelled pixels do not leak into labelled ones.
    target = move(torch.cat([images.target[rows] * weight, weight], dim=1), grid[: len(rows)])
    if settings.strong_views:
        weak = disturb_weakly(grey, generator)
        strong = disturb_strongly(grey, settings.strength, generator)
    else:
        weak = strong = disturb_as_published(grey, generator)
    return Batch(
        weak=weak,
        strong=strong,
        target=target[:, :-1] / target[:, -1:].clamp(min=1e-6),
        weight=target[:, -1],
        inside=inside,
    )
