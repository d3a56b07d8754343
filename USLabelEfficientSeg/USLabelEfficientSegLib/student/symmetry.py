"""Axes along which mirror images are as plausible as the volumes themselves, found without labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..anatomy.sums import SumInTurn

SIMILARITY = 0.98
_GRID = (24, 24, 24)


def mirror_axes(volumes: Sequence[Tensor], similarity: float = SIMILARITY) -> tuple[int, ...]:
    """Axes along which the mean of all volumes is nearly its own mirror image.

    Scans of one organ follow a protocol, so their mean shows the anatomy's and the sector's symmetry: left and
    right of a midline organ, never near and far from the probe. An axis counts when the correlation of the mean
    with its mirror image is at least `similarity`.

    Args:
        volumes: (I, J, K) each, of any size; none is kept.
        similarity: smallest correlation coefficient.
    """
    total = SumInTurn(len(volumes))
    for volume in volumes:
        coarse = F.interpolate(volume[None, None].float(), size=_GRID, mode="trilinear")[0, 0]
        total.add(coarse / coarse.mean().clamp_min(1e-6))
    mean = total.mean()
    return tuple(
        axis
        for axis in range(3)
        if float(torch.corrcoef(torch.stack([mean.flatten(), mean.flip(axis).flatten()]))[0, 1]) >= similarity
    )
