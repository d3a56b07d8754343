"""Labelled slices as training samples of the slice head: random views, encoded once by the frozen ViT."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from ..anatomy.training_volumes import TrainingVolume
from ..training.random_draws import rotations, uniform
from .augmentation import gain_and_contrast
from .features import encode_slices
from .slice_head import slice_axis_of, slice_boxes
from .slices import in_slice_axes
from .vit import VisionTransformer


@dataclass(frozen=True)
class LabelledSlices:
    """Slices of one shape with weighted soft targets.

    Attributes:
        images: (n, H, W) grey in [0, 1].
        target: (n, C, H, W) class probabilities, background first.
        weight: (n, H, W) weight of each pixel, 0 where unlabelled.
        boxes: (n, 3, 2) what the slices cover of the anatomy, see `slice_boxes`.
        pixel_size: spacing of rows and columns in mm.
    """

    images: Tensor
    target: Tensor
    weight: Tensor
    boxes: Tensor
    pixel_size: tuple[float, float]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class ViewRanges:
    """How far random views go; the defaults are the published ones (CDKD stage 2).

    Attributes:
        rotation_degrees: largest rotation either way.
        scale: range of the magnification.
        shift: largest shift as a share of the slice's sides.
        flip_axis: 0 mirrors half of the views along the rows, 1 along the columns, None none. Only along the
            lateral direction: depth must stay depth.
    """

    rotation_degrees: float = 45.0
    scale: tuple[float, float] = (0.8, 1.2)
    shift: float = 0.2
    flip_axis: int | None = None


@dataclass(frozen=True)
class HeadSamples:
    """Encoded `LabelledSlices`: features (n, C, h, w) float16 with targets, weights and boxes."""

    features: Tensor
    target: Tensor
    weight: Tensor
    boxes: Tensor

    def __len__(self) -> int:
        return len(self.features)

    def digest(self) -> str:
        """Fingerprint of the labels and views, not of the features, which differ a little between devices."""
        parts = [tensor.contiguous().numpy().tobytes() for tensor in (self.target, self.weight, self.boxes)]
        return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def labelled_slices(volume: TrainingVolume, axis: int) -> LabelledSlices:
    """The slices of a volume that are labelled along `axis`, perhaps none. Raises `ValueError` without labels."""
    labels = volume.labels
    if labels is None:
        raise ValueError(f"{volume.name} has no labels")
    weight = labels.weight.movedim(axis, 0)
    chosen = labels.labelled_along(axis)
    rows, columns = in_slice_axes(axis)
    return LabelledSlices(
        images=volume.grey.movedim(axis, 0)[chosen],
        target=labels.probability.movedim(axis + 1, 0)[chosen],
        weight=weight[chosen],
        boxes=slice_boxes(len(weight), axis, volume.frame)[chosen],
        pixel_size=(volume.spacing[rows], volume.spacing[columns]),
    )


def random_view(slices: LabelledSlices, ranges: ViewRanges, generator: torch.Generator) -> LabelledSlices:
    """Rotate, magnify, shift, perhaps mirror every slice about its centre, and change gain and contrast.

    Pixels from outside a slice get weight 0.
    """
    count, height, width = slices.images.shape
    angle = torch.deg2rad(uniform(generator, (count,), -ranges.rotation_degrees, ranges.rotation_degrees))
    zoom = 1 / uniform(generator, (count,), *ranges.scale)
    shift = uniform(generator, (count, 2), -2 * ranges.shift, 2 * ranges.shift)
    # Rotate millimetres, not the unit square: sides in the order (x, y) that affine_grid wants.
    sides = torch.tensor([width * slices.pixel_size[1], height * slices.pixel_size[0]])
    linear = rotations(angle) * zoom.view(-1, 1, 1) * sides.view(1, 1, 2) / sides.view(1, 2, 1)
    if ranges.flip_axis is not None:
        mirrored = torch.rand((count,), generator=generator) < 0.5
        linear[mirrored, :, 1 - ranges.flip_axis] *= -1
    transform = torch.cat([linear, shift[:, :, None]], dim=2)
    grid = F.affine_grid(transform, [count, 1, height, width], align_corners=False)
    every = torch.cat([slices.images[:, None], slices.weight[:, None], slices.target * slices.weight[:, None]], dim=1)
    moved = F.grid_sample(every, grid, padding_mode="zeros", align_corners=False)
    weight = moved[:, 1]
    return LabelledSlices(
        images=gain_and_contrast(moved[:, :1], generator).clamp(0, 1)[:, 0],
        # Weighted by weight while moved, so that unlabelled pixels do not leak into labelled ones.
        target=moved[:, 2:] / weight[:, None].clamp(min=1e-6),
        weight=weight,
        boxes=slices.boxes,
        pixel_size=slices.pixel_size,
    )


def encode_views(
    vit: VisionTransformer,
    slices: LabelledSlices,
    slice_size: int,
    views: int,
    ranges: ViewRanges,
    generator: torch.Generator,
) -> HeadSamples:
    """Features of the slices themselves and of `views` random views of each: (1 + views) * n samples."""
    versions = [slices] + [random_view(slices, ranges, generator) for _ in range(views)]
    return HeadSamples(
        features=torch.cat([encode_slices(vit, view.images, slices.pixel_size, slice_size) for view in versions]),
        target=torch.cat([view.target for view in versions]),
        weight=torch.cat([view.weight for view in versions]),
        boxes=torch.cat([view.boxes for view in versions]),
    )


def class_weights(samples: list[HeadSamples], bound: float = 10.0) -> Tensor:
    """(C,) weight of each class: inverse of its share of the labelled pixels, between 1 / bound and bound.

    A class without any pixel keeps weight 1.
    """
    pixels = reduce(torch.add, [(part.target * part.weight[:, None]).sum(dim=(0, 2, 3)) for part in samples])
    present = pixels > 0
    balanced = pixels[present].mean() / pixels.clamp(min=1e-6)
    return torch.where(present, balanced.clamp(1 / bound, bound), torch.ones_like(pixels))


def of_equal_shape(samples: Sequence[HeadSamples]) -> list[HeadSamples]:
    """Join samples of the same slice axis whose slices and features have the same shapes: they can share a batch."""
    groups: dict[tuple[int, ...], list[HeadSamples]] = {}
    for part in samples:
        kind = (slice_axis_of(part.boxes), *part.features.shape[1:], *part.target.shape[1:])
        groups.setdefault(kind, []).append(part)
    return [
        HeadSamples(
            torch.cat([part.features for part in group]),
            torch.cat([part.target for part in group]),
            torch.cat([part.weight for part in group]),
            torch.cat([part.boxes for part in group]),
        )
        for group in groups.values()
    ]
