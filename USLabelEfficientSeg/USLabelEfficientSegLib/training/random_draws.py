"""Random numbers of augmentation; every draw comes from the generator given."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def uniform(generator: torch.Generator, shape: tuple[int, ...], low: float, high: float) -> Tensor:
    """Uniform random numbers in [low, high)."""
    return low + (high - low) * torch.rand(shape, generator=generator)


def either_way(generator: torch.Generator, count: int, bound: float) -> Tensor:
    """(count,) uniform random numbers between -bound and bound."""
    return (2 * torch.rand(count, generator=generator) - 1) * bound


def chance(generator: torch.Generator, count: int, probability: float) -> Tensor:
    """(count, 1, 1, 1) of 0 and 1: whether a disturbance touches a slice."""
    return (torch.rand((count, 1, 1, 1), generator=generator) < probability).float()


def smooth_noise(
    knots: Sequence[int], size: Sequence[int], strength: float, generator: torch.Generator, mode: str
) -> Tensor:
    """Normal noise at `knots` (B, C, ...), interpolated to (B, C, *size).

    Args:
        knots: shape of the coarse grid.
        size: of the result.
        strength: standard deviation at the knots.
        generator: source of the noise.
        mode: of `torch.nn.functional.interpolate`.
    """
    coarse = strength * torch.randn(tuple(knots), generator=generator)
    return F.interpolate(coarse, size=tuple(size), mode=mode, align_corners=True)


def rotations(angle: Tensor) -> Tensor:
    """Matrices (n, 2, 2) that rotate (x, y) by angles (n,) in radians."""
    return torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=-1).view(-1, 2, 2)
