"""The slices of a study's volumes along one axis, at the labels' own in-plane resolution.

Labelled slices along the axis are labelled in full. Those of another axis cross slices of this one, and label a line of
each. Suggested slices go through the middle of organs, so that such lines are all that shows a network where organs
end along its own axis.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from statistics import median

import torch
from torch import Tensor

from ..anatomy.targets import SoftTarget
from ..divergence.images import TrainingImages, prepare_soft_images
from ..teacher.slices import in_slice_axes
from .fine_volume import NEUTRAL, FineVolume
from .magnification import WIDTH, shown_side
from .organ_widths import organ_widths

MOST_SLICES = 1_500  # kept of all volumes: more teach nothing new, and memory is bounded
_MOST_CROSSED, _MOST_CROSSED_OF_ONE = 160, 12  # slices with a labelled line: of all volumes, and of one
LINE = 0.05  # least weight of a voxel of such a line


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
class CrossedSlices:
    """Slices that labelled ones of other axes cross.

    Attributes:
        images: all have labels, of a line.
        volumes: (M,) number of each slice's volume.
    """

    images: TrainingImages
    volumes: Tensor

    def without_labels_of(self, numbers: Collection[int]) -> CrossedSlices | None:
        """Those of other volumes than some; None if there are none."""
        rows = torch.nonzero(~torch.isin(self.volumes, torch.tensor(list(numbers))))[:, 0]
        return CrossedSlices(labelled_only(self.images, rows), self.volumes[rows]) if len(rows) else None


@dataclass(frozen=True)
class AxisSlices:
    """Slices along one axis, and whose they are.

    Attributes:
        images: the slices, in the order of their volumes and along the axis; some with labels.
        volumes: (N,) number of each slice's volume.
        names: of the volumes.
        crossed: slices of the same volumes that those labelled along other axes cross; None if there are none.
    """

    images: TrainingImages
    volumes: Tensor
    names: tuple[str, ...]
    crossed: CrossedSlices | None = None

    @property
    def owners(self) -> tuple[str, ...]:
        """The volume's name of each labelled slice, in the order of `images.labelled`."""
        return tuple(self.names[volume] for volume in self.volumes[self.images.labelled].tolist())

    def without_labels_of(self, names: Collection[str]) -> AxisSlices | None:
        """The same slices, those of some volumes without labels; None if no slice is left that is labelled in full."""
        kept = [row for row, owner in enumerate(self.owners) if owner not in names]
        if not kept:
            return None
        hidden = [number for number, name in enumerate(self.names) if name in names]
        crossed = None if self.crossed is None else self.crossed.without_labels_of(hidden)
        return replace(self, images=labelled_only(self.images, torch.tensor(kept)), crossed=crossed)

    def digest(self) -> str:
        """Fingerprint of everything that training depends on."""
        volumes = hashlib.sha256(self.volumes.numpy().tobytes()).hexdigest()[:16]
        crossed = "" if self.crossed is None else f"-{self.crossed.images.digest()}"
        return f"{self.images.digest()}-{volumes}{crossed}"


def labelled_only(images: TrainingImages, rows: Tensor) -> TrainingImages:
    """The same images, of which only some rows of the labelled ones stay labelled."""
    return replace(images, labelled=images.labelled[rows], target=images.target[rows], weight=images.weight[rows])


def slices_to_learn(
    volumes: Iterable[FineVolume], axis: int, count: int, size: int, most: int = MOST_SLICES
) -> AxisSlices:
    """The labelled slices of volumes along `axis`, a share of the others that keeps all within `most`, and lines.

    Args:
        volumes: read one after the other; none is kept.
        axis: array axis.
        count: how many volumes there are.
        size: longer side of a slice in pixels, see `slice_size`.
        most: slices of all volumes.

    Raises:
        ValueError: no slice along the axis is labelled.
    """
    along, across = _Gathered(axis), _Gathered(axis)
    names: list[str] = []
    for volume in volumes:
        slices = volume.shape[axis]
        chosen = torch.zeros(slices, dtype=torch.bool)
        every = max(1, -(-slices * count // most))
        if every // 2 < slices:
            chosen[every // 2 :: every] = True
        elif len(names) % -(-count // most) == 0:  # of thousands of volumes not each has a share
            chosen[slices // 2] = True
        if volume.labels is None:
            along.add(volume, torch.nonzero(chosen)[:, 0], len(names))
        else:
            labelled = volume.labels.labelled_along(axis)
            along.add(volume, torch.nonzero(chosen | labelled)[:, 0], len(names), labelled)
            crossed = crossed_numbers(volume.labels, axis, _MOST_CROSSED_OF_ONE)
            across.add(volume, crossed, len(names), torch.ones_like(labelled))
        names.append(volume.name)
    images, owners = along.prepared(size)
    crossed_slices = CrossedSlices(*across.prepared(size, _MOST_CROSSED)) if across.owners else None
    return AxisSlices(images, owners, tuple(names), crossed_slices)


def crossed_numbers(labels: SoftTarget, axis: int, most: int) -> Tensor:
    """Numbers of slices along `axis` of which a part is labelled, not all: at most `most`, evenly spread."""
    known = labels.weight.movedim(axis, 0).flatten(1).amax(dim=1) > LINE
    return _spread(torch.nonzero(known & ~labels.labelled_along(axis))[:, 0], most)


def _spread(numbers: Tensor, most: int) -> Tensor:
    """At most `most` of some numbers, evenly spread over them."""
    kept = min(len(numbers), most)
    return numbers[((torch.arange(kept) + 0.5) * len(numbers) / max(kept, 1)).long()]


class _Gathered:
    """Slices along an axis of one volume after the other."""

    def __init__(self, axis: int) -> None:
        self.axis = axis
        self.images: list[Tensor] = []
        self.targets: list[tuple[Tensor, Tensor] | None] = []
        self.pixel_sizes: list[tuple[float, float]] = []
        self.owners: list[int] = []

    def add(self, volume: FineVolume, numbers: Tensor, owner: int, labelled: Tensor | None = None) -> None:
        """Take slices of a volume, with labels where `labelled` (n,) says so."""
        rows, columns = in_slice_axes(self.axis)
        for number in numbers.tolist():
            self.images.append(volume.grey.select(self.axis, number).clone())
            has_labels = labelled is not None and bool(labelled[number])
            self.targets.append(_target(volume.labels, self.axis, number) if has_labels else None)
            self.pixel_sizes.append((volume.spacing[rows], volume.spacing[columns]))
            self.owners.append(owner)

    def prepared(self, size: int, most: int | None = None) -> tuple[TrainingImages, Tensor]:
        """All of them, or `most` spread over them, on a canvas; and the numbers of their volumes."""
        kept = _spread(torch.arange(len(self.images)), most or len(self.images)).tolist()
        parts = ([of_all[number] for number in kept] for of_all in (self.images, self.targets, self.pixel_sizes))
        images, targets, pixel_sizes = parts
        prepared = prepare_soft_images(images, targets, pixel_sizes, image_size=size)
        # A canvas is neutral where a smaller slice does not reach.
        grey = torch.where(prepared.covered, prepared.grey, round(255 * NEUTRAL)).to(torch.uint8)
        return replace(prepared, grey=grey), torch.tensor(self.owners)[kept]


def _target(labels: SoftTarget | None, axis: int, number: int) -> tuple[Tensor, Tensor] | None:
    """Class probabilities (C, h, w) times weight, and weight (h, w), of one slice."""
    if labels is None:
        return None
    return labels.weighted.select(axis + 1, number).clone(), labels.weight.select(axis, number).clone()
