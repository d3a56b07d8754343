"""The networks of the rivals: the U-Net of our students, one for volumes and one for slices, and a plain one.

The first two read image and position channels, and share one interface: volumes (B, 5, I, J, K) to logits
(B, C, I, J, K).
"""

from __future__ import annotations

from math import prod

from monai.networks.nets import BasicUNet
from torch import Tensor, nn

from ...student.convolution import with_fast_convolutions
from ...student.residual_unet import cropped, padded_to_cells, residual_unet

CHANNELS = (16, 32, 64, 128)
_STRIDES = (2,) * (len(CHANNELS) - 1)


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


class PlainUNet(nn.Module):
    """The 2-D U-Net of the paper (arXiv 1505.04597) with batch normalisation, a quarter as wide, on one channel.

    Batch normalisation keeps how bright an image is as a whole. Normalised one by one, an image without any bright
    organ shows one all the same.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        widths = (*CHANNELS, CHANNELS[-1], CHANNELS[0])
        self.network = BasicUNet(2, 1, classes, widths, act=("relu", {"inplace": True}), norm="batch")

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, C, H, W) of images (N, 1, H, W) of any size."""
        sizes = images.shape[2:]
        return cropped(self.network(padded_to_cells(images, [2 ** len(CHANNELS)] * 2)), sizes)


def unet(dimensions: int, classes: int, dropout: float) -> nn.Module:
    """A residual U-Net of four levels that halves every axis."""
    return with_fast_convolutions(residual_unet(dimensions, classes, CHANNELS, _STRIDES, dropout=dropout))


def padded(network: nn.Module, images: Tensor) -> Tensor:
    """`network` on (B, C, ...) of any size, for networks that need multiples of eight."""
    sizes = images.shape[2:]
    return cropped(network(padded_to_cells(images, [prod(_STRIDES)] * len(sizes))), sizes)
