"""A study folder and its nodes in the scene, for the panel and the logic.

Volumes of the study are recognised by attributes that are saved with the scene, so that opening the scene or the
study brings everything together again. Results belong to the nodes that a job was started with, whatever is selected
when it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ...disk.identity import identity_of
from ...disk.study_layout import (
    APPEARANCE_NAME,
    EVENTS_NAME,
    LOCK_NAME,
    LOGS,
    MANIFEST_NAME,
    MODEL_NAME,
    RUN_RECORD_NAME,
    run_file,
)
from ...errors import InputError
from ..nodes.segmentation_nodes import Organ
from ..nodes.study_nodes import CASE, LABELS, STUDY, attach, bind, casesShown, inScene, madeFor, volumeNodeOf
from ..nodes.volume_nodes import geometryOfNode, nodeFromVoxels
from ..processes.aside import aside
from ..processes.jobs import Job, Steps
from ..processes.resident_worker import ResidentWorker
from ..results.image_results import ImageResults
from .label_saving import LabelSaving, write_labels
from .loaded_images import LOADED, LoadedImages
from .shown_organs import ShownOrgans
from .slice_suggestions import Suggestions
from .training_record import TrainingRecord

if TYPE_CHECKING:
    from ...annotation.sparse_labels import LabelledSlice, SparseLabels
    from ...disk.lock import Holder
    from ...imaging.scan import Scan
    from ...study.study import Study
    from .labelling import LabelledSlices

MrmlNode = Any
_LARGE = 2**21  # voxels of labels that are not written in a moment


class StudySession:
    """An open study.

    Example::

        session = StudySession(Path("C:/studies/prostate"))
        for case in session.cases():
            print(case, session.volumeNode(case))

    Args:
        folder: of the study.
        resident: a worker that was started for it already.

    Attributes:
        resident: answers at once what the study is asked; it is ended by `close`.
        saving: labels on their way into the folder.
        training: what is known of its training.

    Raises:
        InputError: no study, a damaged one, or one of a newer version.
    """

    def __init__(self, folder: Path, resident: ResidentWorker | None = None) -> None:
        from ...study.kept_slices import KeptSlices

        self.folder = folder
        self.resident = resident or ResidentWorker(Path(slicer.app.temporaryPath) / "USLabelEfficientSeg")
        self.suggestions = Suggestions()
        self._images = LoadedImages()
        self.imageResults = ImageResults(self)
        self.saving = LabelSaving()
        self.training = TrainingRecord(lambda: self._study)
        self._shown, self._kept = ShownOrgans(), KeptSlices()
        self._appearance: dict[str, Any] | None = None  # as it was read since the last `refresh`
        self.refresh()

    def prepare(self) -> None:
        """Let the resident worker load what it needs and look through the study, before anything is asked."""
        with suppress(InputError):  # whoever asks for something will be told
            self.resident.ask("prepare", study=self.folder)

    def close(self) -> None:
        """The study is left: its worker ends, and its labels are on disk."""
        self.resident.close()
        self.saving.settle()

    @property
    def study(self) -> Study:
        """The study as it was on disk when `refresh` was called last."""
        return self._study

    def refresh(self) -> None:
        """Read the study again, after a job may have changed it."""
        from ...study.study import Study

        self._read = identity_of(self.folder / MANIFEST_NAME)
        self._study = Study.open(self.folder)
        self._appearance = None

    def look(self) -> None:
        """Read the study again if its manifest was changed since, perhaps by another program; if it can be read."""
        if identity_of(self.folder / MANIFEST_NAME) != self._read:
            with suppress(InputError, OSError):
                self.refresh()

    @property
    def isPlanar(self) -> bool:
        """Whether it is a study of 2-D images, each one slice of its own."""
        return self._study.is_planar

    @property
    def logs(self) -> Path:
        """Where workers leave what they print."""
        return self.folder / LOGS

    @property
    def events(self) -> Path:
        """Where training tells how far it is."""
        return run_file(self.folder, EVENTS_NAME)

    @property
    def model(self) -> Path | None:
        """The trained model, None before there is one."""
        path = self._study.run_folder / MODEL_NAME
        return path if path.exists() else None

    def cases(self) -> list[str]:
        """Names of the volumes, sorted."""
        return [case.name for case in self._study.cases]

    def organs(self) -> list[Organ]:
        """The organs with their colours and terminology."""
        from ..nodes.segmentation_nodes import organsNamed

        looks = self._looks()
        return [
            Organ(organ.name, tuple(looks[organ.name]["colour"]), looks[organ.name]["terminology"])
            if organ.name in looks
            else organ
            for organ in organsNamed(self._study.organs)
        ]

    def _looks(self) -> dict[str, Any]:
        """Colours and terminology by organ, as far as they were kept and the file is not damaged."""
        from ...disk.json_files import read_json

        if self._appearance is None:
            try:
                stored = read_json(self.folder / APPEARANCE_NAME)
                self._appearance = {name: look for name, look in stored.items() if _is_look(look)}
            except (OSError, ValueError, AttributeError):
                self._appearance = {}
        return self._appearance

    def setAppearance(self, organs: Sequence[Organ]) -> None:
        """Keep colours and terminology of organs with the study."""
        from ...disk.files import atomic_write_json

        looks = {organ.name: {"colour": list(organ.colour), "terminology": organ.terminology} for organ in organs}
        atomic_write_json(self.folder / APPEARANCE_NAME, looks)
        self._appearance = None

    # Volumes

    def canShow(self, case: str) -> bool:
        """Whether the views can show a case: a volume that is loaded, or any image, which is loaded when looked at."""
        return self.isPlanar or self.volumeNode(case) is not None

    def missing(self) -> list[str]:
        """Volumes that must be loaded before they can be shown."""
        if self.isPlanar:
            return []
        shown = casesShown(self._study.created)
        return [case for case in self.cases() if case not in shown]

    def holds(self, case: str | None) -> bool:
        """Whether it is a volume of the study that the scene holds."""
        return case is not None and self._study.has(case) and self.volumeNode(case) is not None

    def volumeNode(self, case: str) -> MrmlNode | None:
        """The volume node of a case, None when the scene has none."""
        return volumeNodeOf(self._study.created, case)

    def caseOf(self, volumeNode: MrmlNode | None) -> str | None:
        """The case that a volume node shows, None when it is not of this study."""
        if volumeNode is None or volumeNode.GetAttribute(STUDY) != self._study.created:
            return None
        case: str | None = volumeNode.GetAttribute(CASE)
        return case if self._study.has(case) else None

    def took(self, node: MrmlNode) -> bool:
        """Whether a volume, an image or a sequence of the scene was copied into this study."""
        if node.IsA("vtkMRMLSequenceNode"):
            return bool(node.GetAttribute(STUDY) == self._study.created)
        return self.caseOf(node) is not None

    def bind(self, volumeNode: MrmlNode, case: str) -> None:
        """Remember on the node that it shows a case of this study."""
        bind(volumeNode, self._study.created, case)

    def node(self, case: str) -> MrmlNode:
        """The volume node of a case to be shown now; an image that the scene lacks is loaded, see `LoadedImages`.

        Raises:
            InputError: a volume that is not in the scene, or an image whose file is damaged.
        """
        node = self.volumeNode(case)
        if node is None and not self.isPlanar:
            raise InputError(case, "is not loaded", "open the study again to load it")
        self._images.lookedAt(case)
        if node is None:
            node = self._placed(case, self._study.read_scan(case))
            node.SetAttribute(LOADED, "1")
            nodes = {one: found for one in self.cases() if (found := self.volumeNode(one)) is not None}
            ours = {one: found for one, found in nodes.items() if found.GetAttribute(LOADED) is not None}
            for gone in self._images.makeRoom(self._study, ours, self.organs()):
                self._shown.forget(gone)
            self.imageResults.bring(case)
        return node

    def _placed(self, case: str, scan: Scan) -> MrmlNode:
        node = nodeFromVoxels(case, scan.voxels, scan.geometry)
        self.bind(node, case)
        return node

    def load(self, job: Job) -> Steps:
        """Steps that bring all volumes and labels of the study into the scene, except those that are there.

        Of a study of images only what was measured: they are loaded when they are looked at.
        """
        if self.isPlanar:
            yield from self.imageResults.read(job)
        cases = [] if self.isPlanar else self.cases()
        for number, case in enumerate(cases):
            job.tell(_("loading"), number, len(cases))
            if self.volumeNode(case) is None:
                self._placed(case, (yield from aside(partial(self._study.read_scan, case))))
                yield
            volume_node = self.volumeNode(case)
            if volume_node is None or self._study.case(case).labels is None:
                continue
            if self.labelNode(volume_node) is None:
                labels = yield from aside(partial(self._storedLabels, case))
                if inScene(volume_node):
                    self._labelled(volume_node, labels)
            yield

    # Labels

    def labelNode(self, volumeNode: MrmlNode) -> MrmlNode | None:
        """The segmentation node with this study's labels of a volume, None when there is none yet."""
        ours = (None, self._study.created)  # without an attribute: of an earlier version
        return next((node for node in madeFor(volumeNode, LABELS) if node.GetAttribute(STUDY) in ours), None)

    def takeLabelNode(self, segmentationNode: MrmlNode, volumeNode: MrmlNode) -> None:
        """A segmentation node holds this study's labels of a volume from now on."""
        segmentationNode.SetAttribute(STUDY, self._study.created)
        attach(segmentationNode, volumeNode, LABELS)

    def labelling(self, case: str) -> LabelledSlices:
        """The labelled slices of a case; made from what the study holds when the scene has none.

        Raises:
            InputError: see `node`.
        """
        from .labelling import LabelledSlices

        volume_node = self.node(case)
        node = self.labelNode(volume_node)
        if node is not None:
            return LabelledSlices(node, volume_node)
        return self._labelled(volume_node, self._storedLabels(case))

    def _storedLabels(self, case: str) -> SparseLabels | None:
        """The newest labels of a case on disk, which are in the inbox while another program writes the study."""
        from ...study.inbox import left_labels

        return left_labels(self._study, case) or self._study.read_labels(case)

    def _labelled(self, volumeNode: MrmlNode, labels: SparseLabels | None) -> LabelledSlices:
        """A new label segmentation of a volume, with what the study holds."""
        from ..nodes.segmentation_nodes import createLabelSegmentation
        from .labelling import LabelledSlices, labellingFromLabels

        if labels is not None:
            labelling = labellingFromLabels(labels, self._study.slice_axis, volumeNode, self.organs())
        else:
            labelling = LabelledSlices(createLabelSegmentation(volumeNode, self.organs()), volumeNode)
        self.takeLabelNode(labelling.segmentationNode, volumeNode)
        return labelling

    def hasLabels(self) -> bool:
        """Whether the study holds a labelled slice."""
        return any(case.labels is not None and case.labels.slices for case in self._study.cases)

    def isLabelled(self, case: str, axis: int, index: int) -> bool:
        """Whether a slice is labelled; nothing is loaded to find out."""
        volume_node = self.volumeNode(case)
        if volume_node is not None and self.labelNode(volume_node) is not None:
            return any((s.axis, s.index) == (axis, index) for s in self.labelling(case).items())
        record = self._study.case(case).labels
        return record is not None and (axis, index) in record.slices

    def labelledSlices(self, case: str) -> list[tuple[LabelledSlice, list[str]]]:
        """The labelled slices of a case and the organs that each showed when it was saved last."""
        labelling = self.labelling(case)
        if self._shown.of(case) is None:
            self._shown.remember(case, labelling.sliceLabels(self.organs()), self._study.organs)
        shown = self._shown.of(case) or {}
        return [(labelled, shown.get(labelled, [])) for labelled in labelling.items()]

    def saveLabels(self, case: str, studyIsBusy: bool) -> None:
        """Store the labels of a case in the study folder; while it is trained, in its inbox.

        Raises:
            InputError: organs overlap in a labelled slice, or as `settle` does.
        """
        self.saveLabelsBeside(case, studyIsBusy)
        self.settle()

    def saveLabelsBeside(self, case: str, studyIsBusy: bool) -> None:
        """Begin to store the labels of a case beside Slicer's event loop; `settle` tells whether that went well.

        The labelled slices are on disk when this returns, and are not lost if the program is killed then.

        Raises:
            InputError: organs overlap in a labelled slice.
        """
        from .labelling import labelsOf

        labelling, organs = self.labelling(case), self.organs()
        slices = labelling.sliceLabels(organs)
        self._shown.remember(case, slices, self._study.organs)
        geometry, held = geometryOfNode(labelling.volumeNode), self._kept.write(self._study, case, slices)

        def write() -> None:
            write_labels(self.folder, case, labelsOf(slices, geometry, [organ.name for organ in organs]), studyIsBusy)
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
            self.refresh()

    def takeLabels(self) -> None:
        """Take over what was left in the inbox while the study was trained, and what a killed program had kept.

        Raises:
            InputError: another program is writing the study.
        """
        from ...study.inbox import take_labels
        from ...study.kept_slices import leave_kept

        self.saving.wait()  # who has begun to save is told what failed
        self.refresh()
        leave_kept(self._study)
        with self._study.lock():
            take_labels(self._study)

    def takeLabelsIfFree(self) -> None:
        """Like `takeLabels`, but while another program writes the study the labels stay in the inbox for later."""
        with suppress(InputError):
            self.takeLabels()

    # Training

    def trained(self) -> str:
        """How far the study is trained: "" not at all, "partly", or "fully"."""
        if self.model is not None:
            return "fully"
        return "partly" if run_file(self.folder, RUN_RECORD_NAME).exists() else ""

    def method(self, chosen: str) -> str:
        """The method that trains this study: as chosen for volumes, and the only one for images."""
        return "information-divergence" if self.isPlanar else chosen

    def writer(self) -> Holder | None:
        """The process that is writing the study now, for example a training that Slicer's end has left behind."""
        from ...disk.lock import holder_of

        return holder_of(self.folder / LOCK_NAME)


def _is_look(look: Any) -> bool:
    """Whether a value from a file is a colour and a terminology."""
    if not isinstance(look, dict) or not isinstance(look.get("terminology"), str):
        return False
    colour = look.get("colour")
    return isinstance(colour, list) and len(colour) == 3 and all(isinstance(part, (int, float)) for part in colour)
