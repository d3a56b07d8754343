"""The moving average of a network (mean teacher, arXiv 1703.01780): `average <- m average + (1 - m) network`."""

import torch
from torch import nn


@torch.no_grad()
def average_parameters(average: nn.Module, network: nn.Module, momentum: float) -> None:
    """A step of the average, of the parameters alone."""
    for kept, new in zip(average.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, 1.0 - momentum)


@torch.no_grad()
def average_state(average: nn.Module, network: nn.Module, momentum: float) -> None:
    """A step of the average, also of the statistics of batch normalisation."""
    new = network.state_dict()
    for name, kept in average.state_dict().items():
        if kept.is_floating_point():
            kept.lerp_(new[name], 1 - momentum)
        else:
            kept.copy_(new[name])


def mean_first(step: int, decay: float) -> float:
    """Momentum `min(decay, 1 - 1 / (step + 1))`: the plain mean at first, so that the random start is forgotten."""
    return min(decay, 1 - 1 / (step + 1))


def follows_first(step: int, decay: float) -> float:
    """Momentum `min(decay, (step + 1) / (step + 10))`: early weights count less than in the mean."""
    return min(decay, (step + 1) / (step + 10))
