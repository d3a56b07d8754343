"""The volumes of a study for training: on the working grid, read when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..annotation.sparse_labels import SparseLabels
from ..disk.files import make_folder
from ..imaging.intensities import normalised_grey
from ..imaging.normalisation import AnatomicalFrame, image_channels, position_channels
from ..imaging.resampling import resample_axes, working_geometry
from ..imaging.scan import Scan
from ..imaging.sector import sector_mask
from .kept import Again, InMemory, Source, kept
from .targets import SoftTarget, label_target

FULLY_LABELLED = 0.99


@dataclass(frozen=True)
class Maps:
    """What networks see of a volume on its working grid.

    Attributes:
        grey: (I, J, K) intensities in [0, 1], what the teacher sees.
        image: (2, I, J, K) float16, normalised intensities, what the student sees.
        sector: (I, J, K) bool, voxels that carry image.
    """

    grey: Tensor
    image: Tensor
    sector: Tensor


@dataclass(frozen=True)
class Proposal:
    """Class probabilities (C, I, J, K) of a volume, and how far each voxel is to be trusted (I, J, K)."""

    probability: Tensor
    weight: Tensor


@dataclass(frozen=True)
class TrainingVolume:
    """One volume on its working grid. What is large has a source, and an attribute that asks it each time.

    Attributes:
        name: of the case.
        spacing: voxel size in mm of the working grid.
        shape: size (I, J, K) of the working grid.
        maps: what networks see.
        truth: true labels, None where nothing is labelled.
        proposed: pseudo-labels, None before there are any.
        seen: the teacher's features (n, C, h, w) of the n slices along the slice axis, None without distillation.
        frame: where the anatomy lies.
        votes: class probabilities that each 2-D network gives it, none before they are trained.
    """

    name: str
    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]
    maps: Source[Maps]
    truth: Source[SoftTarget] | None
    proposed: Source[SoftTarget] | None = None
    seen: Source[NDArray[np.float16]] | None = None
    frame: AnatomicalFrame = field(default_factory=AnatomicalFrame)
    votes: tuple[Source[Proposal], ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        spacing: tuple[float, float, float],
        grey: Tensor,
        image: Tensor,
        sector: Tensor,
        labels: SoftTarget | None,
    ) -> TrainingVolume:
        """A volume in memory."""
        i, j, k = sector.shape
        truth = None if labels is None else InMemory(labels)
        return cls(name, spacing, (i, j, k), InMemory(Maps(grey, image, sector)), truth)

    @property
    def grey(self) -> Tensor:
        """(I, J, K) intensities in [0, 1], what the teacher sees."""
        return self.maps().grey

    @property
    def image(self) -> Tensor:
        """(2, I, J, K) float16, normalised intensities, what the student sees."""
        return self.maps().image

    @property
    def sector(self) -> Tensor:
        """(I, J, K) bool, voxels that carry image."""
        return self.maps().sector

    @property
    def is_labelled(self) -> bool:
        """Whether there are true labels."""
        return self.truth is not None

    @property
    def labels(self) -> SoftTarget | None:
        """True labels, None where nothing is labelled."""
        return None if self.truth is None else self.truth()

    @property
    def pseudo(self) -> SoftTarget | None:
        """Pseudo-labels, None before there are any."""
        return None if self.proposed is None else self.proposed()

    @property
    def features(self) -> NDArray[np.float16] | None:
        """The teacher's features (n, C, h, w) of the n slices along the slice axis, None without distillation."""
        return None if self.seen is None else self.seen()

    @property
    def slice_votes(self) -> tuple[Tensor, ...]:
        """Class probabilities (C, I, J, K) that each 2-D network gives it, none before they are trained."""
        return tuple(vote().probability for vote in self.votes)

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
        labels = self.labels
        return None if labels is None else (labels.weight > FULLY_LABELLED, labels.probability)

    def on_disk(self, folder: Path, stem: str) -> TrainingVolume:
        """The same volume; what is large lies in a folder of the run folder. Raises `InputError` like `kept`."""
        make_folder(folder)
        truth = None if self.truth is None else kept(folder / f"{stem}.labels", self.truth())
        return replace(self, maps=kept(folder / f"{stem}.maps", self.maps()), truth=truth)

    def taught(self, proposal: Source[Proposal], features: Source[NDArray[np.float16]] | None) -> TrainingVolume:
        """The same volume with pseudo-labels wherever it is not labelled, and with teacher features."""
        return replace(self, proposed=Again(partial(_unlabelled_part, proposal, self.maps, self.truth)), seen=features)

    def equally_trusted(self) -> TrainingVolume:
        """The same volume with pseudo-labels of weight 1 wherever they count at all."""
        if self.proposed is None:
            return self
        return replace(self, proposed=Again(partial(_equally_trusted, self.proposed)))


def _unlabelled_part(proposal: Source[Proposal], maps: Source[Maps], truth: Source[SoftTarget] | None) -> SoftTarget:
    """A proposal as target: nothing outside of the sector, and less where labels are known."""
    proposed = proposal()
    weight = proposed.weight * maps().sector
    if truth is not None:
        weight = weight * (1 - truth().weight)
    return SoftTarget(proposed.probability * weight, weight)


def _equally_trusted(proposed: Source[SoftTarget]) -> SoftTarget:
    target = proposed()
    weight = (target.weight > 0).float()
    return SoftTarget(target.probability * weight, weight)


def prepare_volume(volume: Scan, labels: SparseLabels | None, max_voxels: int) -> TrainingVolume:
    """Bring a volume and its sparse labels to the working grid, and normalise its intensities.

    Everything outside the ultrasound sector is certainly background; inside, a volume is labelled only where somebody
    looked.
    """
    grid = working_geometry(volume.geometry, max_voxels)
    voxels = resample_axes(volume.voxels, grid.shape)
    sector = sector_mask(voxels)
    return TrainingVolume.of(
        name=volume.name,
        spacing=grid.spacing,
        grey=torch.from_numpy(normalised_grey(voxels, sector)),
        image=image_channels(voxels, sector, grid.spacing).half(),
        sector=torch.from_numpy(sector),
        labels=None if labels is None else label_target(labels, grid.shape),
    )
