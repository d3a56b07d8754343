"""Slices of volumes along an axis, brought to the size the ViT reads, and random slices for pretraining."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def slices_along(volume: Tensor, axis: int) -> Tensor:
    """Slices (n, H, W) of a volume (I, J, K); the in-slice axes keep their order."""
    return volume.movedim(axis, 0)


def in_slice_axes(axis: int) -> tuple[int, int]:
    """Volume axes of a slice's rows and columns."""
    first, second = (other for other in range(3) if other != axis)
    return first, second


def network_shape(
    slice_shape: Sequence[int], pixel_size: Sequence[float], slice_size: int, patch_size: int
) -> tuple[int, int]:
    """Rows and columns at which the ViT reads a slice.

    The longer side (in mm) becomes `slice_size`, the other keeps the physical aspect ratio to the nearest
    whole patch, at least one. Slice and network image share their corners, so a plain resize maps back.
    """
    extent = [count * size for count, size in zip(slice_shape, pixel_size, strict=True)]
    patches = slice_size // patch_size
    rows, columns = (max(1, round(patches * side / max(extent))) * patch_size for side in extent)
    return rows, columns


def resize_slices(images: Tensor, shape: Sequence[int]) -> Tensor:
    """Corner-aligned bilinear resize of (..., C, H, W), area-weighted where it shrinks."""
    flat = images.reshape(-1, *images.shape[-3:])
    resized = F.interpolate(flat, size=tuple(shape), mode="bilinear", antialias=True)
    return resized.reshape(*images.shape[:-2], *shape)


@dataclass(frozen=True)
class SliceBatch:
    """Slices on a square canvas, upper-left corner aligned.

    Attributes:
        images: (B, 1, S, S) grey in [0, 1], zero outside the slice.
        extent: (B, 2) share of the canvas' rows and columns that the slice covers.
        flippable: (B, 2) whether the slice may be mirrored along rows and columns.
    """

    images: Tensor
    extent: Tensor
    flippable: Tensor


class SliceSource:
    """Random slices of unlabelled volumes, every slice equally likely.

    Args:
        volumes: (I, J, K) each, grey in [0, 1]; a sequence may read them when it is asked for one.
        spacings: voxel size in mm of each volume, per axis.
        slice_size: side of the canvas in pixels; the longer side of every slice fills it.
        axes: slice axes to draw from.
        depth_axis: volume axis along which sound travels; slices are never mirrored along it. None:
            unknown, so slices are never mirrored at all.
    """

    def __init__(
        self,
        volumes: Sequence[Tensor],
        spacings: Sequence[Sequence[float]],
        slice_size: int,
        axes: Sequence[int] = (0, 1, 2),
        depth_axis: int | None = None,
    ) -> None:
        self.volumes = volumes
        self.spacings = [tuple(spacing) for spacing in spacings]
        self.slice_size = slice_size
        self.axes = tuple(axes)
        self.depth_axis = depth_axis
        counts = [[volume.shape[axis] for axis in self.axes] for volume in volumes]
        self._ends = np.cumsum(np.array(counts, dtype=np.int64))  # of each axis of each volume, in all slices

    def __len__(self) -> int:
        return int(self._ends[-1])

    def _slice(self, number: int) -> tuple[int, int, int]:
        """Volume, axis and index of a slice by its number among all."""
        part = int(np.searchsorted(self._ends, number, side="right"))
        volume, axis = divmod(part, len(self.axes))
        return volume, self.axes[axis], number - (int(self._ends[part - 1]) if part else 0)

    def digest(self) -> str:
        """Fingerprint of all that `draw` depends on besides the generator."""
        digest = hashlib.sha256(f"{self.slice_size} {self.depth_axis} {self.axes} {self.spacings}".encode())
        for volume in self.volumes:
            digest.update(f"{tuple(volume.shape)}".encode())
            digest.update(_in_bytes(volume).contiguous().numpy().data)
        return digest.hexdigest()[:16]

    def draw(self, count: int, generator: torch.Generator) -> SliceBatch:
        """`count` random slices (with replacement) on the CPU."""
        size = self.slice_size
        images = torch.zeros(count, 1, size, size)
        extent = torch.zeros(count, 2)
        flippable = torch.zeros(count, 2, dtype=torch.bool)
        for row, choice in enumerate(torch.randint(len(self), (count,), generator=generator).tolist()):
            number, axis, index = self._slice(choice)
            pixels = _in_bytes(self.volumes[number].select(axis, index)).float() / 255
            axes = in_slice_axes(axis)
            shape = network_shape(pixels.shape, [self.spacings[number][side] for side in axes], size, 1)
            images[row, :, : shape[0], : shape[1]] = resize_slices(pixels[None], shape)
            extent[row] = torch.tensor(shape) / size
            if self.depth_axis is not None:
                flippable[row] = torch.tensor([side != self.depth_axis for side in axes])
        return SliceBatch(images, extent, flippable)


def _in_bytes(grey: Tensor) -> Tensor:
    """Grey in [0, 1] with a byte a voxel, as teachers have ever seen it."""
    return (grey.clamp(0, 1) * 255).round().to(torch.uint8)
