"""Every volume shows every organ: what is known of slices that nobody has labelled.

A few labelled slices teach a network the organs that look like those. Where an organ is fainter, the network's average
finds nothing and is sure of it, and consistency would teach the network just that. So slices that are spread over one
volume are seen together, and for each organ c the K pixels of them that resemble it most must be such:

    L = - mean_c log (1/K) sum_{v in top K} p_c(v),        K = a part of the organ's area in the labelled slices,

nearly nothing in volumes where it is found (a multiple-instance loss with a lower bound of the size as in
constrained networks, Kervadec et al., Medical Image Analysis 2019, arXiv 1805.04628).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..divergence.images import TrainingImages
from .slices import AxisSlices

_SHARE_OF_AREA = 0.25  # of the median labelled one: slices are spread, and seldom cut an organ in its middle
_FEWEST_PIXELS = 4


def least_pixels(images: TrainingImages) -> tuple[int, ...]:
    """K of each organ (C - 1,); 0 for one that no labelled slice shows: nothing is known of its size."""
    areas = (images.target[:, 1:] * images.weight[:, None]).sum(dim=(2, 3))
    shown = [area[area > _FEWEST_PIXELS] for area in areas.T]
    return tuple(max(_FEWEST_PIXELS, int(_SHARE_OF_AREA * area.median())) if len(area) else 0 for area in shown)


def spread_slices(slices: AxisSlices, count: int, generator: torch.Generator) -> Tensor:
    """Numbers (count,) of unlabelled slices of one random volume, evenly spread from a random one on."""
    unlabelled = slices.images.unlabelled
    volumes = slices.volumes[unlabelled]
    choices = volumes.unique()
    volume = choices[torch.randint(len(choices), (1,), generator=generator)]
    numbers = unlabelled[volumes == volume]
    places = (torch.arange(count) + torch.rand(1, generator=generator)) / count
    return numbers[(places * len(numbers)).long().clamp(max=len(numbers) - 1)]


def absence(log_p: Tensor, pixels: Sequence[int]) -> Tensor:
    """The loss: how little slices of one volume look as if they showed each organ.

    Args:
        log_p: (B, C, H, W) logarithms of class probabilities, background first.
        pixels: K of each organ, see `least_pixels`.
    """
    parts = [
        math.log(most) - log_p[:, organ].flatten().topk(most).values.logsumexp(dim=0)
        for organ, most in enumerate(pixels, start=1)
        if most
    ]
    return torch.stack(parts).sum() / len(pixels) if parts else log_p.new_zeros(())
