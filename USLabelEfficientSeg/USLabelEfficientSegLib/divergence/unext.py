"""UNeXt, the small network that is deployed: convolutions outside, shifted token MLPs inside.

Valanarasu and Patel, "UNeXt: MLP-based Rapid Medical Image Segmentation Network", arXiv 2203.04967.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (16, 32, 128, 160, 256)
SHIFTS = (-2, -1, 0, 1, 2)


class UNeXt(nn.Module):
    """Segments images of any size from 32 pixels a side; 1,471,938 weights for 2 classes and the published widths.

    Args:
        classes: number of classes, background included.
        channels: of the input images.
        widths: channels of the three convolutional and two token levels.
    """

    def __init__(self, classes: int, channels: int = 3, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        first, second, third, fourth, fifth = widths
        self.encoder = nn.ModuleList(
            [convolution(channels, first), convolution(first, second), convolution(second, third)]
        )
        self.token_encoder = nn.ModuleList([TokenStage(third, fourth, stride=2), TokenStage(fourth, fifth, stride=2)])
        self.token_decoder = nn.ModuleList([convolution(fifth, fourth), convolution(fourth, third)])
        self.token_mixers = nn.ModuleList([TokenMixer(fourth), TokenMixer(third)])
        self.decoder = nn.ModuleList([convolution(third, second), convolution(second, first)])
        self.last = nn.Conv2d(first, first, 3, padding=1)
        self.classifier = nn.Conv2d(first, classes, 1)
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes, H, W) of images (B, channels, H, W)."""
        skips = []
        maps = images
        for level in self.encoder:
            maps = F.relu(F.max_pool2d(level(maps), 2))
            skips.append(maps)
        maps = self.token_encoder[0](maps)
        skips.append(maps)
        maps = self.token_encoder[1](maps)
        for level, mixer in zip(self.token_decoder, self.token_mixers, strict=True):
            maps = mixer(_add_upsampled(level(maps), skips.pop()))
        for level in self.decoder:
            maps = _add_upsampled(level(maps), skips.pop())
        maps = F.relu(F.interpolate(self.last(maps), images.shape[2:], mode="bilinear"))
        return self.classifier(maps)


class TokenMixer(nn.Module):
    """Shifted MLP over tokens, residual, and the layer norm that follows it: (B, C, H, W) -> (B, C, H, W).

        y = x + linear(shift_W(GELU(depthwise 3x3(linear(shift_H(norm(x)))))))

    where a shift moves the fifths of the channels by -2 to 2 tokens along an axis and fills with zeros.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm_in = nn.LayerNorm(channels)
        self.linear_in = nn.Linear(channels, channels)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.linear_out = nn.Linear(channels, channels)
        self.norm_out = nn.LayerNorm(channels, eps=1e-5)

    def forward(self, maps: Tensor) -> Tensor:
        """Mix the tokens."""
        tokens = maps.permute(0, 2, 3, 1)
        mixed = self.linear_in(shift_channels(self.norm_in(tokens), axis=1))
        mixed = F.gelu(self.depthwise(mixed.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
        tokens = tokens + self.linear_out(shift_channels(mixed, axis=2))
        return self.norm_out(tokens).permute(0, 3, 1, 2)


class TokenStage(nn.Module):
    """Overlapping patches (3x3 convolution with a stride, layer norm) and a `TokenMixer`."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, out_channels, 3, stride, padding=1)
        self.norm = nn.LayerNorm(out_channels)
        self.mixer = TokenMixer(out_channels)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride), rounded up."""
        tokens = self.norm(self.project(maps).permute(0, 2, 3, 1))
        return self.mixer(tokens.permute(0, 3, 1, 2))


def shift_channels(tokens: Tensor, axis: int) -> Tensor:
    """Move the first fifth of the channels of (B, H, W, C) by -2 along `axis`, ..., the last by 2; zeros move in."""
    reach = max(SHIFTS)
    size = tokens.shape[axis]
    padding = [0, 0, reach, reach] if axis == 2 else [0, 0, 0, 0, reach, reach]
    padded = F.pad(tokens, padding)
    fifths = padded.chunk(len(SHIFTS), dim=3)
    return torch.cat(
        [fifth.narrow(axis, reach - shift, size) for fifth, shift in zip(fifths, SHIFTS, strict=True)], dim=3
    )


def convolution(channels: int, out_channels: int) -> nn.Sequential:
    """3x3 convolution and batch norm."""
    return nn.Sequential(nn.Conv2d(channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels))


def _add_upsampled(maps: Tensor, skip: Tensor) -> Tensor:
    """Resized to the skip connection, which at odd sizes is not exactly twice as large."""
    return F.relu(F.interpolate(maps, skip.shape[2:], mode="bilinear")) + skip


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        fan_out = module.out_channels * math.prod(module.kernel_size) // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        assert module.bias is not None
        nn.init.zeros_(module.bias)
