"""Labels of an open study: drawn in the scene, kept in the folder, or in its inbox while it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...annotation.sparse_labels import LabelledSlice
from ...errors import InputError
from ..nodes.segmentation_nodes import createLabelSegmentation, labelsOfSlice
from ..nodes.study_nodes import LABELS, STUDY, attach, labelNodesOf, madeFor
from ..nodes.volume_nodes import geometryOfNode
from ..processes.jobs import Steps
from .held_labels import HeldLabels
from .label_saving import LabelSaving, write_labels
from .labelling import withSlice
from .shown_organs import ShownOrgans
from .taking_up import SliceLabels, TakenUp, same_labels, take_up

if TYPE_CHECKING:
    from ...annotation.sparse_labels import SparseLabels
    from ...study.inbox import Given, Held
    from .labelling import LabelledSlices
    from .study_session import StudySession

MrmlNode = Any
_FEW = 40  # labelled slices of a volume that are all read after a stroke: half a millisecond each
_LARGE = 2**21  # voxels of labels that are not written in a moment


class StudyLabels:
    """The labels of a study's volumes.

    Args:
        session: the open study.

    Attributes:
        saving: labels on their way into the folder.
        setAside: cases of which others have drawn the same slices, and the folders where theirs lie, as far as the
            user has not been told.
        unfit: files of kept slices that do not fit the study, with problem and remedy; the same.
    """

    def __init__(self, session: StudySession) -> None:
        from ...study.kept_slices import KeptSlices

        self._session = session
        self._shown, self._kept, self._held = ShownOrgans(), KeptSlices(), HeldLabels()
        self._given: dict[str, Given] = {}  # what became of labels that were saved, since the last `settle`
        self._unseen: set[str] = set()  # cases that were saved with slices which the scene does not show as yet
        self._latest: dict[str, SliceLabels] = {}  # the labelled slices that were given to `_kept`
        self._compared = False  # labels in the scene with those on disk, since the study was read
        self.setAside: list[tuple[str, Path]] = []
        self.unfit: list[InputError] = []
        self.saving, self._keeping = LabelSaving(), LabelSaving()

    # In the scene

    def node(self, volumeNode: MrmlNode) -> MrmlNode | None:
        """The segmentation node with this study's labels of a volume, None when there is none yet."""
        ours = (None, self._session.study.created)  # without an attribute: of an earlier version
        return next((node for node in madeFor(volumeNode, LABELS) if node.GetAttribute(STUDY) in ours), None)

    def takeNode(self, segmentationNode: MrmlNode, volumeNode: MrmlNode) -> None:
        """A segmentation node holds this study's labels of a volume from now on."""
        segmentationNode.SetAttribute(STUDY, self._session.study.created)
        attach(segmentationNode, volumeNode, LABELS)

    def of(self, case: str) -> LabelledSlices:
        """The labelled slices of a case; made from what the study holds when the scene has none.

        Raises:
            InputError: see `StudySession.node`.
        """
        from .labelling import LabelledSlices

        volume_node = self._session.node(case)
        node = self.node(volume_node)
        if node is not None:
            return LabelledSlices(node, volume_node)
        return self.show(case, volume_node, *self.stored(case))

    def stored(self, case: str) -> tuple[SparseLabels | None, Held]:
        """The newest labels of a case on disk, which are in the inbox while another program writes the study."""
        from ...study.inbox import Held, files_of, newest_labels
        from ...study.joining import checksums, strokes_of

        self.saving.wait_for(case)
        study = self._session.study
        files, labels = files_of(study, case), newest_labels(study, case)
        if labels is None:
            return None, Held({}, files)
        return labels, Held(checksums(labels, study.slice_axis), files, is_behind=strokes_of(labels) is not None)

    def show(self, case: str, volumeNode: MrmlNode, labels: SparseLabels | None, held: Held) -> LabelledSlices:
        """A new label segmentation of a volume, with what the study holds."""
        from .labelling import LabelledSlices, labellingFromLabels

        organs = self._session.organs()
        if labels is not None:
            labelling = labellingFromLabels(labels, self._session.study.slice_axis, volumeNode, organs)
        else:
            labelling = LabelledSlices(createLabelSegmentation(volumeNode, organs), volumeNode)
        self.takeNode(labelling.segmentationNode, volumeNode)
        self._held.note(case, labelling.segmentationNode, held)
        return labelling

    def compareAgain(self) -> None:
        """The study was read again: labels on disk may be others."""
        self._compared = False

    def behind(self) -> list[str]:
        """Volumes in the scene whose labels on disk are not those that they show; each change is told once."""
        if self._compared or self.saving.busy:
            return []
        self._compared = True
        nodes = labelNodesOf(self._session.study.created)
        return [case for case, node in nodes.items() if node is not None and self._is_behind(case, node)]

    def _is_behind(self, case: str, labelNode: MrmlNode) -> bool:
        from ...study.inbox import files_of

        study = self._session.study
        if not study.has(case):
            return False
        return case in self._unseen or self._held.of(case, labelNode).files != files_of(study, case)

    def takeUp(self, case: str) -> Steps:
        """Steps that bring labels of a case that others have drawn into the scene; they return a `TakenUp`.

        What the user has drawn stays. If the user draws meanwhile nothing is done, and it is done at the next look.
        """
        volume_node, axis, organs = (
            self._session.volumeNode(case),
            self._session.study.slice_axis,
            self._session.organs(),
        )
        node = None if volume_node is None else self.node(volume_node)
        if node is None:
            return TakenUp(case)
        held = self._held.of(case, node)
        steps = take_up(node, volume_node, organs, axis, held, partial(self.stored, case), self.saving)
        taken, now = yield from steps
        if now is None:
            self._compared = False
            return TakenUp(case)
        self._held.note(case, node, now)
        self._unseen.discard(case)
        self._latest.pop(case, None)
        self._shown.forget(case)
        return TakenUp(case, *taken)

    def hasAny(self) -> bool:
        """Whether the study holds a labelled slice."""
        return any(case.labels is not None and case.labels.slices for case in self._session.study.cases)

    def isLabelled(self, case: str, axis: int, index: int) -> bool:
        """Whether a slice is labelled; nothing is loaded to find out."""
        volume_node = self._session.volumeNode(case)
        if volume_node is not None and self.node(volume_node) is not None:
            return any((s.axis, s.index) == (axis, index) for s in self.of(case).items())
        record = self._session.study.case(case).labels
        return record is not None and (axis, index) in record.slices

    def slices(self, case: str) -> list[tuple[LabelledSlice, list[str]]]:
        """The labelled slices of a case and the organs that each showed when it was saved last."""
        labelling = self.of(case)
        if self._shown.of(case) is None:
            self._shown.remember(case, labelling.sliceLabels(self._session.organs()), self._session.study.organs)
        shown = self._shown.of(case) or {}
        return [(labelled, shown.get(labelled, [])) for labelled in labelling.items()]

    def forget(self, case: str) -> None:
        """The scene holds a case no more."""
        self._shown.forget(case)

    # On disk

    def save(self, case: str, studyIsBusy: bool) -> None:
        """Store the labels of a case in the study folder; while it is trained, in its inbox.

        Raises:
            InputError: organs overlap in a labelled slice, or as `settle` does.
        """
        self.saveBeside(case, studyIsBusy)
        self.settle()

    def saveBeside(self, case: str, studyIsBusy: bool) -> None:
        """Begin to store the labels of a case beside Slicer's event loop; `settle` tells whether that went well.

        The labelled slices are on disk when this returns, and are not lost if the program is killed then.

        Raises:
            InputError: organs overlap in a labelled slice.
        """
        from .labelling import labelsOf

        folder, study = self._session.folder, self._session.study
        labelling, organs = self.of(case), self._session.organs()
        slices = labelling.sliceLabels(organs)
        self._shown.remember(case, slices, study.organs)
        self._latest[case] = slices
        geometry = geometryOfNode(labelling.volumeNode)
        kept = self._kept.given(study, case, slices, self._held.of(case, labelling.segmentationNode).agreed)
        kept.write()

        def given(what: Given) -> None:
            self._held.learn(case, what.held)
            self._given[case] = what
            if what.held.is_behind:
                self._unseen.add(case)
            kept.held()  # also in the inbox they are safe, and kept ones would come back at the next opening

        def write() -> None:
            labels = labelsOf(slices, geometry, [organ.name for organ in organs])
            write_labels(folder, case, labels, self._held.latest(case), studyIsBusy, given)

        self.saving.save(case, write, wait=prod(geometry.shape) < _LARGE)

    def keepDrawn(self, case: str, places: Sequence[LabelledSlice]) -> None:
        """Keep the labelled slices as they are drawn now, should the program be killed before `saveBeside`.

        Many labelled slices are not all read, but those in which something was drawn, and where they cross others. The
        file is small and written beside Slicer's event loop; what cannot be written is told by `saveBeside`.

        Args:
            case: its name.
            places: slices in which something may have been drawn, labelled or not; none: anywhere.
        """
        labelling, organs = self.of(case), self._session.organs()
        items = labelling.items()
        if not items:
            return
        node, known = labelling.segmentationNode, self._latest.get(case, {})
        with suppress(InputError):  # organs overlap
            if places and len(items) > _FEW and known.keys() == set(items):
                slices = dict(known)
                for place in places:
                    drawn = labelsOfSlice(node, labelling.volumeNode, organs, place.axis, place.index)
                    slices = withSlice(slices, place, drawn)
            else:
                slices = labelling.sliceLabels(organs)
            if not same_labels(slices, known):
                self._latest[case] = slices
                kept = self._kept.given(self._session.study, case, slices, self._held.of(case, node).agreed)
                self._keeping.save(case, kept.write)

    def settle(self) -> None:
        """Wait until all labels are on disk, and read the study again.

        Raises:
            InputError: the folder cannot be written, or another program is writing the study: then the labels are in
                the inbox.
        """
        try:
            self.saving.settle()
        finally:
            self._session.refresh()
            given, self._given = self._given, {}
            for case, what in given.items():
                if what.set_aside is not None:
                    self.setAside.append((case, what.set_aside))
                volume_node = self._session.volumeNode(case)
                node = None if volume_node is None else self.node(volume_node)
                if node is not None:
                    self._held.note(case, node)

    def takeLeft(self) -> None:
        """Take over what was left in the inbox while the study was trained, and what a killed program had kept.

        Raises:
            InputError: another program is writing the study.
        """
        from ...study.kept_slices import leave_kept
        from ...study.waiting_labels import take_waiting

        self.saving.wait()  # who has begun to save is told what failed
        self._session.refresh()
        for take in (leave_kept, take_waiting):  # the first is done also while another program writes the study
            taken = take(self._session.study)
            self.setAside += taken.set_aside
            self.unfit = taken.unfit

    def forgetTold(self) -> None:
        """The user has read what was set aside, and what does not fit."""
        self.setAside, self.unfit = [], []

    def takeLeftIfFree(self) -> None:
        """Like `takeLeft`, but while another program writes the study the labels stay in the inbox for later."""
        with suppress(InputError):
            self.takeLeft()
