"""The 3-D student: a residual U-Net that reads a whole volume at once.

The clues to where an organ ends are often far away, so the coarsest level sees the whole volume. With a handful of
labels, variance limits accuracy rather than resolution, so the student works on a coarse grid, mostly at half its
resolution. It is two orders of magnitude faster than the published network (see `published.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import cast

from torch import Tensor, nn

from ..anatomy.location_prior import LocationPrior
from ..imaging.normalisation import POSITION_CHANNELS
from .residual_unet import cropped, padded_to_cells, residual_unet

Steps = tuple[int, int, int]


class UNetStudent(nn.Module):
    """A residual U-Net beside the location prior.

    Its last level is normalised before the last convolution, which fixes mean and spread of the logits over a volume:
    an organ is then about as large in one volume as in the next, unless the image says otherwise. That alone is worth
    0.015 of Dice (docs/experiments.md). The logits are added to the prior's, which are zero until it is set.

    Args:
        inputs: image and position channels.
        classes: organs + 1.
        spacing: voxel size in mm of the working grid: an axis is halved only where it is not much coarser than
            the finest one, so that anisotropic volumes become more isotropic from level to level.
        widths: channels of the levels, finest first; the last two have the same cells.
    """

    def __init__(self, inputs: int, classes: int, spacing: Sequence[float], widths: Sequence[int]) -> None:
        super().__init__()
        self.strides = halvings(spacing, len(widths) - 1)
        whole = residual_unet(3, classes, widths, self.strides, inputs=inputs)
        self.down, self.across, self.up = cast(nn.Sequential, whole.model)
        self.prior = LocationPrior(classes - 1)
        decoded = widths[0] + (widths[0] if len(widths) > 2 else widths[1])  # the last level comes with its own width
        self.feature_head = nn.Conv3d(decoded, decoded, 1)
        self.cell = self.strides[0]  # voxels of a feature

    def forward(self, volume: Tensor) -> Tensor:
        """Logits (B, classes, I, J, K) of volumes (B, inputs, I, J, K) of any size, position channels last."""
        return self._logits(self._decoded(volume), volume)

    def forward_with_features(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and features (B, F, i, j, k) that tile the volume, for correlation distillation."""
        decoded = self._decoded(volume)
        return self._logits(decoded, volume), self.feature_head(decoded)

    def _decoded(self, volume: Tensor) -> Tensor:
        """The finest level (B, F, i, j, k): what the encoder passes on beside what the decoder makes of the rest."""
        cells = [prod(steps) for steps in zip(*self.strides, strict=True)]
        decoded: Tensor = self.across(self.down(padded_to_cells(volume, cells)))
        return decoded

    def _logits(self, decoded: Tensor, volume: Tensor) -> Tensor:
        seen: Tensor = cropped(self.up(decoded), volume.shape[2:])
        return seen + self.prior(volume[:, -POSITION_CHANNELS:])


def halvings(spacing: Sequence[float], levels: int) -> list[Steps]:
    """For each level, by how much each axis is coarsened: 2, or 1 where it is 1.5 times coarser than the finest."""
    current, plan = list(spacing), []
    for _ in range(levels):
        i, j, k = (2 if step < 1.5 * min(current) else 1 for step in current)
        plan.append((i, j, k))
        current = [step * factor for step, factor in zip(current, plan[-1], strict=True)]
    return plan
