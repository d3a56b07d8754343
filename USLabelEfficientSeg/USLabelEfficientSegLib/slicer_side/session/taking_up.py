"""Labels that others have drawn in a study are shown in the scene, beside what the user has drawn."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..nodes.segmentation_nodes import Organ, labelsOfSlice
from ..nodes.study_nodes import inScene
from ..nodes.volume_nodes import geometryOfNode
from ..processes.aside import aside
from .labelling import LabelledSlices, labelsOf

if TYPE_CHECKING:
    from ...annotation.sparse_labels import LabelledSlice, SparseLabels
    from ...study.inbox import Held
    from .label_saving import LabelSaving

MrmlNode = Any
SliceLabels = dict["LabelledSlice", NDArray[np.uint8]]
Taken = tuple[tuple["LabelledSlice", ...], tuple["LabelledSlice", ...], bool]


@dataclass(frozen=True)
class TakenUp:
    """What was taken up for a case.

    Attributes:
        case: its name in the study.
        shown: slices that are labelled now, labelled otherwise, or not any more.
        covered: labelled slices that are not shown, as the user has drawn on them and not kept that.
        is_ahead: whether the scene holds labels that the study lacks.
    """

    case: str
    shown: tuple[LabelledSlice, ...] = ()
    covered: tuple[LabelledSlice, ...] = ()
    is_ahead: bool = False


def take_up(
    labelNode: MrmlNode,
    volumeNode: MrmlNode,
    organs: Sequence[Organ],
    axis: int,
    held: Held,
    stored: Callable[[], tuple[SparseLabels | None, Held]],
    saving: LabelSaving,
) -> Generator[None, None, tuple[Taken, Held | None]]:
    """Steps that bring labels on disk into a label node; for what they return see `TakenUp`.

    Args:
        labelNode: the labels of a volume.
        volumeNode: the volume.
        organs: of the study.
        axis: of its slices.
        held: what is known of the labels on disk.
        stored: reads them, beside Slicer's event loop.
        saving: writes labels; while it does, nothing is taken up.

    Returns:
        With it what is known from now on; None if the user has drawn meanwhile, and nothing was done.
    """
    from ...study.inbox import Held
    from ...study.joining import agreed_by, checksums, join, strokes_of

    nothing: tuple[Taken, Held | None] = (((), (), False), None)
    labelling, geometry = LabelledSlices(labelNode, volumeNode), geometryOfNode(volumeNode)
    try:
        slices = labelling.sliceLabels(organs)
    except InputError:  # organs overlap, which whoever saves them is told
        return nothing

    def joined() -> tuple[SparseLabels, SparseLabels, SparseLabels, Held]:
        here = labelsOf(slices, geometry, [organ.name for organ in organs])
        found, now = stored()
        there = type(here).unlabelled(geometry, here.organs) if found is None else found
        here.check_grid(volumeNode.GetName(), there.geometry)
        return here, there, join(here, held.agreed, there, axis).labels, now

    here, there, both, now = yield from aside(joined)
    if saving.busy or not inScene(labelNode) or not _same(labelling, organs, slices):
        return nothing
    shown, wanted = checksums(here, axis), checksums(both, axis)
    taken, covered = [], []
    for place in sorted({*shown, *wanted}):
        if shown.get(place) == wanted.get(place):
            continue
        if place not in wanted:
            labelling.remove(place.axis, place.index)
            del shown[place]
        elif place in shown or _is_free(labelling, organs, place, both.of_slice(place)):
            labelling.setLabels(place.axis, place.index, both.of_slice(place), organs)
            shown[place] = wanted[place]
        else:
            covered.append(place)
            continue
        taken.append(place)
    of_study = checksums(there, axis)
    agreed = agreed_by(shown, of_study, held.agreed)
    after = Held(agreed, now.files, is_behind=agreed != of_study or strokes_of(there) is not None)
    return (tuple(taken), tuple(covered), wanted != of_study), after


def _same(labelling: LabelledSlices, organs: Sequence[Organ], before: SliceLabels) -> bool:
    """Whether the labelled slices are as they were."""
    try:
        now = labelling.sliceLabels(organs)
    except InputError:
        return False
    return same_labels(now, before)


def same_labels(now: SliceLabels, before: SliceLabels) -> bool:
    """Whether the same slices are labelled alike."""
    return now.keys() == before.keys() and all(np.array_equal(now[place], before[place]) for place in now)


def _is_free(
    labelling: LabelledSlices, organs: Sequence[Organ], place: LabelledSlice, wanted: NDArray[np.uint8]
) -> bool:
    """Whether the user has drawn nothing else on a slice that is not labelled, but where labelled ones cross it."""
    try:
        drawn = labelsOfSlice(labelling.segmentationNode, labelling.volumeNode, organs, place.axis, place.index)
    except InputError:  # organs overlap there
        return False
    if np.array_equal(drawn, wanted):
        return True
    others = [axis for axis in range(3) if axis != place.axis]
    for one in labelling.items():
        if one.axis != place.axis:
            drawn[tuple(one.index if axis == one.axis else slice(None) for axis in others)] = 0
    return not drawn.any()
