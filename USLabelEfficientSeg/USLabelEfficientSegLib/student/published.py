"""The student network as published with CDKD (doi 10.1016/j.ultrasmedbio.2025.12.014), for comparison."""

import torch
from torch import Tensor, nn
from torch.nn import functional

FEATURE_CHANNELS = 384


class PublishedStudent(nn.Module):
    """U-shaped network with convolutions within slices and a bottleneck of dilated 3-D convolutions.

    Resolution is halved three times within the slices, never along the slice axis: the bottleneck alone,
    three convolutions of 3x3x3 with dilation (1, 2, 2), relates a slice to its neighbours. The paper trains
    on blocks of 16 slices of 256 x 256. With one output it has 2,261,345 parameters, with the feature head
    2,557,025.

    Args:
        outputs: channels of the last layer: 1 for a single organ as published, organs + 1 for several.
        feature_head: adds the head that correlation distillation needs: the bottleneck and the three decoder
            levels, averaged to the resolution of the bottleneck, give 384 channels and pass two 1x1x1
            convolutions.
    """

    def __init__(self, outputs: int = 1, feature_head: bool = False) -> None:
        super().__init__()
        self.encoder1 = nn.Sequential(_in_slice(1, 32, size=7), nn.ReLU(), _in_slice(32, 32), nn.ReLU())
        self.encoder2 = nn.Sequential(_in_slice(32, 64), nn.ReLU(), _in_slice(64, 64), nn.ReLU())
        self.encoder3 = nn.Sequential(_in_slice(64, 128), nn.ReLU(), _in_slice(128, 128), nn.ReLU())
        self.bottleneck = nn.Sequential(*(layer for _ in range(3) for layer in (_across_slices(128), nn.ReLU())))
        self.decoder3 = nn.Sequential(_in_slice(256, 128), nn.ReLU(), _in_slice(128, 128), nn.ReLU())
        self.decoder2 = nn.Sequential(_in_slice(192, 64), nn.ReLU(), _in_slice(64, 64), nn.ReLU())
        self.decoder1 = nn.Sequential(_in_slice(96, 64), nn.ReLU())
        self.output = _in_slice(64, outputs)
        self.halve = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        self.feature_head: nn.Module | None = None
        if feature_head:
            self.feature_head = nn.Sequential(
                nn.Dropout(0.5),
                nn.Conv3d(FEATURE_CHANNELS, FEATURE_CHANNELS, 1),
                nn.ReLU(),
                nn.Conv3d(FEATURE_CHANNELS, FEATURE_CHANNELS, 1),
            )

    def forward(self, volume: Tensor) -> Tensor:
        """Logits (B, outputs, S, H, W) of volumes (B, 1, S, H, W): S slices of H x W, multiples of 8."""
        logits: Tensor = self.output(self._levels(volume)[-1])
        return logits

    def forward_with_features(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        """Logits as from `forward`, and features (B, 384, S, H / 8, W / 8) for correlation distillation."""
        if self.feature_head is None:
            raise ValueError("the network was made without a feature head")
        levels = self._levels(volume)
        pooled = [functional.avg_pool3d(level, (1, 2**halvings, 2**halvings)) for halvings, level in enumerate(levels)]
        return self.output(levels[-1]), self.feature_head(torch.cat(pooled, dim=1))

    def _levels(self, volume: Tensor) -> list[Tensor]:
        """Bottleneck and decoder levels, from coarse to fine."""
        if volume.shape[-1] % 8 or volume.shape[-2] % 8:
            raise ValueError(f"height and width must be multiples of 8, got {tuple(volume.shape[-2:])}")
        fine = self.encoder1(volume)
        middle = self.encoder2(self.halve(fine))
        coarse = self.encoder3(self.halve(middle))
        levels = [self.bottleneck(self.halve(coarse))]
        for decoder, skip in ((self.decoder3, coarse), (self.decoder2, middle), (self.decoder1, fine)):
            doubled = functional.interpolate(levels[-1], scale_factor=(1, 2, 2))
            levels.append(decoder(torch.cat([doubled, skip], dim=1)))
        return levels


def _in_slice(inputs: int, outputs: int, size: int = 3) -> nn.Conv3d:
    return nn.Conv3d(inputs, outputs, (1, size, size), padding=(0, size // 2, size // 2))


def _across_slices(channels: int) -> nn.Conv3d:
    return nn.Conv3d(channels, channels, 3, padding=(1, 2, 2), dilation=(1, 2, 2))
