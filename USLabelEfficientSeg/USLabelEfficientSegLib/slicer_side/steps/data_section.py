"""Step 1, Data: the volumes of a study, its organs, and where it is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ctk
from slicer.i18n import tr as _

from ...disk.study_layout import MANIFEST_NAME
from ...errors import InputError
from ...study.coverage import in_percent, labelled_counts
from ..node_list import NodeList
from ..nodes import study_nodes
from ..nodes.segmentation_nodes import Organ, organsNamed
from ..nodes.sequences import isImageSequence
from ..processes import study_jobs
from ..processes.dependencies import ensureDependencies
from ..processes.job_bar import JobBar
from ..processes.jobs import Job, Steps
from ..remembered import Remembered
from ..section import Section, allow, on_click, reported, silent, tell
from ..session.images_choice import ImagesChoice
from ..session.study_place import new_study_folder, why_no_place
from ..session.study_session import StudySession
from .organ_table import OrganTable
from .volume_sources import VolumeSources

if TYPE_CHECKING:
    from ..panel import Panel

JOBS = ("create", "load", "add")


class DataSection(Section):
    """Which study, which volumes, which organs."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        ui.studyFolderEdit.filters = ctk.ctkPathLineEdit.Dirs
        self.organ_table = OrganTable(ui.organTable, self.organs, self.keep, self._refuse)
        self._volume_list = NodeList(ui.volumeList, self._on_ticked)
        self._remembered = Remembered()
        self.images = ImagesChoice(panel)
        self.sources = VolumeSources(self)
        self.bar = JobBar(panel, ui.dataJobRow, ui.dataProgress, ui.cancelDataButton, ui.dataStatus, JOBS)
        ui.studyFolderEdit.connect("currentPathChanged(QString)", self._on_folder)
        ui.studyFolderEdit.connect("validInputChanged(bool)", self._on_folder)  # alone tells of the empty path
        ui.organTable.connect("itemSelectionChanged()", self.refresh)
        ui.sequenceSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.refresh)
        for button, action in (
            (ui.addOrganButton, self.organ_table.add),
            (ui.removeOrganButton, self.organ_table.remove),
            (ui.studyButton, self._act),
            (ui.closeStudyButton, self.panel.close_study),
        ):
            on_click(button, ui.dataStatus, action)

    # What the user has chosen

    def folder(self) -> Path | None:
        """The folder that is given."""
        text = self.panel.parameters.studyFolder.strip()
        return Path(text) if text else None

    def organs(self) -> list[Organ]:
        """The organs as listed: of the open study, or of the study to be made; none while a scene is being closed."""
        if self.panel.session is not None:
            return self.panel.session.organs()
        if self.panel.parameters is None:
            return []
        stored = json.loads(self.panel.parameters.organs or "[]")
        organs = [Organ(organ["name"], tuple(organ["colour"]), organ["terminology"]) for organ in stored]
        return organs or organsNamed([_("organ")])

    def ticked(self) -> list[Any]:
        """Volumes, 2-D images and sequences of images that belong, or are to belong, to the study."""
        parameters = self.panel.parameters
        return [node for node in (*parameters.volumes, *parameters.sequences) if node is not None]

    def newcomers(self, ticked: Sequence[Any]) -> list[Any]:
        """What of the ticked nodes the open study does not hold."""
        session = self.panel.session
        return [] if session is None else [node for node in ticked if not session.took(node)]

    def missing(self) -> list[str]:
        """Volumes of the open study that the scene lacks."""
        session = self.panel.session
        if session is None:
            return []
        study = (session.study.created, session.study.cases)
        return self.panel.scene.once_of_volumes("missing", session.missing, *study)

    def offered(self) -> list[Any]:
        """What can be ticked: volumes, 2-D images, and sequences of images."""
        scene = self.panel.scene
        return [*scene.volumes, *(node for node in scene.sequences if isImageSequence(node))]

    # What the panel shows

    def refresh(self) -> None:
        """Show folder, volumes, organs, and what can be done with them."""
        parameters, ui, session = self.panel.parameters, self.ui, self.panel.session
        if parameters is None:
            return
        if ui.studyFolderEdit.currentPath != parameters.studyFolder:
            with silent(ui.studyFolderEdit):
                ui.studyFolderEdit.currentPath = parameters.studyFolder
        ticked, newcomers = self._show_volumes()
        self.images.refresh()
        self.organ_table.refresh(fixed=session is not None)
        ui.sequenceRow.visible = bool(self.panel.scene.sequences)
        allow(
            ui.addFramesButton,
            _("Add the frames of this sequence as volumes; a sequence of 2-D images is ticked as a whole."),
            None if ui.sequenceSelector.currentNode() is not None else _("Choose a sequence first."),
        )
        fixed = None if session is None else _("The organs of a study are fixed; make a new study for other organs.")
        allow(ui.addOrganButton, _("Add an organ to the list."), fixed)
        chosen = None if ui.organTable.currentRow() >= 0 else _("Choose an organ in the list first.")
        last = None if ui.organTable.rowCount > 1 else _("A study needs an organ; change its name instead.")
        allow(ui.removeOrganButton, _("Remove the chosen organ from the list."), fixed or last or chosen)
        ui.sliceAxisCombo.enabled = session is None
        ui.studyFolderEdit.enabled = not self.panel.runner.busy
        ui.closeStudyButton.visible = session is not None
        allow(ui.closeStudyButton, _("Leave this study; everything in it is saved."), self.panel.why_busy())
        self._show_study_button(ticked, newcomers)
        self.bar.refresh()
        if session is not None and not self.panel.runner.busy:
            overview = self._remembered.once(
                "overview", partial(self._overview, session), session.study.created, session.study.cases
            )
            tell(ui.dataStatus, overview)

    def _show_volumes(self) -> tuple[Sequence[Any], Sequence[Any]]:
        """Show what can be ticked; returns what is ticked, and what of that the open study does not hold."""
        session, scene, settings = self.panel.session, self.panel.scene, self.panel.parameters.parameterNode
        study = () if session is None else (session.study.created, session.study.cases)
        changes = (settings, settings.GetMTime(), scene.sequences_stamp, *study)
        offered = scene.once_of_volumes("offered", self.offered, scene.sequences_stamp)
        ticked = scene.once_of_volumes("ticked", self.ticked, *changes)
        ours = scene.once_of_volumes(
            "ours",
            lambda: [n for n in offered if session is not None and session.took(n)],
            scene.sequences_stamp,
            *study,
        )
        self._volume_list.show(offered, ticked, ours, stamp=(scene.volumes_stamp, *changes))
        return ticked, scene.once_of_volumes("newcomers", lambda: self.newcomers(ticked), *changes)

    def _show_study_button(self, ticked: Sequence[Any], newcomers: Sequence[Any]) -> None:
        text, tip, reason, _action = self._offer(ticked, newcomers)
        self.ui.studyButton.text = text
        allow(self.ui.studyButton, tip, reason or self.panel.why_busy())

    def _offer(self, ticked: Sequence[Any], newcomers: Sequence[Any]) -> tuple[str, str, str | None, Any]:
        """The button's text, tooltip, reason why it is disabled, and action."""
        folder, session = self.folder(), self.panel.session
        if folder is None:
            return _("Create study"), "", _("Give a study folder first."), None
        if (reason := why_no_place(folder)) is not None:
            return _("Create study"), "", reason, None
        if session is not None and session.folder == folder:
            return self._offer_of(session, newcomers)
        if (folder / MANIFEST_NAME).is_file():
            return _("Open study"), _("Load the volumes and labels of this study."), None, self._open
        if not ticked and self.images.folder is None:
            return _("Create study"), "", _("Tick the volumes that belong to the study first."), None
        return _("Create study"), _("Copy the ticked volumes into the study folder."), None, self._create

    def _offer_of(self, session: StudySession, newcomers: Sequence[Any]) -> tuple[str, str, str | None, Any]:
        """What can be done with the open study."""
        if self.images.folder is not None:
            return _("Add images to the study"), _("Copy the images of the folder into it."), None, self._add
        if newcomers:
            what = _("Add images to the study") if session.isPlanar else _("Add volumes to the study")
            return what, _("Copy what is newly ticked into it."), None, self._add
        reason = None if self.missing() else _("The study is open, and all of its volumes are loaded.")
        if session.isPlanar:
            reason = _("The study is open. Each of its images is loaded when you look at it.")
        return _("Load its volumes"), _("Load the volumes and labels of the study."), reason, self._load

    def _overview(self, session: StudySession) -> str:
        study = session.study
        images, (labelled, slices), share = len(study.cases), labelled_counts(study), in_percent(study.label_fraction())
        if session.isPlanar:
            return _("Study with {images} images, {labelled} of them labelled ({share}).").format(
                images=images, labelled=labelled, share=share
            )
        return _("Study with {volumes} volumes and {slices} labelled slices ({share} of all).").format(
            volumes=images, slices=slices, share=share
        )

    def done(self) -> bool:
        """Whether a study is open."""
        return self.panel.session is not None

    # What the user does

    def _on_folder(self) -> None:
        """The user gives a folder: another one than the open study's leaves that study."""
        session, parameters, path = self.panel.session, self.panel.parameters, self.ui.studyFolderEdit.currentPath
        if parameters is None:
            return
        if session is not None and session.folder != Path(path):
            with reported(self.ui.dataStatus):
                self.panel.close_study(path)
        if self.panel.session is None:
            parameters.studyFolder = path
            reason = why_no_place(Path(path)) if path.strip() else None
            tell(self.ui.dataStatus, reason or "", bad=True)
        self.panel.refresh_soon()

    def _on_ticked(self) -> None:
        if self.panel.parameters is not None:
            self._keep_ticked(self._volume_list.checked())
            self.propose_folder()
            self.panel.refresh_soon()

    def _keep_ticked(self, nodes: list[Any]) -> None:
        parameters = self.panel.parameters
        parameters.sequences = [node for node in nodes if isImageSequence(node)]
        parameters.volumes = [node for node in nodes if not isImageSequence(node)]

    def propose_folder(self) -> None:
        """Where the study could be kept, unless the user has said where."""
        if not self.panel.parameters.studyFolder and (self.ticked() or self.images.folder is not None):
            self.panel.parameters.studyFolder = str(new_study_folder())

    def keep(self, organs: list[Organ]) -> None:
        """List other organs, or organs that look otherwise."""
        if self.panel.session is not None:
            self.panel.session.appearance.keep(organs)
        stored = [{"name": o.name, "colour": list(o.colour), "terminology": o.terminology} for o in organs]
        self.panel.parameters.organs = json.dumps(stored)
        self.refresh()

    def _refuse(self, reason: str) -> None:
        tell(self.ui.dataStatus, reason, bad=True)

    def tick(self, nodes: list[Any]) -> None:
        """Volumes that came into the scene are to belong to the study."""
        parameters = self.panel.parameters
        if parameters is not None:
            here = [node for node in nodes if study_nodes.inScene(node)]
            self._keep_ticked([*self.ticked(), *(node for node in here if node not in self.ticked())])
            self.propose_folder()
            self.panel.refresh()

    def enter(self) -> None:
        """The user comes back, perhaps with volumes from the DICOM module."""
        self.sources.take_from_dicom()

    def _act(self) -> None:
        ticked = self.ticked()
        action = self._offer(ticked, self.newcomers(ticked))[3]
        if action is not None:
            ensureDependencies()
            action()

    def _create(self) -> None:
        folder, organs, nodes, images = self.folder(), self.organs(), self.ticked(), self.images.folder
        assert folder is not None
        axis = self.panel.parameters.sliceAxis.value
        job = Job(
            _("Making the study"),
            lambda job: study_jobs.createStudy(job, folder, nodes, organs, axis, images),
            "create",
        )

        def done(job: Job) -> str:
            self.panel.logic.session = job.result
            self.panel.parameters.studyFolder = str(folder)  # the scene may have been closed meanwhile
            self.images.forget()
            self.signals.study_created.emit()
            return self._overview(job.result)

        self.panel.run(job, self.ui.dataStatus, done)

    def _open(self) -> None:
        folder = self.folder()
        assert folder is not None
        self.open(folder)

    def open(self, folder: Path, load: bool = True) -> None:
        """Open a study, and load what the scene does not hold of it.

        Raises:
            InputError: no study, or another job is running.
        """
        if self.panel.runner.busy:
            raise InputError(folder, "cannot be opened now", self.panel.why_busy() or "")
        self.panel.logic.session = StudySession(folder)
        self.panel.logic.session.labels.takeLeftIfFree()
        self.panel.parameters.studyFolder = str(folder)
        self.panel.logic.session.prepare()
        self.signals.study_opened.emit(load)
        images = self.panel.logic.session.isPlanar  # of which only the measurements are read
        if (load or images) and not self.panel.runner.busy:  # who follows a running training loads them meanwhile
            self._load()
        self.panel.refresh()

    def _load(self) -> None:
        session = self.panel.session
        assert session is not None

        def done(job: Job) -> str:
            if session.imageResults.any:
                self.signals.segmented.emit([])
            return self._overview(session)

        self.panel.run(Job(_("Loading the study"), session.load, "load"), self.ui.dataStatus, done)

    def _add(self) -> None:
        session, nodes, images = self.panel.session, self.newcomers(self.ticked()), self.images.folder
        assert session is not None

        def steps(job: Job) -> Steps:
            if images is not None:
                yield from study_jobs.addImages(job, session, images)
            if nodes:
                yield from study_jobs.addVolumes(job, session, nodes)

        def done(job: Job) -> str:
            self.images.forget()
            return self._overview(session)

        self.panel.run(Job(_("Adding volumes"), steps, "add"), self.ui.dataStatus, done)
