"""The networks of all rivals: U-Nets (arXiv 1505.04597) with residual units, one for volumes and one for slices.

Both read image and position channels and share one interface: volumes (B, 5, I, J, K) to logits (B, C, I, J, K).
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from monai.networks.nets import UNet
from torch import Tensor, nn

from ...imaging.normalisation import IMAGE_CHANNELS, POSITION_CHANNELS
from ...student.convolution import with_fast_convolutions

CHANNELS = (16, 32, 64, 128)
_MULTIPLE = 2 ** (len(CHANNELS) - 1)


class VolumeUNet(nn.Module):
    """A 3-D U-Net of 1.2 million weights for volumes of any size.

    Args:
        classes: organs + 1.
        dropout: probability that a feature is dropped while training.
    """

    def __init__(self, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.network = unet(3, classes, dropout)

    def forward(self, volume: Tensor) -> Tensor:
        """Logits (B, C, I, J, K)."""
        return padded(self.network, volume)


class SliceUNet(nn.Module):
    """A 2-D U-Net that reads a volume slice by slice.

    Args:
        classes: organs + 1.
        axis: array axis along which slices lie.
    """

    def __init__(self, classes: int, axis: int) -> None:
        super().__init__()
        self.network = unet(2, classes, dropout=0.0)
        self.axis = axis

    def forward(self, volume: Tensor) -> Tensor:
        """Logits (B, C, I, J, K)."""
        slices = volume.movedim(self.axis + 2, 1)
        logits = self.of_slices(slices.flatten(0, 1))
        return logits.unflatten(0, slices.shape[:2]).movedim(1, self.axis + 2)

    def of_slices(self, slices: Tensor) -> Tensor:
        """Logits (N, C, H, W) of slices (N, 5, H, W)."""
        return padded(self.network, slices)


def unet(dimensions: int, classes: int, dropout: float) -> nn.Module:
    """A residual U-Net of four levels (Kerfoot et al., STACOM 2018, as MONAI has it) with instance normalisation."""
    network: nn.Module = UNet(
        spatial_dims=dimensions,
        in_channels=IMAGE_CHANNELS + POSITION_CHANNELS,
        out_channels=classes,
        channels=CHANNELS,
        strides=(2,) * (len(CHANNELS) - 1),
        num_res_units=2,
        norm=("INSTANCE", {"affine": True}),
        dropout=dropout,
    )
    return with_fast_convolutions(network)


def padded(network: nn.Module, x: Tensor) -> Tensor:
    """`network` on (B, C, ...) of any size, for networks that need multiples of eight."""
    sizes = x.shape[2:]
    missing = [amount for n in reversed(sizes) for amount in (0, -n % _MULTIPLE)]
    logits: Tensor = network(F.pad(x, missing, mode="replicate"))
    inside: list[Any] = [..., *(slice(n) for n in sizes)]
    return logits[tuple(inside)]
