"""The 3-D student: a small residual network that reads a whole volume at once.

With a handful of labels it is variance, not resolution, that limits accuracy: the student works on a coarse grid,
most of it at half that resolution, and predicts all voxels of a cell at once. It is two orders of magnitude faster
than the published network (see `published.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from ..imaging.normalisation import POSITION_CHANNELS
from ..study.location_prior import LocationPrior

Steps = tuple[int, int, int]


class ResidualStudent(nn.Module):
    """A stem at full resolution, two encoder levels, one decoder level; cells of the first level are unfolded.

    Its logits are added to those of the location prior, which is zero until it is set.

    Args:
        inputs: image and position channels.
        classes: organs + 1.
        spacing: voxel size in mm of the working grid: an axis is halved only where it is not much coarser than
            the finest one, so that anisotropic volumes become more isotropic from level to level.
        widths: channels of the stem and of the two coarser levels.
    """

    def __init__(self, inputs: int, classes: int, spacing: Sequence[float], widths: Sequence[int]) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.stride, self.deep_stride = halvings(spacing, 2)
        self.encoder = nn.Sequential(
            _convolution(inputs, fine), _convolution(fine, middle, self.stride), _ResidualBlock(middle)
        )
        self.deep = nn.Sequential(
            _convolution(middle, coarse, self.deep_stride), _ResidualBlock(coarse), nn.Conv3d(coarse, middle, 1)
        )
        self.decoder = _ResidualBlock(middle)
        self.output = nn.Conv3d(middle, classes * prod(self.stride), 1)
        nn.init.zeros_(self.output.weight)  # an untrained student predicts the location prior
        nn.init.zeros_(cast(Tensor, self.output.bias))
        self.prior = LocationPrior(classes - 1)
        self.feature_head = nn.Conv3d(middle, middle, 1)

    def forward(self, volume: Tensor) -> Tensor:
        """Logits (B, classes, I, J, K) of volumes (B, inputs, I, J, K) of any size, position channels last."""
        return self._logits(self._decode(volume), volume)

    def forward_with_features(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and features (B, F, i, j, k) that tile the volume, for correlation distillation."""
        decoded = self._decode(volume)
        return self._logits(decoded, volume), self.feature_head(decoded)

    def _decode(self, volume: Tensor) -> Tensor:
        multiples = [a * b for a, b in zip(self.stride, self.deep_stride, strict=True)]
        missing = [-n % multiple for n, multiple in zip(volume.shape[2:], multiples, strict=True)]
        padded = F.pad(volume, [x for n in reversed(missing) for x in (0, n)], mode="replicate")
        skip = self.encoder(padded)
        deep = F.interpolate(self.deep(skip), size=skip.shape[2:], mode="trilinear")
        decoded: Tensor = self.decoder(deep + skip)
        return decoded

    def _logits(self, decoded: Tensor, volume: Tensor) -> Tensor:
        i, j, k = volume.shape[2:]
        seen = depth_to_space(self.output(decoded), self.stride)[:, :, :i, :j, :k]
        expected: Tensor = self.prior(volume[:, -POSITION_CHANNELS:])
        return seen + expected


def halvings(spacing: Sequence[float], levels: int) -> list[Steps]:
    """For each level, by how much each axis is coarsened: 2, or 1 where it is 1.5 times coarser than the finest."""
    current, plan = list(spacing), []
    for _ in range(levels):
        i, j, k = (2 if step < 1.5 * min(current) else 1 for step in current)
        plan.append((i, j, k))
        current = [step * factor for step, factor in zip(current, plan[-1], strict=True)]
    return plan


def depth_to_space(volume: Tensor, block: Steps) -> Tensor:
    """Unfold cells: (B, C * voxels of a block, i, j, k) -> (B, C, i a, j b, k c)."""
    batch, _, i, j, k = volume.shape
    a, b, c = block
    split = volume.reshape(batch, -1, a, b, c, i, j, k)
    return split.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(batch, -1, i * a, j * b, k * c)


class _ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels)
        self.second = nn.Sequential(
            nn.Conv3d(channels, channels, 3, padding=1, bias=False), nn.InstanceNorm3d(channels, affine=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x + self.second(self.first(x)))


def _convolution(inputs: int, outputs: int, stride: Steps = (1, 1, 1)) -> nn.Module:
    """3x3x3 convolution, instance normalisation (batches are single volumes), leaky ReLU."""
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.InstanceNorm3d(outputs, affine=True),
        nn.LeakyReLU(inplace=True),
    )
