"""Labels of an open study: drawn in the scene, kept in the folder, or in its inbox while it is trained."""

from __future__ import annotations

from contextlib import suppress
from math import prod
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ..nodes.segmentation_nodes import createLabelSegmentation
from ..nodes.study_nodes import LABELS, STUDY, attach, madeFor
from ..nodes.volume_nodes import geometryOfNode
from .label_saving import LabelSaving, write_labels
from .shown_organs import ShownOrgans

if TYPE_CHECKING:
    from ...annotation.sparse_labels import LabelledSlice, SparseLabels
    from .labelling import LabelledSlices
    from .study_session import StudySession

MrmlNode = Any
_LARGE = 2**21  # voxels of labels that are not written in a moment


class StudyLabels:
    """The labels of a study's volumes.

    Args:
        session: the open study.

    Attributes:
        saving: labels on their way into the folder.
    """

    def __init__(self, session: StudySession) -> None:
        from ...study.kept_slices import KeptSlices

        self._session = session
        self._shown, self._kept = ShownOrgans(), KeptSlices()
        self.saving = LabelSaving()

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
        return self.show(volume_node, self.stored(case))

    def stored(self, case: str) -> SparseLabels | None:
        """The newest labels of a case on disk, which are in the inbox while another program writes the study."""
        from ...study.inbox import left_labels

        study = self._session.study
        return left_labels(study, case) or study.read_labels(case)

    def show(self, volumeNode: MrmlNode, labels: SparseLabels | None) -> LabelledSlices:
        """A new label segmentation of a volume, with what the study holds."""
        from .labelling import LabelledSlices, labellingFromLabels

        organs = self._session.organs()
        if labels is not None:
            labelling = labellingFromLabels(labels, self._session.study.slice_axis, volumeNode, organs)
        else:
            labelling = LabelledSlices(createLabelSegmentation(volumeNode, organs), volumeNode)
        self.takeNode(labelling.segmentationNode, volumeNode)
        return labelling

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
        geometry, held = geometryOfNode(labelling.volumeNode), self._kept.write(study, case, slices)

        def write() -> None:
            write_labels(folder, case, labelsOf(slices, geometry, [organ.name for organ in organs]), studyIsBusy)
            held()

        self.saving.save(case, write, wait=prod(geometry.shape) < _LARGE)

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

    def takeLeft(self) -> None:
        """Take over what was left in the inbox while the study was trained, and what a killed program had kept.

        Raises:
            InputError: another program is writing the study.
        """
        from ...study.inbox import take_labels
        from ...study.kept_slices import leave_kept

        self.saving.wait()  # who has begun to save is told what failed
        self._session.refresh()
        study = self._session.study
        leave_kept(study)
        with study.lock():
            take_labels(study)

    def takeLeftIfFree(self) -> None:
        """Like `takeLeft`, but while another program writes the study the labels stay in the inbox for later."""
        with suppress(InputError):
            self.takeLeft()
