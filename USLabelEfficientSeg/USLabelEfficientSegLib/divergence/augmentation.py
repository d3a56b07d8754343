"""Random poses and disturbances of 2-D ultrasound images; every draw comes from the generator given.

*Weak* changes move an image as another hold of the probe would. *Strong* changes then disturb its intensities as
another machine, gain, contact or patient would: a network must not depend on these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..teacher.augmentation import blur, gain_and_contrast, gain_field, shadow, speckle
from ..training.random_draws import chance, rotations, smooth_noise, uniform

SHADOW_CANVAS = 64


@dataclass(frozen=True)
class PoseRange:
    """How far poses go.

    Attributes:
        rotation_degrees: largest rotation either way.
        scale: largest magnification either way, log.
        stretch: largest change of the aspect ratio either way, log.
        shift: largest shift as a share of the canvas' sides.
        deformation: standard deviation of a smooth deformation, in half sides of the canvas.
        flip: mirror half of the images from left to right.
    """

    rotation_degrees: float
    scale: float
    stretch: float
    shift: float
    deformation: float
    flip: bool


def random_poses(count: int, canvas: tuple[int, int], ranges: PoseRange, generator: torch.Generator) -> Tensor:
    """Sampling grids (count, H, W, 2) of random poses, for `move`."""
    height, width = canvas
    angle = torch.deg2rad(uniform(generator, (count,), -ranges.rotation_degrees, ranges.rotation_degrees))
    zoom = uniform(generator, (count,), -ranges.scale, ranges.scale)
    stretch = uniform(generator, (count,), -ranges.stretch, ranges.stretch) / 2
    shift = uniform(generator, (count, 2), -2 * ranges.shift, 2 * ranges.shift)
    sides = torch.stack([(-zoom - stretch).exp(), (-zoom + stretch).exp()], dim=1)
    if ranges.flip:
        sides[torch.rand(count, generator=generator) < 0.5, 0] *= -1
    # Rotate pixels, not the unit square: sides in the order (x, y) that affine_grid wants.
    extent = torch.tensor([float(width), float(height)])
    linear = rotations(angle) * sides[:, None, :] * extent / extent.view(2, 1)
    grid = F.affine_grid(torch.cat([linear, shift[:, :, None]], dim=2), [count, 1, height, width], align_corners=False)
    if ranges.deformation > 0:
        grid = grid + smooth_noise((count, 2, 4, 4), canvas, ranges.deformation, generator, "bicubic").movedim(1, -1)
    return grid


def move(images: Tensor, grid: Tensor) -> Tensor:
    """Sample (B, C, H, W) in the poses of `random_poses`; zero outside."""
    return F.grid_sample(images, grid, padding_mode="zeros", align_corners=False)


def disturb_weakly(images: Tensor, generator: torch.Generator) -> Tensor:
    """Gain and contrast of (B, 1, H, W) in [0, 1], as another setting of the machine would change them."""
    return gain_and_contrast(images, generator).clamp(0, 1)


def disturb_strongly(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Gain, contrast, time-gain error, blur, speckle, noise and shadows; images (B, 1, H, W) stay in [0, 1].

    Args:
        images: grey in [0, 1].
        strength: 0 changes nothing, 1 is the default, more disturbs more images.
        generator: source of every random number.
    """
    count = len(images)
    for probability, changed in (
        (0.8, gain_and_contrast),
        (0.5, gain_field),
        (0.3, blur),
        (0.5, speckle),
        (0.3, electronic_noise),
        (0.3, cast_shadow),
    ):
        chosen = chance(generator, count, min(1.0, probability * strength))
        images = torch.lerp(images, changed(images, generator), chosen).clamp(0, 1)
    return images


def disturb_as_published(images: Tensor, generator: torch.Generator) -> Tensor:
    """Brightness 0.2, contrast 0.5, blur and Gaussian noise (arXiv 2509.06495)."""
    count = len(images)
    brightness = uniform(generator, (count, 1, 1, 1), 0.8, 1.2)
    contrast = uniform(generator, (count, 1, 1, 1), 0.5, 1.5)
    bright = images * brightness
    mean = bright.mean(dim=(2, 3), keepdim=True)
    images = mean + contrast * (bright - mean)
    images = torch.lerp(images, blur(images, generator), chance(generator, count, 0.5))
    return torch.lerp(images, electronic_noise(images, generator), chance(generator, count, 0.5)).clamp(0, 1)


def electronic_noise(images: Tensor, generator: torch.Generator, strength: float = 0.08) -> Tensor:
    """Additive Gaussian noise, as of a low-cost probe."""
    level = uniform(generator, (len(images), 1, 1, 1), 0.0, strength)
    return images + level * torch.randn(images.shape, generator=generator)


def cast_shadow(images: Tensor, generator: torch.Generator) -> Tensor:
    """One or two wedges of shadow that widen with depth; sound travels along the rows."""
    for _ in range(2):
        bright = torch.ones(len(images), 1, SHADOW_CANVAS, SHADOW_CANVAS)
        field = shadow(bright, torch.zeros(len(images), dtype=torch.long), generator)
        images = images * F.interpolate(field, size=images.shape[2:], mode="bilinear")
    return images


def beta_shares(count: int, generator: torch.Generator) -> Tensor:
    """(count,) draws from Beta(1/2, 1/2), the arcsine distribution: `sin^2(pi u / 2)` with u uniform."""
    return (math.pi / 2 * torch.rand(count, generator=generator)).sin().square()
