"""The input of the promptable network: one channel for each of `network.CHANNELS`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..imaging.intensities import least_spread

Field = NDArray[np.float32]
_CERTAIN = 4.0  # largest log-odds of a prior


@dataclass(frozen=True)
class Prompts:
    """The drawing of one organ in a cube.

    Attributes:
        drawn: (N, N, N) from -1, not the organ, to 1, the organ; 0 where nothing was drawn. A partly filled voxel
            counts in part.
        told: (N, N, N) from 0 to 1, the part of a voxel that was drawn on.
    """

    drawn: Field
    told: Field


def network_inputs(image: Field, prompts: Prompts, prior: Field | None = None) -> Tensor:
    """The channels (5, N, N, N) of `network.CHANNELS`.

    Args:
        image: (N, N, N) grey values of any scale; they are normalised to zero mean and unit variance.
        prompts: the drawing.
        prior: (N, N, N) probability of the organ by another opinion, if there is one.
    """
    spread = max(float(image.std()), least_spread(float(np.abs(image).max())))
    normalised = (image - image.mean()) / spread
    if prior is None:
        opinion = has_opinion = np.zeros_like(normalised)
    else:
        opinion, has_opinion = np.clip(log_odds(prior) / _CERTAIN, -1, 1), np.ones_like(normalised)
    channels = [normalised, prompts.drawn, prompts.told, opinion, has_opinion]
    return torch.from_numpy(np.stack(channels).astype(np.float32))


def log_odds(probability: Field) -> Field:
    """Of probabilities (...), which are taken for 0.001 to 0.999."""
    bounded = np.clip(probability, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(bounded) - np.log1p(-bounded), dtype=np.float32)
