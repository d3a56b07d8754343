"""Random crops and ultrasound's own disturbances, batched; every draw comes from the generator given.

No colour, no rotation, and mirroring only where `SliceBatch.flippable` allows it: which way sound travels is
part of what an ultrasound image shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..training.random_draws import chance, smooth_noise, uniform
from .slices import SliceBatch


def random_resized_crop(
    batch: SliceBatch, size: int, area: tuple[float, float], generator: torch.Generator, aspect: float = 4 / 3
) -> Tensor:
    """Crop a random box out of each slice, perhaps mirror it, and resize it to `size` x `size`.

    Args:
        batch: slices on a square canvas.
        size: side of the result in pixels.
        area: range of the box' share of the slice.
        generator: source of every random number.
        aspect: largest ratio of the box' sides, either way.

    Returns:
        (B, 1, size, size).
    """
    count = len(batch.images)
    share = uniform(generator, (count,), *area) * batch.extent.prod(dim=1)
    stretch = torch.exp(uniform(generator, (count,), -math.log(aspect), math.log(aspect)))
    sides = torch.stack([(share * stretch).sqrt(), (share / stretch).sqrt()], dim=1).minimum(batch.extent)
    start = torch.rand((count, 2), generator=generator) * (batch.extent - sides)
    mirrored = (torch.rand((count, 2), generator=generator) < 0.5) & batch.flippable
    centre = 2 * (start + sides / 2) - 1
    scale = torch.where(mirrored, -sides, sides)
    transform = torch.zeros(count, 2, 3)  # affine_grid wants (x, y), so columns before rows
    transform[:, 0, 0], transform[:, 1, 1] = scale[:, 1], scale[:, 0]
    transform[:, 0, 2], transform[:, 1, 2] = centre[:, 1], centre[:, 0]
    grid = F.affine_grid(transform, [count, 1, size, size], align_corners=False)
    return F.grid_sample(batch.images, grid, padding_mode="border", align_corners=False)


def gain_and_contrast(images: Tensor, generator: torch.Generator) -> Tensor:
    """Gamma 0.67-1.5 and gain 0.75-1.33, as a change of dynamic range and overall gain would do."""
    shape = (len(images), 1, 1, 1)
    gamma = torch.exp(uniform(generator, shape, -0.4, 0.4))
    gain = torch.exp(uniform(generator, shape, -0.29, 0.29))
    return images.clamp(min=1e-6).pow(gamma) * gain


def gain_field(images: Tensor, generator: torch.Generator, strength: float = 0.3) -> Tensor:
    """Multiply with a smooth random field: time-gain error, uneven contact."""
    return images * smooth_noise((len(images), 1, 3, 3), images.shape[-2:], strength, generator, "bicubic").exp()


def blur(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mix with a version of half the resolution, as a probe of lower frequency shows."""
    half = F.interpolate(images, scale_factor=0.5, mode="bilinear", antialias=True)
    coarse = F.interpolate(half, size=images.shape[-2:], mode="bilinear")
    return images + uniform(generator, (len(images), 1, 1, 1), 0.3, 1.0) * (coarse - images)


def speckle(images: Tensor, generator: torch.Generator, strength: float = 0.25) -> Tensor:
    """Multiplicative noise whose grain is one to two pixels."""
    fine = torch.randn(images.shape, generator=generator)
    coarse = 2 * F.avg_pool2d(fine, 3, stride=1, padding=1)
    grain = torch.where(chance(generator, len(images), 0.5) > 0, fine, coarse)
    return images * (1 + uniform(generator, (len(images), 1, 1, 1), 0.0, strength) * grain)


def shadow(images: Tensor, depth_axis: Tensor, generator: torch.Generator) -> Tensor:
    """Darken a wedge that starts at a random depth and widens away from the probe.

    Args:
        images: (B, 1, S, S).
        depth_axis: (B,) 0 where sound travels along the rows, 1 along the columns, -1 unknown (drawn).
        generator: source of every random number.
    """
    count, size = len(images), images.shape[-1]
    one = (count, 1, 1)
    drawn = torch.randint(2, (count,), generator=generator)
    along_rows = torch.where(depth_axis < 0, drawn, depth_axis).view(one) == 0
    ramp = (torch.arange(size) + 0.5) / size
    rows, columns = ramp.view(1, -1, 1), ramp.view(1, 1, -1)
    depth, lateral = torch.where(along_rows, rows, columns), torch.where(along_rows, columns, rows)
    depth = torch.where(torch.rand(one, generator=generator) < 0.5, depth, 1 - depth)
    start, centre = uniform(generator, one, 0.1, 0.7), uniform(generator, one, 0.1, 0.9)
    tilt, width = uniform(generator, one, -0.5, 0.5), uniform(generator, one, 0.03, 0.15)
    offset = (lateral - centre - tilt * (depth - start)).abs()
    inside = torch.sigmoid((width * (0.5 + depth) - offset) / 0.02) * torch.sigmoid((depth - start) / 0.02)
    strength = uniform(generator, one, 0.4, 0.95)
    return images * (1 - strength * inside)[:, None]


def disturb(images: Tensor, depth_axis: Tensor, generator: torch.Generator) -> Tensor:
    """Apply every disturbance to a random part of the batch (B, 1, S, S); the result stays in [0, 1]."""
    count = len(images)
    for probability, changed in (
        (0.8, gain_and_contrast),
        (0.5, gain_field),
        (0.3, blur),
        (0.5, speckle),
    ):
        images = torch.lerp(images, changed(images, generator), chance(generator, count, probability))
    images = torch.lerp(images, shadow(images, depth_axis, generator), chance(generator, count, 0.2))
    return images.clamp(0, 1)


def depth_of(batch: SliceBatch) -> Tensor:
    """(B,) the in-slice axis along which sound travels: the only one not flippable, else -1 (unknown)."""
    rows, columns = batch.flippable.unbind(dim=1)
    known = torch.where(rows, 1, 0)
    return torch.where(rows ^ columns, known, -1)


@dataclass(frozen=True)
class MultiCrop:
    """Two large and several small disturbed crops of every slice (DINO, section 3.1).

    Attributes:
        global_size: side of the two large crops in pixels, a multiple of the patch size.
        local_size: side of the small crops, likewise.
        local_crops: number of small crops.
        global_area: range of the share of the slice in a large crop.
        local_area: range of the share of the slice in a small crop.
    """

    global_size: int
    local_size: int
    local_crops: int
    global_area: tuple[float, float] = (0.4, 1.0)
    local_area: tuple[float, float] = (0.05, 0.4)

    def __call__(self, batch: SliceBatch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Large crops (2, B, 1, S, S) and small crops (local_crops, B, 1, s, s)."""
        depth_axis = depth_of(batch)

        def crops(number: int, size: int, area: tuple[float, float]) -> Tensor:
            images = torch.empty(number, len(batch.images), 1, size, size)
            for row in range(number):
                images[row] = disturb(random_resized_crop(batch, size, area, generator), depth_axis, generator)
            return images

        return (
            crops(2, self.global_size, self.global_area),
            crops(self.local_crops, self.local_size, self.local_area),
        )
