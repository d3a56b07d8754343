"""The volumes of a study for training: on the working grid, kept in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..annotation.sparse_labels import SparseLabels
from ..imaging.intensities import normalised_grey
from ..imaging.normalisation import AnatomicalFrame, image_channels, position_channels
from ..imaging.resampling import resample_axes, working_geometry
from ..imaging.scan import Scan
from ..imaging.sector import sector_mask
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
        frame: where the anatomy lies.
        slice_votes: class probabilities (C, I, J, K) that each 2-D network gives it, none before they are trained.
    """

    name: str
    spacing: tuple[float, float, float]
    grey: Tensor
    image: Tensor
    sector: Tensor
    labels: SoftTarget | None
    pseudo: SoftTarget | None = None
    features: NDArray[np.float16] | None = None
    frame: AnatomicalFrame = field(default_factory=AnatomicalFrame)
    slice_votes: tuple[Tensor, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size (I, J, K) of the working grid."""
        i, j, k = self.sector.shape
        return i, j, k

    @property
    def position(self) -> Tensor:
        """Position of each voxel in the anatomy's frame (3, I, J, K)."""
        return position_channels(self.shape, self.frame)

    @property
    def inputs(self) -> Tensor:
        """Image and position channels (5, I, J, K) float32."""
        return torch.cat([self.image.float(), self.position])

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

    def equally_trusted(self) -> TrainingVolume:
        """The same volume with pseudo-labels of weight 1 wherever they count at all."""
        if self.pseudo is None:
            return self
        weight = (self.pseudo.weight > 0).float()
        return replace(self, pseudo=SoftTarget(self.pseudo.probability * weight, weight))


def prepare_volume(volume: Scan, labels: SparseLabels | None, max_voxels: int) -> TrainingVolume:
    """Bring a volume and its sparse labels to the working grid, and normalise its intensities.

    Everything outside the ultrasound sector is certainly background; inside, a volume is labelled only where somebody
    looked.
    """
    grid = working_geometry(volume.geometry, max_voxels)
    voxels = resample_axes(volume.voxels, grid.shape)
    sector = sector_mask(voxels)
    return TrainingVolume(
        name=volume.name,
        spacing=grid.spacing,
        grey=torch.from_numpy(normalised_grey(voxels, sector)),
        image=image_channels(voxels, sector, grid.spacing).half(),
        sector=torch.from_numpy(sector),
        labels=None if labels is None else label_target(labels, grid.shape),
    )
