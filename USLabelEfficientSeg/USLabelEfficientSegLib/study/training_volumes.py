"""The volumes of a study as networks are trained on them: on the working grid, kept in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..annotation.sparse_labels import SparseLabels
from ..imaging.normalisation import image_channels, position_channels
from ..imaging.resampling import resample_axes, working_geometry
from ..imaging.sector import sector_mask
from ..imaging.volume import UltrasoundVolume
from .targets import SoftTarget, label_target

FULLY_LABELLED = 0.99


@dataclass(frozen=True)
class TrainingVolume:
    """One volume on its working grid.

    Attributes:
        name: of the case.
        spacing: voxel size in mm of the working grid.
        grey: (I, J, K) intensities in [0, 1], what the teacher sees.
        image: (2, I, J, K) float16, normalised intensities, what the student sees.
        sector: (I, J, K) bool, voxels that carry image.
        labels: true labels, None where nothing is labelled.
        pseudo: pseudo-labels, None before there are any.
        features: the teacher's features (n, C, h, w) of the n slices along the slice axis, None without distillation.
    """

    name: str
    spacing: tuple[float, float, float]
    grey: Tensor
    image: Tensor
    sector: Tensor
    labels: SoftTarget | None
    pseudo: SoftTarget | None = None
    features: NDArray[np.float16] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size (I, J, K) of the working grid."""
        i, j, k = self.sector.shape
        return i, j, k

    @property
    def inputs(self) -> Tensor:
        """Image and position channels (5, I, J, K) float32."""
        return torch.cat([self.image.float(), position_channels(self.shape)])

    @property
    def known(self) -> tuple[Tensor, Tensor] | None:
        """Voxels whose label is known, bool (I, J, K), and their class probabilities (C, I, J, K)."""
        if self.labels is None:
            return None
        return self.labels.weight > FULLY_LABELLED, self.labels.probability

    def taught(self, probability: Tensor, weight: Tensor, features: NDArray[np.float16] | None) -> TrainingVolume:
        """The same volume with pseudo-labels wherever it is not labelled, and with teacher features."""
        weight = weight * self.sector
        if self.labels is not None:
            weight = weight * (1 - self.labels.weight)
        return replace(self, pseudo=SoftTarget(probability * weight, weight), features=features)


def prepare_volume(volume: UltrasoundVolume, labels: SparseLabels | None, max_voxels: int) -> TrainingVolume:
    """Bring a volume and its sparse labels to the working grid, and normalise its intensities.

    Everything outside the ultrasound sector is background for certain, so a labelled volume's sector counts as
    labelled only where somebody looked.
    """
    grid = working_geometry(volume.geometry, max_voxels)
    voxels = resample_axes(volume.voxels, grid.shape)
    sector = sector_mask(voxels)
    inside = voxels[sector]
    low, high = np.percentile(inside, [0.5, 99.5])
    grey = np.clip((voxels - low) / max(high - low, 1e-6), 0, 1) * sector
    return TrainingVolume(
        name=volume.name,
        spacing=grid.spacing,
        grey=torch.from_numpy(grey.astype(np.float32)),
        image=image_channels(voxels, sector, grid.spacing).half(),
        sector=torch.from_numpy(sector),
        labels=None if labels is None else label_target(labels, grid.shape),
    )
