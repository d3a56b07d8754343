"""How wide organs are on labelled slices: of a wall its thickness, of a round organ two thirds of its diameter."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..anatomy.targets import SoftTarget
from ..teacher.slices import in_slice_axes
from .magnification import organ_width


def organ_widths(labels: SoftTarget, spacing: Sequence[float], axis: int) -> list[list[float]]:
    """The widths of each organ on the labelled slices along `axis` that show it, see `organ_width`.

    Args:
        labels: (C, I, J, K), background first.
        spacing: voxel size in mm.
        axis: of the slices.
    """
    sides = [spacing[side] for side in in_slice_axes(axis)]
    probability = labels.probability.movedim(axis + 1, 1)
    widths: list[list[float]] = [[] for _ in range(len(probability) - 1)]
    for number in torch.nonzero(labels.labelled_along(axis))[:, 0].tolist():
        for organ, of_one in zip(probability[1:, number].numpy() > 0.5, widths, strict=True):
            width = organ_width(organ, sides)
            of_one += [] if width is None else [width]
    return widths
