"""Swin-Unet, the large partner in training: a U-shaped network of shifted-window attention.

Cao et al., "Swin-Unet: Unet-like Pure Transformer for Medical Image Segmentation", arXiv 2105.05537. Blocks and
patch merging are MONAI's, the same as in Swin (arXiv 2103.14030).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.networks.nets.swin_unetr import PatchMerging, SwinTransformerBlock, compute_mask
from torch import Tensor, nn

PATCH = 4
WIDTH = 96
HEAD_CHANNELS = 32
DEPTHS = (2, 2, 2, 2)
WINDOW = 7
DROP_PATH = 0.1


class SwinUnet(nn.Module):
    """Segments images of any size; 27,168,228 weights for 2 classes with the published width.

    Tokens are (B, H, W, C) throughout. Images are padded to whole patches, maps to whole windows, and cropped back.

    Args:
        classes: number of classes, background included.
        channels: of the input images.
        width: channels of the first level, a multiple of 32; each further level doubles them.
        window: side of the attention windows in tokens.
    """

    def __init__(self, classes: int, channels: int = 3, width: int = WIDTH, window: int = WINDOW) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(len(DEPTHS))]
        first = [sum(DEPTHS[:level]) for level in range(len(DEPTHS))]
        rates = [
            [DROP_PATH * (start + block) / (sum(DEPTHS) - 1) for block in range(depth)]
            for start, depth in zip(first, DEPTHS, strict=True)
        ]
        self.embedding = nn.Conv2d(channels, width, PATCH, PATCH)
        self.embedding_norm = nn.LayerNorm(width)
        self.encoder = nn.ModuleList([SwinStage(each, rate, window) for each, rate in zip(widths, rates, strict=True)])
        self.merging = nn.ModuleList([PatchMerging(each, nn.LayerNorm, spatial_dims=2) for each in widths[:-1]])
        self.norm = nn.LayerNorm(widths[-1])
        self.expansion = nn.ModuleList([PatchExpansion(each, each // 2, 2) for each in widths[:0:-1]])
        self.fusion = nn.ModuleList([nn.Linear(2 * each, each) for each in widths[-2::-1]])
        self.decoder = nn.ModuleList(
            [SwinStage(each, rate, window) for each, rate in zip(widths[-2::-1], rates[-2::-1], strict=True)]
        )
        self.decoder_norm = nn.LayerNorm(width)
        self.final_expansion = PatchExpansion(width, width, PATCH)
        self.classifier = nn.Conv2d(width, classes, 1, bias=False)
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes, H, W) of images (B, channels, H, W)."""
        height, width = images.shape[2:]
        tokens = self.embedding(F.pad(images, (0, -width % PATCH, 0, -height % PATCH))).permute(0, 2, 3, 1)
        tokens = self.embedding_norm(tokens)
        skips = []
        for stage, merge in zip(self.encoder, self.merging, strict=False):
            tokens = stage(tokens)
            skips.append(tokens)
            tokens = merge(tokens)
        tokens = self.norm(self.encoder[-1](tokens))
        for expand, fuse, stage in zip(self.expansion, self.fusion, self.decoder, strict=True):
            skip = skips.pop()
            tokens = expand(tokens)[:, : skip.shape[1], : skip.shape[2]]
            tokens = stage(fuse(torch.cat([tokens, skip], dim=3)))
        maps = self.final_expansion(self.decoder_norm(tokens)).permute(0, 3, 1, 2)
        return self.classifier(maps)[:, :, :height, :width]


class SwinStage(nn.Module):
    """Blocks at one resolution; every second one attends in windows shifted by half their side."""

    def __init__(self, channels: int, drop_path: Sequence[float], window: int) -> None:
        super().__init__()
        self.window = window
        self.blocks = nn.ModuleList(
            [
                SwinTransformerBlock(
                    channels,
                    num_heads=channels // HEAD_CHANNELS,
                    window_size=(window, window),
                    shift_size=(0, 0) if number % 2 == 0 else (window // 2, window // 2),
                    drop_path=rate,
                )
                for number, rate in enumerate(drop_path)
            ]
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        height, width = tokens.shape[1:3]
        window, half = self.window, self.window // 2
        # Maps of less than a window are padded: MONAI would otherwise shrink the window and mix up its positions.
        tokens = F.pad(tokens, (0, 0, 0, max(0, window - width), 0, max(0, window - height)))
        padded = [math.ceil(side / window) * window for side in tokens.shape[1:3]]
        # Along an axis of a single window MONAI shifts nothing, so nothing there must be masked.
        shifts = [half if side > window else 0 for side in tokens.shape[1:3]]
        mask = _shift_mask(padded, window, shifts, tokens.device) if any(shifts) else None
        for block in self.blocks:
            tokens = block(tokens, mask)
        return tokens[:, :height, :width]


class PatchExpansion(nn.Module):
    """A linear layer makes `factor` x `factor` tokens of each: (B, H, W, C) -> (B, H f, W f, C'), then layer norm."""

    def __init__(self, channels: int, out_channels: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.linear = nn.Linear(channels, factor * factor * out_channels, bias=False)
        self.norm = nn.LayerNorm(out_channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """Expand the tokens."""
        batch, height, width, _ = tokens.shape
        parts = self.linear(tokens).view(batch, height, width, self.factor, self.factor, -1)
        return self.norm(parts.transpose(2, 3).flatten(3, 4).flatten(1, 2))


def _shift_mask(sides: Sequence[int], window: int, shifts: Sequence[int], device: torch.device) -> Tensor:
    """Keeps tokens apart that only the cyclic shift has brought into one window: (windows, tokens, tokens)."""
    return compute_mask(sides, (window, window), shifts, device)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
