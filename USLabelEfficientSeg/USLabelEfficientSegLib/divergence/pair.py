"""UNeXt and its partner."""

from __future__ import annotations

from torch import Tensor, nn

from .images import network_input
from .swin_unet import SwinUnet
from .unext import UNeXt


class NetworkPair(nn.Module):
    """UNeXt, which is deployed, and its partner in training.

    Args:
        classes: number of classes, background included.
        transformer_width: of the Swin-Unet that is the partner; None if UNeXt's own moving average is.
    """

    def __init__(self, classes: int, transformer_width: int | None) -> None:
        super().__init__()
        self.unext = UNeXt(classes)
        self.swin_unet = None if transformer_width is None else SwinUnet(classes, width=transformer_width)

    def networks(self) -> dict[str, nn.Module]:
        """By name, the deployed network first."""
        known = {"unext": self.unext, "swin_unet": self.swin_unet}
        return {name: network for name, network in known.items() if network is not None}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Logits (B, C, H, W) of each network, of grey images (B, 1, H, W) in [0, 1]."""
        inputs = network_input(images)
        return {name: network(inputs).float() for name, network in self.networks().items()}
