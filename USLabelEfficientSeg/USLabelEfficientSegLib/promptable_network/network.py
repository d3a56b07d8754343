"""The promptable network: a residual U-Net on a cube, and two convolutions at full resolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..student.residual_unet import residual_unet

CUBE = 48  # voxels an axis
CHANNELS = ("image", "prompt", "told", "prior", "prior told")
WIDTHS = (16, 32, 64, 128, 128)
STRIDES = (2, 2, 2, 2)
_DETAIL = 8


class PromptableNetwork(nn.Module):
    """Logits of one organ from an image, a drawing of the organ, and another opinion.

    The U-Net does most of its work at half of the resolution. The last two convolutions see the image and the prompts
    at full resolution beside its result, and sharpen it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unet = residual_unet(3, 1, WIDTHS, STRIDES, inputs=len(CHANNELS))
        self.detail = nn.Sequential(
            nn.Conv3d(len(CHANNELS) + 1, _DETAIL, 3, padding=1), nn.PReLU(), nn.Conv3d(_DETAIL, 1, 3, padding=1)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (B, 1, N, N, N) of inputs (B, channels, N, N, N); see `CHANNELS`, N a multiple of 16."""
        coarse = self.unet(inputs)
        sharp: Tensor = coarse + self.detail(torch.cat([inputs, coarse], dim=1))
        return sharp
