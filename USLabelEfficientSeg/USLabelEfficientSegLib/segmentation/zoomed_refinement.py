"""Zoomed refinement at test time: the part of a 2-D image that shows the organs is predicted again, magnified.

Organs are larger there, and in the middle. UNeXt works on a coarse grid and gains 0.003 of Dice (docs/experiments.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..divergence.prediction import predict_images
from .pieces import main_piece

MARGINS = (1.15, 1.4)  # sides of these parts, over those of the box around the organs
LARGEST_ZOOM = 1.5  # no more than networks are trained on

Part = tuple[slice, slice]


def refine_zoomed(
    network: nn.Module,
    image: Tensor,
    probability: Tensor,
    pixel_size: Sequence[float],
    image_size: int,
    *,
    mirrored: bool = False,
    margins: Sequence[float] = MARGINS,
) -> Tensor:
    """The mean of the first prediction and the predictions of the magnified parts that show the organs.

    Args:
        network: see `predict_images`.
        image: (h, w) grey in [0, 1].
        probability: (C, h, w) of classes, background first, from the whole image.
        pixel_size: see `predict_images`.
        image_size: pixels of the longer side of a part as the network sees it.
        mirrored: average with the prediction on the mirror image.
        margins: one for each part.

    Returns:
        Probabilities (C, h, w); the same where no organ was found.
    """
    organs = main_pieces(probability.numpy())
    if not organs.any():
        return probability
    total, predictions = probability.clone(), torch.ones_like(probability[0])
    for margin in margins:
        rows, columns = part_around(organs, margin)
        part = image[None, rows, columns]
        total[:, rows, columns] += predict_images(network, part, pixel_size, image_size, mirrored=mirrored)[0]
        predictions[rows, columns] += 1
    return total / predictions


def main_pieces(probability: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where (h, w) the most certain piece of any organ is, from probabilities (C, h, w)."""
    pieces = [main_piece(organ > 0.5, organ) for organ in probability[1:]]
    return np.asarray(np.logical_or.reduce(pieces))


def part_around(organs: NDArray[np.bool_], margin: float) -> Part:
    """The part of an image that is `margin` times as large as a mask's box, in the proportions of the image."""
    boxes = [np.flatnonzero(organs.any(axis=axis)) for axis in (1, 0)]
    extents = [box[-1] + 1 - box[0] for box in boxes]
    share = max(extent / size for extent, size in zip(extents, organs.shape, strict=True))
    share = min(max(margin * share, 1 / LARGEST_ZOOM), 1)
    rows, columns = (
        _span((box[0] + box[-1] + 1) / 2, math.ceil(share * size), size)
        for box, size in zip(boxes, organs.shape, strict=True)
    )
    return rows, columns


def _span(centre: float, length: int, size: int) -> slice:
    """So many pixels about a centre, moved into the image."""
    start = min(max(round(centre - length / 2), 0), size - length)
    return slice(start, start + length)
