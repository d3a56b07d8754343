"""Masked-image modelling: predict hidden patches from the visible ones. He et al., arXiv 2111.06377.

The encoder sees only the visible patches and no second network runs beside it: cheap enough for a CPU.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .vit import Block, VisionTransformer, initialise_linear, sine_cosine_positions

# Standard deviations of 1.5 % grey and less are noise, not structure; normalising would blow them up.
PATCH_VARIANCE_FLOOR = 0.015**2


class MaskedAutoencoder(nn.Module):
    """A ViT encoder of visible patches and a small decoder of hidden ones.

    Args:
        vit: the encoder to train.
        mask_ratio: share of the patches that is hidden.
        decoder_dim: channels of the decoder, a multiple of 32.
        decoder_depth: its number of blocks.
    """

    def __init__(
        self, vit: VisionTransformer, mask_ratio: float, decoder_dim: int = 96, decoder_depth: int = 2
    ) -> None:
        super().__init__()
        self.vit = vit
        self.mask_ratio = mask_ratio
        self.narrow = nn.Linear(vit.embed_dim, decoder_dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder_dim))
        self.blocks = nn.Sequential(*(Block(decoder_dim, decoder_dim // 32) for _ in range(decoder_depth)))
        self.norm = nn.LayerNorm(decoder_dim, eps=1e-6)
        self.pixels = nn.Linear(decoder_dim, vit.patch_size**2)
        for module in (self.narrow, self.blocks, self.pixels):
            module.apply(initialise_linear)
        nn.init.trunc_normal_(self.mask_token, std=0.02)

    def forward(self, images: Tensor, order: Tensor) -> Tensor:
        """Mean squared error of the hidden patches, each normalised to zero mean and unit variance.

        Args:
            images: (B, 1, S, S) grey in [0, 1].
            order: (B, N) a random permutation of the N patches of each image; the first stay visible.
        """
        count = order.shape[1]
        visible = count - round(self.mask_ratio * count)
        tokens = self.vit.embed(images)
        kept = torch.cat([tokens[:, :1], take(tokens[:, 1:], order[:, :visible])], dim=1)
        encoded = self.narrow(self.vit.encode(kept))
        hidden = self.mask_token.expand(len(images), count - visible, -1)
        positions = sine_cosine_positions(images.shape[-1] // self.vit.patch_size, self.mask_token.shape[-1])
        placed = torch.cat([encoded[:, 1:], hidden], dim=1) + positions.to(images)[order]
        decoded = self.blocks(torch.cat([encoded[:, :1], placed], dim=1))[:, 1 + visible :]
        target = take(normalised_patches(images, self.vit.patch_size), order[:, visible:])
        return F.mse_loss(self.pixels(self.norm(decoded)), target)


def take(tokens: Tensor, index: Tensor) -> Tensor:
    """Tokens (B, M, C) of (B, N, C) at `index` (B, M)."""
    return tokens.gather(1, index[..., None].expand(-1, -1, tokens.shape[-1]))


def normalised_patches(images: Tensor, patch_size: int) -> Tensor:
    """Patches (B, N, patch_size^2) of (B, 1, H, W), rows first, each with mean 0 and variance about 1."""
    patches = F.unfold(images, patch_size, stride=patch_size).transpose(1, 2)
    variance, mean = torch.var_mean(patches, dim=2, keepdim=True)
    return (patches - mean) / (variance + PATCH_VARIANCE_FLOOR).sqrt()


def random_order(count: int, patches: int, generator: torch.Generator) -> Tensor:
    """(count, patches) random permutations."""
    return torch.rand((count, patches), generator=generator).argsort(dim=1)
