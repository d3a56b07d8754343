"""The targets of training: class probabilities of each voxel, and how much they count.

True labels and pseudo-labels have the same form, *weighted soft targets*. An unlabelled voxel has weight 0. A labelled
slice that is thinner than a voxel of the working grid has the weight of the part that it fills.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..annotation.sparse_labels import UNLABELLED, SparseLabels
from ..imaging.resampling import resample_axes

_LEAST_WEIGHT = 1e-3  # of a voxel that counts as labelled


@dataclass(frozen=True)
class SoftTarget:
    """Class probabilities times weight (C, I, J, K), background first, and the weight (I, J, K).

    Probabilities are kept multiplied with their weight, so that both can be warped and added linearly.
    """

    weighted: Tensor
    weight: Tensor

    @property
    def probability(self) -> Tensor:
        """Class probabilities (C, I, J, K); 0 where nothing is known."""
        return self.weighted / self.weight.clamp_min(1e-6)

    def labelled_along(self, axis: int) -> Tensor:
        """Which slices (n,) along `axis` are labelled; a slice of another axis labels only a line across them."""
        return (self.weight.movedim(axis, 0) > _LEAST_WEIGHT).flatten(1).float().mean(dim=1) > 0.5


def label_target(labels: SparseLabels, shape: tuple[int, int, int]) -> SoftTarget:
    """Sparse labels as a target on a working grid of `shape` with the same corners (see `resample_axes`)."""
    classes = range(len(labels.organs) + 1)
    weighted = np.stack([resample_axes(labels.voxels == value, shape) for value in classes])
    weight = resample_axes(labels.voxels != UNLABELLED, shape)
    return SoftTarget(torch.from_numpy(weighted), torch.from_numpy(weight))
