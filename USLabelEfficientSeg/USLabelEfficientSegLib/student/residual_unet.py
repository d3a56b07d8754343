"""The U-Net (arXiv 1505.04597) of our students and of all rivals: they differ in what they learn from, not in this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch.nn.functional as F
from monai.networks.nets import UNet
from torch import Tensor

from ..imaging.normalisation import IMAGE_CHANNELS, POSITION_CHANNELS


def residual_unet(
    dimensions: int,
    classes: int,
    widths: Sequence[int],
    strides: Sequence[int] | Sequence[Sequence[int]],
    *,
    inputs: int = IMAGE_CHANNELS + POSITION_CHANNELS,
    dropout: float = 0.0,
) -> UNet:
    """A U-Net of residual units (Kerfoot et al., STACOM 2018, as MONAI has it) with instance normalisation.

    Args:
        dimensions: 2 or 3.
        classes: organs + 1.
        widths: channels of the levels, finest first; the last two have the same cells.
        strides: by how much each level but the last coarsens, all axes alike or each of its own.
        inputs: image and position channels.
        dropout: probability that a feature is dropped while training.
    """
    return UNet(
        spatial_dims=dimensions,
        in_channels=inputs,
        out_channels=classes,
        channels=widths,
        strides=cast(Sequence[int], strides),  # MONAI takes one for each axis as well
        num_res_units=2,
        norm=("INSTANCE", {"affine": True}),  # batches are single volumes
        dropout=dropout,
    )


def padded_to_cells(images: Tensor, cells: Sequence[int]) -> Tensor:
    """(B, C, ...) continued at the far ends to whole cells, at least two: one alone cannot be normalised."""
    sizes = images.shape[2:]
    missing = [-n % cell for n, cell in zip(sizes, cells, strict=True)]
    if all(n <= cell for n, cell in zip(sizes, cells, strict=True)):
        missing[0] += cells[0]
    return F.pad(images, [amount for n in reversed(missing) for amount in (0, n)], mode="replicate")


def cropped(images: Tensor, sizes: Sequence[int]) -> Tensor:
    """The first `sizes` pixels of (B, C, ...) along each axis: what `padded_to_cells` added is left out."""
    inside: list[Any] = [..., *(slice(n) for n in sizes)]
    return images[tuple(inside)]
