"""How wide organs are on labelled slices: of a wall its thickness, of a round organ two thirds of its diameter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from ..anatomy.targets import SoftTarget
from ..teacher.slices import in_slice_axes

_FEWEST_PIXELS = 20  # of an organ: a slice that hardly touches it tells nothing


def organ_widths(labels: SoftTarget, spacing: Sequence[float], axis: int) -> list[list[float]]:
    """The widths of each organ on the labelled slices along `axis` that show it, in units of the smaller pixel side.

    Four times the mean distance of an organ's pixels to what lies outside: a strip of width w has the mean w / 4.

    Args:
        labels: (C, I, J, K), background first.
        spacing: voxel size in mm.
        axis: of the slices.
    """
    sides = np.array([spacing[side] for side in in_slice_axes(axis)])
    probability = labels.probability.movedim(axis + 1, 1)
    widths: list[list[float]] = [[] for _ in range(len(probability) - 1)]
    for number in torch.nonzero(labels.labelled_along(axis))[:, 0].tolist():
        for organ, of_one in zip(probability[1:, number].numpy() > 0.5, widths, strict=True):
            if organ.sum() >= _FEWEST_PIXELS:
                distances = distance_transform_edt(np.pad(organ, 1), sampling=sides / sides.min())
                of_one.append(float(4 * distances.sum() / organ.sum()))
    return widths
