"""Two-dimensional images and their labels for training: on one canvas, in memory or made when they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..imaging.geometry import Geometry
from ..imaging.intensities import least_spread
from ..imaging.scan import Scan
from ..teacher.slices import network_shape, resize_slices
from ..teacher.vit import IMAGENET_MEAN, IMAGENET_STD

Size = tuple[int, int]
UNLABELLED = -1
GREY_PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class OnCanvas:
    """Images (N, 1, H, W) on a canvas that are made when they are asked for: of thousands of volumes.

    Attributes:
        images: (h, w) each, grey in [0, 1].
        shapes: rows and columns of each on the canvas.
        canvas: H and W.
        draw: one of them, see `_grey_on_canvas`.
    """

    images: Sequence[Tensor]
    shapes: Sequence[Size]
    canvas: Size
    draw: Callable[[Sequence[Tensor], int, Size, Size], Tensor]

    @property
    def shape(self) -> torch.Size:
        """(N, 1, H, W)."""
        return torch.Size((len(self.images), 1, *self.canvas))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, numbers: Tensor) -> Tensor:
        rows = [self.draw(self.images, number, self.shapes[number], self.canvas) for number in numbers.tolist()]
        return torch.stack(rows)

    def all(self) -> Tensor:
        """All of them, in memory."""
        rows = _in_turn(self)
        first = next(rows)
        every = first.new_empty(self.shape)
        every[:1] = first
        for number, row in enumerate(rows, start=1):
            every[number] = row[0]
        return every


@dataclass(frozen=True)
class TrainingImages:
    """Images on a common canvas, upper-left corner aligned, and the soft targets of the labelled ones.

    Attributes:
        grey: (N, 1, H, W) uint8.
        covered: (N, 1, H, W) bool, where the canvas holds the image.
        labelled: (L,) numbers of the images with labels.
        target: (L, C, H, W) class probabilities, background first.
        weight: (L, H, W) weight of each pixel, 0 where unlabelled.
    """

    grey: Tensor
    covered: Tensor
    labelled: Tensor
    target: Tensor
    weight: Tensor

    @property
    def classes(self) -> int:
        """Number of classes, background included."""
        return self.target.shape[1]

    @property
    def unlabelled(self) -> Tensor:
        """Numbers of the images without labels; of all images if every one has labels."""
        others = torch.ones(len(self.grey), dtype=torch.bool)
        others[self.labelled] = False
        return others.nonzero()[:, 0] if others.any() else torch.arange(len(self.grey))

    def digest(self) -> str:
        """Fingerprint of everything that training depends on."""
        digest = hashlib.sha256(f"{tuple(self.grey.shape)} {tuple(self.target.shape)}".encode())
        for tensor in (self.grey, self.covered, self.labelled, self.target, self.weight):
            for part in _in_turn(tensor) if isinstance(tensor, OnCanvas) else [tensor]:
                digest.update(part.contiguous().numpy().data)
        return digest.hexdigest()[:16]


def prepare_images(
    images: Sequence[Tensor],
    labels: Sequence[Tensor | None],
    pixel_sizes: Sequence[Sequence[float]],
    *,
    classes: int,
    image_size: int,
) -> TrainingImages:
    """Bring images to the canvas: the longer side (in mm) of each becomes `image_size` pixels, pixels become square.

    Args:
        images: (h, w) each, grey in [0, 1], sizes may differ.
        labels: per image (h, w) class numbers, -1 where unlabelled, or None for an image without any label.
        pixel_sizes: rows' and columns' spacing of each image; only their ratio matters.
        classes: number of classes, background included.
        image_size: longer side of the canvas in pixels.

    Raises:
        ValueError: not one label and pixel size an image, or no image is labelled.
    """
    targets = [None if label is None else one_hot(label, classes) for label in labels]
    return prepare_soft_images(images, targets, pixel_sizes, image_size=image_size)


def prepare_soft_images(
    images: Sequence[Tensor],
    targets: Sequence[tuple[Tensor, Tensor] | None],
    pixel_sizes: Sequence[Sequence[float]],
    *,
    image_size: int,
    in_memory: bool = True,
) -> TrainingImages:
    """Like `prepare_images`, with soft labels: class probabilities (C, h, w) times weight, and the weight (h, w).

    Images that are not to be in memory are taken from their sequence when they are asked for.
    """
    if not len(images) == len(targets) == len(pixel_sizes):
        raise ValueError(f"{len(images)} images, {len(targets)} labels, {len(pixel_sizes)} pixel sizes")
    known = [(number, target) for number, target in enumerate(targets) if target is not None]
    if not known:
        raise ValueError("no image is labelled")
    shapes = [canvas_shape(image.shape, size, image_size) for image, size in zip(images, pixel_sizes, strict=True)]
    canvas = (max(rows for rows, _ in shapes), max(columns for _, columns in shapes))

    grey, covered = (OnCanvas(images, shapes, canvas, draw) for draw in (_grey_on_canvas, _covered_of_canvas))
    placed = []
    for number, (weighted, weight) in known:
        both = resize_slices(torch.cat([weighted, weight[None]]).float(), shapes[number])
        placed.append(F.pad(both, (0, canvas[1] - both.shape[2], 0, canvas[0] - both.shape[1])))
    stacked = torch.stack(placed)
    weights = stacked[:, -1]
    return TrainingImages(
        # As far as batches and fingerprints go, what is drawn when it is asked for is a tensor.
        grey=grey.all() if in_memory else cast("Tensor", grey),
        covered=covered.all() if in_memory else cast("Tensor", covered),
        labelled=torch.tensor([number for number, _ in known]),
        target=stacked[:, :-1] / weights[:, None].clamp(min=1e-6),
        weight=weights,
    )


def _grey_on_canvas(images: Sequence[Tensor], number: int, shape: Size, canvas: Size) -> Tensor:
    """An image (1, H, W) on its canvas, uint8."""
    resized = resize_slices(images[number][None].float().clamp(0, 1), shape)
    return _placed((resized * 255).round().to(torch.uint8), canvas)


def _covered_of_canvas(images: Sequence[Tensor], number: int, shape: Size, canvas: Size) -> Tensor:
    """Where a canvas (1, H, W) holds an image, bool."""
    return _placed(torch.ones(1, *shape, dtype=torch.bool), canvas)


def _placed(image: Tensor, canvas: Size) -> Tensor:
    placed = image.new_zeros(1, *canvas)
    placed[:, : image.shape[1], : image.shape[2]] = image
    return placed


def _in_turn(images: OnCanvas) -> Iterator[Tensor]:
    for number in range(len(images)):
        yield images[torch.tensor([number])]


def canvas_shape(shape: Sequence[int], pixel_size: Sequence[float], image_size: int) -> Size:
    """Rows and columns at which the networks read an image: square pixels, the longer side `image_size`."""
    return network_shape(shape, pixel_size, image_size, patch_size=1)


def one_hot(label: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Class numbers (h, w), -1 where unlabelled, as probabilities times weight (C, h, w) and weight (h, w)."""
    weight = (label != UNLABELLED).float()
    probability = F.one_hot(label.long().clamp(min=0), classes).movedim(-1, 0).float()
    return probability * weight, weight


def image_grey(image: Scan) -> Tensor:
    """Grey values (rows, columns) of an image in [0, 1], whatever its gain and unit: nearly the whole range of them."""
    pixels = image.voxels[..., 0].T.astype(np.float32)
    low, high = np.percentile(pixels, GREY_PERCENTILES)
    spread = max(high - low, least_spread(max(abs(low), abs(high))))
    return torch.from_numpy((pixels - low) / spread).clamp(0, 1)


def image_pixel_size(geometry: Geometry) -> tuple[float, float]:
    """Spacing in mm of the rows and the columns of an image, as `prepare_images` wants it."""
    return geometry.spacing[1], geometry.spacing[0]


def network_input(grey: Tensor) -> Tensor:
    """Grey images (B, 1, H, W) in [0, 1] as three equal channels, normalised as ImageNet's (the Swin weights)."""
    mean = torch.tensor(IMAGENET_MEAN, device=grey.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=grey.device).view(1, 3, 1, 1)
    return ((grey - mean) / std).contiguous(memory_format=torch.channels_last)
