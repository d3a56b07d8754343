"""Random poses, shapes and intensities of volumes, the same for an image and its targets.

A pose is a sampling grid for `torch.nn.functional.grid_sample`; everything is drawn from a generator, so a
training step can be repeated exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..training.random_draws import either_way, smooth_noise


@dataclass(frozen=True)
class PoseRange:
    """How far a pose may go: radians, log-scale, shift and deformation as fractions of half the extent."""

    rotation: float = 0.3
    scale: float = 0.2
    shift: float = 0.12
    deformation: float = 0.06
    mirrored_axes: tuple[int, ...] = ()


def random_mirror(pose: PoseRange, generator: torch.Generator) -> tuple[int, ...]:
    """The axes along which a sample is mirrored: each of `pose.mirrored_axes` half of the time."""
    return tuple(axis for axis in pose.mirrored_axes if torch.rand(1, generator=generator) < 0.5)


def random_grid(
    shape: Sequence[int],
    spacing: Sequence[float],
    pose: PoseRange,
    generator: torch.Generator,
    mirrored: Sequence[int] = (),
) -> Tensor:
    """A sampling grid (1, I, J, K, 3): rotation, scaling and shift in millimetres, and a smooth deformation.

    Args:
        shape: (I, J, K) of the volume.
        spacing: its voxel size in mm: rotations are rigid in space also on anisotropic grids.
        pose: the ranges.
        generator: source of all random numbers (CPU).
        mirrored: axes along which the volume is mirrored.
    """
    half_extent = torch.tensor([n * s / 2 for n, s in zip(shape, spacing, strict=True)])
    scale = torch.exp(either_way(generator, 1, pose.scale) + either_way(generator, 3, pose.scale / 2))
    linear = _rotation(either_way(generator, 3, pose.rotation)) @ torch.diag(scale)
    for axis in mirrored:
        linear[:, axis] = -linear[:, axis]
    linear = linear * half_extent / half_extent[:, None]  # from mm to the [-1, 1] of grid_sample
    theta = torch.cat([linear, either_way(generator, 3, pose.shift)[:, None]], dim=1)
    theta = torch.cat([theta[:, :3].flip(0, 1), theta[:, 3:].flip(0)], dim=1)  # grid_sample counts k, j, i
    grid = F.affine_grid(theta[None], [1, 1, *shape], align_corners=False)
    return grid + smooth_noise((1, 3, 5, 5, 5), shape, pose.deformation, generator, "trilinear").movedim(1, -1)


def warp(volumes: Tensor, grid: Tensor) -> Tensor:
    """Volumes (1, C, I, J, K) under a pose; what comes from outside the volume is 0."""
    return F.grid_sample(volumes, grid.to(volumes.device), align_corners=False)


def random_intensity(image: Tensor, generator: torch.Generator) -> Tensor:
    """Another gain, offset, time-gain error and noise level for image channels (1, C, I, J, K)."""
    channels = image.shape[1]

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator)

    gain = 1 + 0.25 * normal(1, channels, 1, 1, 1)
    offset = 0.25 * normal(1, channels, 1, 1, 1)
    bias = smooth_noise((1, 1, 3, 3, 3), image.shape[2:], 0.3, generator, "trilinear")
    noise = normal(*image.shape) * (0.3 * torch.rand(1, generator=generator))
    return image * gain.to(image) + (offset + bias + noise).to(image)


def _rotation(angles: Tensor) -> Tensor:
    """Rotation matrix (3, 3) of successive rotations about the axes i, j, k."""
    (ci, cj, ck), (si, sj, sk) = angles.cos().tolist(), angles.sin().tolist()
    about_i = torch.tensor([[1, 0, 0], [0, ci, -si], [0, si, ci]])
    about_j = torch.tensor([[cj, 0, sj], [0, 1, 0], [-sj, 0, cj]])
    about_k = torch.tensor([[ck, -sk, 0], [sk, ck, 0], [0, 0, 1]])
    return about_i @ about_j @ about_k
