"""The slices of a study's volumes along one axis, at the labels' own in-plane resolution."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from statistics import median

import torch
from torch import Tensor

from ..anatomy.targets import SoftTarget, label_target
from ..annotation.sparse_labels import SparseLabels
from ..divergence.images import TrainingImages, prepare_soft_images
from ..imaging.resampling import resample_axes, working_geometry
from ..imaging.scan import Scan
from ..imaging.sector import sector_mask
from ..teacher.slices import in_slice_axes
from .magnification import WIDTH, shown_side
from .organ_widths import organ_widths

MOST_SLICES = 1_500  # kept of all volumes: more teach nothing new, and memory is bounded
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
    z = (voxels - values.mean()) / values.std(correction=0).clamp_min(1e-6)
    return (NEUTRAL + SPREAD * z * sector).clamp(0, 1)


def slice_size(volumes: Iterable[FineVolume], axis: int, max_voxels: int) -> int:
    """Pixels of the longer side of slices along `axis` as the network sees them, see `shown_side`."""
    rows, columns = in_slice_axes(axis)
    largest, widths = 0.0, defaultdict[int, list[float]](list)
    for volume in volumes:
        extents = [volume.shape[side] * volume.spacing[side] for side in (rows, columns)]
        largest = max(largest, max(extents) / min(volume.spacing[rows], volume.spacing[columns]))
        if volume.labels is not None:
            for organ, of_one in enumerate(organ_widths(volume.labels, volume.spacing, axis)):
                widths[organ] += of_one
    thinnest = min((median(of_one) for of_one in widths.values() if of_one), default=WIDTH)
    return shown_side(largest, thinnest, max_voxels)


@dataclass(frozen=True)
class AxisSlices:
    """Slices along one axis, and whose they are.

    Attributes:
        images: the slices, in the order of their volumes and along the axis; some with labels.
        volumes: (N,) number of each slice's volume.
        names: of the volumes.
    """

    images: TrainingImages
    volumes: Tensor
    names: tuple[str, ...]

    @property
    def owners(self) -> tuple[str, ...]:
        """The volume's name of each labelled slice, in the order of `images.labelled`."""
        return tuple(self.names[volume] for volume in self.volumes[self.images.labelled].tolist())

    def without_labels_of(self, names: Collection[str]) -> AxisSlices | None:
        """The same slices, those of some volumes without labels; None if no label is left."""
        images = self.images
        kept = [row for row, owner in enumerate(self.owners) if owner not in names]
        if not kept:
            return None
        rows = torch.tensor(kept)
        fewer = replace(images, labelled=images.labelled[rows], target=images.target[rows], weight=images.weight[rows])
        return replace(self, images=fewer)

    def digest(self) -> str:
        """Fingerprint of everything that training depends on."""
        volumes = hashlib.sha256(self.volumes.numpy().tobytes()).hexdigest()[:16]
        return f"{self.images.digest()}-{volumes}"


def slices_to_learn(
    volumes: Iterable[FineVolume], axis: int, count: int, size: int, most: int = MOST_SLICES
) -> AxisSlices:
    """The labelled slices of volumes along `axis`, and a share of the others that keeps all within `most`.

    Args:
        volumes: read one after the other; none is kept.
        axis: array axis.
        count: how many volumes there are.
        size: longer side of a slice in pixels, see `slice_size`.
        most: slices of all volumes.

    Raises:
        ValueError: no slice along the axis is labelled.
    """
    images: list[Tensor] = []
    targets: list[tuple[Tensor, Tensor] | None] = []
    sizes: list[tuple[float, float]] = []
    owners: list[int] = []
    names: list[str] = []
    rows, columns = in_slice_axes(axis)
    for volume in volumes:
        slices = volume.grey.movedim(axis, 0)
        chosen = torch.zeros(len(slices), dtype=torch.bool)
        every = max(1, -(-len(slices) * count // most))
        if every // 2 < len(slices):
            chosen[every // 2 :: every] = True
        elif len(names) % -(-count // most) == 0:  # of thousands of volumes not each has a share
            chosen[len(slices) // 2] = True
        labelled = torch.zeros_like(chosen) if volume.labels is None else volume.labels.labelled_along(axis)
        for number in torch.nonzero(chosen | labelled)[:, 0].tolist():
            images.append(slices[number].clone())
            targets.append(_target(volume.labels, axis, number) if labelled[number] else None)
            sizes.append((volume.spacing[rows], volume.spacing[columns]))
            owners.append(len(names))
        names.append(volume.name)
    prepared = prepare_soft_images(images, targets, sizes, image_size=size)
    # A canvas is neutral where a smaller slice does not reach.
    grey = torch.where(prepared.covered, prepared.grey, round(255 * NEUTRAL)).to(torch.uint8)
    return AxisSlices(replace(prepared, grey=grey), torch.tensor(owners), tuple(names))


def _target(labels: SoftTarget | None, axis: int, number: int) -> tuple[Tensor, Tensor] | None:
    """Class probabilities (C, h, w) times weight, and weight (h, w), of one slice."""
    if labels is None:
        return None
    return labels.weighted.select(axis + 1, number).clone(), labels.weight.select(axis, number).clone()
