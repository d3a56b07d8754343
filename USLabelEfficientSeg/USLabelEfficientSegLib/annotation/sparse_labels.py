"""Sparse labels: a few slices are labelled completely; every other voxel is unlabelled, which is not background."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..imaging.geometry import Geometry
from ..imaging.planes import slice_name

UNLABELLED = 255


@dataclass(frozen=True, order=True)
class LabelledSlice:
    """A slice: the array axis it is perpendicular to and its index along that axis."""

    axis: int
    index: int


@dataclass(eq=False)
class SparseLabels:
    """The labels of one volume, edited in place slice by slice.

    Args:
        voxels: (I, J, K) uint8: 0 background, n the organ `organs[n - 1]`, 255 unlabelled.
        geometry: the volume's grid.
        organs: names of the organs, in the order of their label values.

    Raises:
        InputError: voxels of another type or shape, or a class without an organ.
    """

    voxels: NDArray[np.uint8]
    geometry: Geometry
    organs: tuple[str, ...]

    def __post_init__(self) -> None:
        self.organs = tuple(self.organs)
        if self.voxels.dtype != np.uint8 or self.voxels.shape != self.geometry.shape:
            raise InputError(
                "sparse labels",
                f"are {self.voxels.dtype} {self.voxels.shape} on a grid of {self.geometry.shape}",
                "give uint8 labels of the volume's shape",
            )
        _check_classes("sparse labels", self.voxels, self.organs)

    @classmethod
    def unlabelled(cls, geometry: Geometry, organs: Iterable[str]) -> "SparseLabels":
        """Labels of a volume in which nothing is labelled yet."""
        return cls(np.full(geometry.shape, UNLABELLED, dtype=np.uint8), geometry, tuple(organs))

    def labelled_slices(self, axis: int | None = None) -> list[LabelledSlice]:
        """The slices that hold no unlabelled voxel, along `axis` or along all three, in order.

        A labelled slice may hold no organ: that, too, is information.
        """
        known = self.voxels != UNLABELLED
        return [
            LabelledSlice(a, int(index))
            for a in ((0, 1, 2) if axis is None else (axis,))
            for index in np.flatnonzero(known.all(axis=_others(a)))
        ]

    def of_slice(self, labelled: LabelledSlice) -> NDArray[np.uint8]:
        """The labels of a slice, a view of the voxels; its axes are the other two array axes, in their order."""
        return self.voxels[_slice(labelled.axis, labelled.index)]

    @property
    def is_dense(self) -> bool:
        """Whether every voxel is labelled."""
        return bool((self.voxels != UNLABELLED).all())

    def set_slice(self, axis: int, index: int, labels: NDArray[np.integer]) -> None:
        """Label a whole slice with a 2-D array; its axes are the other two array axes, in their order.

        Raises `InputError` for another shape, an unlabelled voxel or a class without an organ.
        """
        target = self.voxels[_slice(axis, index)]
        subject = slice_name(self.geometry.direction, axis, index, self.geometry.shape[axis])
        if labels.shape != target.shape:
            raise InputError(subject, f"has {target.shape} pixels, its labels {labels.shape}", "give one label a pixel")
        if labels.size and (labels.min() < 0 or labels.max() >= UNLABELLED):
            raise InputError(subject, "has labels outside 0..254", "label every pixel, with 0 for background")
        _check_classes(subject, labels, self.organs)
        target[...] = labels

    def clear_slice(self, axis: int, index: int) -> None:
        """Make a slice unlabelled, except where labelled slices of the other axes cross it.

        In a dense volume every slice of the other axes counts as labelled, so there the whole slice is
        cleared.
        """
        crossing = [] if self.is_dense else [s for s in self.labelled_slices() if s.axis != axis]
        kept = [(s, self.voxels[_slice(s.axis, s.index)].copy()) for s in crossing]
        self.voxels[_slice(axis, index)] = UNLABELLED
        for s, labels in kept:
            self.voxels[_slice(s.axis, s.index)] = labels

    def keep_slices(self, axis: int, indices: Iterable[int]) -> "SparseLabels":
        """A copy in which only the given slices of `axis` are labelled; the rest is hidden."""
        return self.keep((axis, index) for index in indices)

    def keep(self, places: Iterable[tuple[int, int]]) -> "SparseLabels":
        """A copy in which only the given slices (axis, index) are labelled; the rest is hidden."""
        kept = SparseLabels.unlabelled(self.geometry, self.organs)
        for axis, index in places:
            where = _slice(axis, index)
            kept.voxels[where] = self.voxels[where]
        return kept

    def validate(self, name: str, geometry: Geometry) -> None:
        """Check that the labels can train on the volume `name` with this geometry.

        Raises `InputError` when they lie on another grid or no slice is labelled.
        """
        self.check_grid(name, geometry)
        if not self.labelled_slices():
            raise InputError(
                f"label of {name}", "has no labelled slice (every slice holds unlabelled voxels, 255)",
                "label a slice completely or leave the label out",
            )  # fmt: skip

    def check_grid(self, name: str, geometry: Geometry) -> None:
        """Raise `InputError` when the labels lie on another grid than the volume `name`."""
        if not self.geometry.same_grid(geometry):
            problem = f"has another geometry than its image: it {self.geometry.difference(geometry)}"
            raise InputError(f"label of {name}", problem, "resample the label to the grid of the image")


def classes_in(voxels: NDArray[np.uint8]) -> list[int]:
    """The organ classes (1..254) that occur in a label volume, in order."""
    # Slab by slab, because bincount widens its input to eight bytes a voxel.
    counts = sum(np.bincount(slab.ravel(), minlength=UNLABELLED + 1) for slab in voxels)
    return [int(value) for value in np.flatnonzero(counts) if 0 < value < UNLABELLED]


def _check_classes(subject: str, voxels: NDArray[np.integer], organs: tuple[str, ...]) -> None:
    known = voxels <= len(organs)
    known |= voxels == UNLABELLED
    if not known.all():
        raise InputError(
            subject,
            f"hold class {voxels[~known][0]}, but there are only {len(organs)} organs",
            "name an organ for every class",
        )


def _others(axis: int) -> tuple[int, int]:
    first, second = (a for a in range(3) if a != axis)
    return first, second


def _slice(axis: int, index: int) -> tuple[slice | int, ...]:
    return tuple(index if a == axis else slice(None) for a in range(3))
