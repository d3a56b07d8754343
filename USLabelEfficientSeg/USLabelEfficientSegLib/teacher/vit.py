"""Vision transformer whose weights have the names and meaning of the public DINO checkpoints.

Dosovitskiy et al., "An Image is Worth 16x16 Words", arXiv 2010.11929; Caron et al., DINO, arXiv 2104.14294.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

#: name -> (channels, blocks, attention heads)
ARCHITECTURES = {"mini": (192, 4, 3), "tiny": (192, 12, 3), "small": (384, 12, 6)}


class PatchEmbedding(nn.Module):
    """Linear projection of non-overlapping patches."""

    def __init__(self, patch_size: int, channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, channels, patch_size, patch_size)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1 or 3, H, W) -> (B, C, H / patch_size, W / patch_size), see `VisionTransformer`."""
        if images.shape[1] == 3:
            return self.proj(images)
        # (g - mean) / std on three equal channels is one channel with summed kernels: a third of the work.
        scaled = self.proj.weight / self.std
        assert self.proj.bias is not None
        bias = self.proj.bias - (scaled * self.mean).sum(dim=(1, 2, 3))
        return F.conv2d(images, scaled.sum(dim=1, keepdim=True), bias, stride=self.proj.stride)


class Attention(nn.Module):
    """Multi-head self-attention over tokens (B, N, C)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        batch, count, channels = tokens.shape
        qkv = self.qkv(tokens).view(batch, count, 3, self.heads, channels // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.proj(mixed.transpose(1, 2).reshape(batch, count, channels))


class Mlp(nn.Module):
    """Two linear layers with GELU, hidden width four times the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, 4 * channels)
        self.fc2 = nn.Linear(4 * channels, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        return self.fc2(F.gelu(self.fc1(tokens)))


class Block(nn.Module):
    """Pre-normalised transformer block."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        self.attn = Attention(channels, heads)
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = Mlp(channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class VisionTransformer(nn.Module):
    """ViT encoder; `state_dict` names are those of the public DINO checkpoints.

    Args:
        patch_size: side of a patch in pixels.
        embed_dim: channels of a token.
        depth: number of blocks.
        num_heads: attention heads, a divisor of `embed_dim`.
        image_size: image side that `pos_embed` is made for; other sizes interpolate it.

    Input is (B, 1, H, W) grey in [0, 1], replicated and normalised with ImageNet mean and std inside, or
    (B, 3, H, W) already normalised; H and W are multiples of `patch_size`.
    """

    def __init__(
        self,
        patch_size: int = 8,
        embed_dim: int = 384,
        depth: int = 12,
        num_heads: int = 6,
        image_size: int = 224,
    ) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        side = image_size // patch_size
        self.patch_embed = PatchEmbedding(patch_size, embed_dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + side * side, embed_dim))
        self.blocks = nn.ModuleList(Block(embed_dim, num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(embed_dim, eps=1e-6)
        self.apply(initialise_linear)
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        with torch.no_grad():
            self.pos_embed[0, 1:] = sine_cosine_positions(side, embed_dim)

    def position_embedding(self, height: int, width: int) -> Tensor:
        """Positional embedding (1, 1 + height * width, C) of a grid of patches, interpolated as DINO does."""
        side = math.isqrt(self.pos_embed.shape[1] - 1)
        if (height, width) == (side, side):
            return self.pos_embed
        grid = self.pos_embed[:, 1:].view(1, side, side, -1).permute(0, 3, 1, 2)
        # DINO adds 0.1 so that rounding never loses a row; the factor, not the size, sets where it samples.
        factors = ((height + 0.1) / side, (width + 0.1) / side)
        resized = F.interpolate(grid, scale_factor=factors, mode="bicubic")
        return torch.cat([self.pos_embed[:, :1], resized.flatten(2).transpose(1, 2)], dim=1)

    def embed(self, images: Tensor) -> Tensor:
        """Tokens (B, 1 + h * w, C) with positions, class token first, before the first block."""
        patches = self.patch_embed(images)
        height, width = patches.shape[-2:]
        tokens = torch.cat([self.cls_token.expand(len(images), -1, -1), patches.flatten(2).transpose(1, 2)], dim=1)
        return tokens + self.position_embedding(height, width)

    def encode(self, tokens: Tensor) -> Tensor:
        """All blocks and the final norm: (B, N, C) -> (B, N, C), for any subset of the embedded tokens."""
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)

    def forward_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Patch tokens as a map (B, C, h, w) and the class token (B, C), both after the final norm."""
        tokens = self.encode(self.embed(images))
        height, width = (size // self.patch_size for size in images.shape[-2:])
        patches = tokens[:, 1:].transpose(1, 2).unflatten(2, (height, width))
        return patches, tokens[:, 0]

    def forward(self, images: Tensor) -> Tensor:
        """Class token (B, C)."""
        return self.encode(self.embed(images))[:, 0]


def build_vit(name: str, patch_size: int, image_size: int) -> VisionTransformer:
    """A randomly initialised ViT 'mini', 'tiny' or 'small' (see `ARCHITECTURES`)."""
    embed_dim, depth, num_heads = ARCHITECTURES[name]
    return VisionTransformer(patch_size, embed_dim, depth, num_heads, image_size)


def initialise_linear(module: nn.Module) -> None:
    """Truncated normal weights of std 0.02 and zero biases, for `Module.apply`."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def sine_cosine_positions(side: int, channels: int) -> Tensor:
    """Sine-cosine embedding (side * side, channels) of a square grid's positions, rows first.

    `channels` is a multiple of 4. Short pretraining has no time to learn positions from scratch.
    """
    frequencies = 10000.0 ** -torch.linspace(0, 1, channels // 4 + 1)[:-1]
    angles = torch.arange(side)[:, None] * frequencies
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows, columns = waves[:, None].expand(-1, side, -1), waves[None].expand(side, -1, -1)
    return torch.cat([rows, columns], dim=2).reshape(side * side, channels)
