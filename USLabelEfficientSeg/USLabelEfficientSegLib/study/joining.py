"""Labels that were changed on two sides are joined slice by slice, so that no drawing of either is lost.

Both sides once held the same. Checksums of its slices tell who has changed which slice since; the labels themselves
need not be kept for that.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..annotation.sparse_labels import UNLABELLED, LabelledSlice, SparseLabels

Checksums = Mapping[LabelledSlice, int]


@dataclass(frozen=True)
class Joined:
    """Labels of two sides.

    Attributes:
        labels: of both.
        displaced: slices as they are there, where both sides have changed the slice and that of here was taken; None
            where there are none.
    """

    labels: SparseLabels
    displaced: SparseLabels | None = None


def checksums_of(slices: Mapping[LabelledSlice, NDArray[np.uint8]]) -> dict[LabelledSlice, int]:
    """Checksums of the labels of slices, each 2-D."""
    return {place: zlib.crc32(np.ascontiguousarray(labels).data) for place, labels in slices.items()}


def checksums(labels: SparseLabels, slice_axis: int) -> dict[LabelledSlice, int]:
    """Checksums of the labelled slices; of dense labels those across the study's axis count."""
    places = labels.labelled_slices(slice_axis if labels.is_dense else None)
    return checksums_of({place: labels.of_slice(place) for place in places})


def agreed_by(here: Checksums, there: Checksums, before: Checksums) -> dict[LabelledSlice, int]:
    """What two sides hold alike and, where they do not, what they held alike before."""
    return {
        place: known
        for place in {*here, *there, *before}
        if (known := there.get(place) if here.get(place) == there.get(place) else before.get(place)) is not None
    }


def changed(now: Checksums, agreed: Checksums) -> set[LabelledSlice]:
    """Slices that a side has labelled, drawn in or taken back since."""
    return {place for place in {*now, *agreed} if now.get(place) != agreed.get(place)}


def join(here: SparseLabels, agreed: Checksums, there: SparseLabels, slice_axis: int) -> Joined:
    """The labels of two sides.

    A slice that one side has changed is as it is on that side, and a slice that it has taken back is gone. Of a slice
    that both have changed that of here counts, unless it was taken back here: what was drawn stays.
    Where slices cross, the one that was labelled later counts. Strokes, which lie on no labelled slice, stay on both
    sides.

    Args:
        here: the labels that are newer, or that somebody looks at.
        agreed: checksums of the slices that both sides held alike; none if that is not known.
        there: the labels on the other side.
        slice_axis: of the study.
    """
    of_here, of_there = checksums(here, slice_axis), checksums(there, slice_axis)
    strokes = strokes_of(there)
    if of_here == of_there and strokes is None:
        return Joined(here)
    changed_here, changed_there = changed(of_here, agreed), changed(of_there, agreed)
    both = changed_here & changed_there
    ours = {place for place in of_here if place in changed_here}
    theirs = {place for place in of_there if place not in ours and (place not in changed_here or place in both)}
    result = SparseLabels.unlabelled(here.geometry, here.organs)
    for side, drawn in ((there, strokes), (here, strokes_of(here))):
        if drawn is not None:
            result.voxels[drawn] = side.voxels[drawn]
    for is_new in (False, True):
        for side, places in ((there, theirs), (here, ours)):
            _put(result, side, (place for place in sorted(places) if (place not in agreed) == is_new))
    displaced = {place for place in both & ours if place in of_there and of_here[place] != of_there[place]}
    return Joined(result, there.keep((place.axis, place.index) for place in displaced) if displaced else None)


def strokes_of(labels: SparseLabels) -> NDArray[np.bool_] | None:
    """Where something is labelled beside labelled slices (I, J, K); None where nothing is."""
    drawn: NDArray[np.bool_] = labels.voxels != UNLABELLED
    for place in [] if drawn.all() else labels.labelled_slices():
        drawn[tuple(place.index if axis == place.axis else slice(None) for axis in range(3))] = False
    return drawn if drawn.any() and not drawn.all() else None


def _put(result: SparseLabels, side: SparseLabels, places: Iterable[LabelledSlice]) -> None:
    for place in places:
        result.of_slice(place)[...] = side.of_slice(place)
