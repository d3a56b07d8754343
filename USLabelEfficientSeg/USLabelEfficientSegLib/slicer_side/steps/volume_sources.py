"""Where the volumes of a study come from: a folder, Slicer's DICOM module, the example, the frames of a sequence."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import qt
import slicer
from slicer.i18n import tr as _

from ...errors import Notice
from ..nodes.segmentation_nodes import Organ, organsNamed
from ..nodes.sequences import isImageSequence, sequenceFrames
from ..nodes.simulated_data import ORGANS as EXAMPLE_ORGANS
from ..nodes.simulated_data import simulatedStudy
from ..nodes.ultrasound_nodes import ultrasound_nodes
from ..processes.aside import aside
from ..processes.dependencies import ensureDependencies
from ..processes.jobs import Job, Steps
from ..section import on_click, tell
from ..session.volume_folder import images_in, read

if TYPE_CHECKING:
    from ..panel import Panel
    from ..session.images_choice import ImagesChoice


class StudyContents(Protocol):
    """What is to belong to the study: volumes, a folder of images, organs, and where it is kept."""

    panel: Panel
    images: ImagesChoice

    def tick(self, nodes: list[Any]) -> None:
        """Volumes that came into the scene are to belong to the study."""

    def keep(self, organs: list[Organ]) -> None:
        """List other organs."""

    def propose_folder(self) -> None:
        """Say where the study could be kept."""


class VolumeSources:
    """Brings volumes into the scene, and has them ticked.

    Args:
        contents: of the study.
    """

    def __init__(self, contents: StudyContents) -> None:
        self._contents, self._panel = contents, contents.panel
        self._awaited: set[str] | None = None  # volumes before the user went to load others from DICOM
        ui = self._panel.ui
        for button, action in (
            (ui.addFolderButton, self._add_folder),
            (ui.fromDicomButton, self._from_dicom),
            (ui.exampleButton, self._load_example),
            (ui.addFramesButton, self._add_frames),
        ):
            on_click(button, ui.dataStatus, action)

    def _from_dicom(self) -> None:
        """Let the user import and load in Slicer's DICOM module; `take_from_dicom` ticks what came of it."""
        self._awaited = {node.GetID() for node in ultrasound_nodes()}
        slicer.util.selectModule("DICOM")

    def take_from_dicom(self) -> None:
        """The user comes back: what was loaded from DICOM meanwhile is to belong to the study."""
        before, self._awaited = self._awaited, None
        if before is None or self._panel.parameters is None:
            return
        loaded = [node for node in ultrasound_nodes() if node.GetID() not in before]
        self._contents.tick(loaded)
        if loaded:
            tell(self._panel.ui.dataStatus, _("Loaded {count} volumes.").format(count=len(loaded)))

    def _add_folder(self) -> None:
        ensureDependencies()  # an older pydicom than the library's cannot read
        folder = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Folder of ultrasound volumes"))
        if folder:
            self.add_folder(Path(folder))

    def add_folder(self, folder: Path) -> None:
        """Load all volumes of a folder, and tick them; or take a folder of 2-D images as it is."""
        from ..nodes.volume_nodes import nodeFromVoxels

        notices: list[Notice] = []

        def steps(job: Job) -> Steps:
            dimension, images, passed_over = yield from aside(lambda: images_in(folder))
            notices.extend(passed_over)
            if dimension == 2:
                return len(images)
            loaded = []
            for number, (name, path) in enumerate(images.items()):
                job.tell(_("loading"), number, len(images))
                volume = yield from aside(partial(read, path))
                loaded.append(nodeFromVoxels(name, volume.voxels, volume.geometry))
                yield
            return loaded

        def done(job: Job) -> str:
            if isinstance(job.result, int):
                self._contents.images.choose(folder, job.result)
                self._contents.propose_folder()
                return _("{count} images are copied when you press the button below.").format(count=job.result)
            self._contents.tick(job.result)
            return " ".join([_("Loaded {count} volumes.").format(count=len(job.result)), *map(str, notices)])

        self._panel.run(Job(_("Loading volumes"), steps, "load"), self._panel.ui.dataStatus, done)

    def _load_example(self) -> None:
        def done(job: Job) -> str:
            if self._panel.session is None:
                self._contents.keep(organsNamed(EXAMPLE_ORGANS))
            self._contents.tick(job.result)
            return _("Loaded simulated volumes. Press Create study.")

        job = Job(_("Making simulated volumes"), lambda job: simulatedStudy(job=job), "load")
        self._panel.run(job, self._panel.ui.dataStatus, done)

    def _add_frames(self) -> None:
        sequence = self._panel.ui.sequenceSelector.currentNode()
        self._contents.tick([sequence] if isImageSequence(sequence) else sequenceFrames(sequence))
