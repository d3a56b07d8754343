"""A volume on the grid on which 2-D networks see its slices."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..anatomy.targets import SoftTarget, label_target
from ..annotation.sparse_labels import SparseLabels
from ..imaging.intensities import least_spread
from ..imaging.resampling import resample_axes, working_geometry
from ..imaging.scan import Scan
from ..imaging.sector import sector_mask

NEUTRAL, SPREAD = 0.4, 0.15  # of grey values: where the mean of a volume lies, and its standard deviation


@dataclass(frozen=True)
class FineVolume:
    """A volume on the grid on which slices are seen.

    Attributes:
        name: of the case.
        spacing: voxel size in mm.
        grey: (I, J, K) intensities in [0, 1], see `slice_grey`.
        sector: (I, J, K) bool, voxels that carry image.
        labels: true labels, None where nothing is labelled.
    """

    name: str
    spacing: tuple[float, float, float]
    grey: Tensor
    sector: Tensor
    labels: SoftTarget | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size (I, J, K)."""
        i, j, k = self.grey.shape
        return i, j, k


def fine_volume(scan: Scan, labels: SparseLabels | None, max_voxels: int) -> FineVolume:
    """A scan on the grid of at most `max_voxels` voxels an axis, see `working_geometry`."""
    grid = working_geometry(scan.geometry, max_voxels)
    voxels = resample_axes(scan.voxels, grid.shape)
    sector = sector_mask(voxels)
    return FineVolume(
        name=scan.name,
        spacing=grid.spacing,
        grey=slice_grey(torch.from_numpy(voxels), torch.from_numpy(sector)),
        sector=torch.from_numpy(sector),
        labels=None if labels is None else label_target(labels, grid.shape),
    )


def slice_grey(voxels: Tensor, sector: Tensor) -> Tensor:
    """Intensities (I, J, K) in [0, 1] with the volume's mean at `NEUTRAL` and its standard deviation `SPREAD`.

    Outside the sector they are neutral: what is shown there would tell a network where it is, and with a few labelled
    slices it would learn the place instead of the organ. Where organs lie is the location prior's to tell.
    """
    values = voxels[sector]
    z = (voxels - values.mean()) / values.std(correction=0).clamp_min(least_spread(float(values.abs().max())))
    return (NEUTRAL + SPREAD * z * sector).clamp(0, 1)
