"""A study folder and its nodes in the scene, for the panel and the logic.

Volumes of the study are recognised by attributes that are saved with the scene, so that opening the scene or the
study brings everything together again. Results belong to the nodes that a job was started with, whatever is selected
when it ends.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ...disk.identity import identity_of
from ...disk.study_layout import (
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
from ..nodes.study_nodes import CASE, STUDY, bind, casesShown, inScene, volumeNodeOf
from ..nodes.volume_nodes import nodeFromVoxels
from ..processes.aside import aside
from ..processes.jobs import Job, Steps
from ..processes.resident_worker import ResidentWorker
from ..results.image_results import ImageResults
from .loaded_images import LOADED, LoadedImages
from .organ_appearance import OrganAppearance
from .slice_suggestions import Suggestions
from .study_labels import StudyLabels
from .training_record import TrainingRecord

if TYPE_CHECKING:
    from ...disk.lock import Holder
    from ...imaging.scan import Scan
    from ...study.study import Study

MrmlNode = Any


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
        labels: of its volumes.
        appearance: colours and terminology of its organs.
        training: what is known of its training.

    Raises:
        InputError: no study, a damaged one, or one of a newer version.
    """

    def __init__(self, folder: Path, resident: ResidentWorker | None = None) -> None:
        self.folder = folder
        self.resident = resident or ResidentWorker(Path(slicer.app.temporaryPath) / "USLabelEfficientSeg")
        self.suggestions = Suggestions()
        self._images = LoadedImages()
        self.imageResults = ImageResults(self)
        self.labels = StudyLabels(self)
        self.training = TrainingRecord(lambda: self._study)
        self.appearance = OrganAppearance(folder)
        self._known: Study | None = None
        self.refresh()

    def prepare(self) -> None:
        """Let the resident worker load what it needs and look through the study, before anything is asked."""
        with suppress(InputError):  # whoever asks for something will be told
            self.resident.ask("prepare", study=self.folder)

    def close(self) -> None:
        """The study is left: its worker ends, and its labels are on disk."""
        self.resident.close()
        self.labels.saving.settle()

    @property
    def study(self) -> Study:
        """The study as it was on disk when `refresh` was called last."""
        return self._study

    def refresh(self) -> None:
        """Read the study again, after a job may have changed it."""
        from ...study.study import Study

        self._read = identity_of(self.folder / MANIFEST_NAME)
        self._study = Study.open(self.folder, before=self._known)
        self._known = self._study
        self.appearance.forget()
        self.labels.compareAgain()

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
        return self.appearance.organs(self._study.organs)

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
                self.labels.forget(gone)
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
            if self.labels.node(volume_node) is None:
                stored = yield from aside(partial(self.labels.stored, case))
                if inScene(volume_node):
                    self.labels.show(case, volume_node, *stored)
            yield

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
