"""Part of step 4, Results: find the organs in the study's volumes after training, and in other volumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from ..node_list import NodeList
from ..nodes import study_nodes
from ..nodes.slice_views import labelling_view
from ..processes import study_jobs
from ..processes.dependencies import ensureDependencies
from ..processes.jobs import Job
from ..results.results import SegmentationRequest, segment
from ..section import Section, allow, on_click, silent, tell
from .model_choice import model_at

if TYPE_CHECKING:
    from ..panel import Panel
    from ..session.study_session import StudySession


class SegmentSection(Section):
    """Volumes in, segmentations beside them out; the user's own segmentations are never touched."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        self._list = NodeList(ui.segmentList, self._on_ticked)
        ui.modelFileEdit.connect("currentPathChanged(QString)", self._on_model_file)
        on_click(ui.modelFolderButton, ui.resultsStatus, self._choose_folder)
        on_click(ui.segmentButton, ui.resultsStatus, self._segment)
        self.signals.trained.connect(self.segment_study)

    def ticked(self) -> list[Any]:
        """Volumes to segment."""
        return [node for node in self.panel.parameters.volumesToSegment if node is not None]

    def _ticked_now(self) -> list[Any]:
        """The same, read once."""
        settings = self.panel.parameters.parameterNode
        return self.panel.scene.once_of_volumes("to segment", self.ticked, settings, settings.GetMTime())

    def refresh(self) -> None:
        """Show volumes, model, and what can be done."""
        parameters, ui = self.panel.parameters, self.ui
        settings, scene = parameters.parameterNode, self.panel.scene
        changes = (settings, settings.GetMTime())
        self._list.show(scene.volumes, self._ticked_now(), stamp=(scene.volumes_stamp, *changes))
        if ui.modelFileEdit.currentPath != parameters.modelFile:
            with silent(ui.modelFileEdit):
                ui.modelFileEdit.currentPath = parameters.modelFile
        from_file = parameters.modelSource.value == "file"
        problem = model_at(parameters.modelFile).problem if from_file else ""
        tell(ui.modelFileProblem, problem, bad=bool(parameters.modelFile))
        for widget in (ui.modelFileLabel, ui.modelFileRow):
            widget.visible = from_file
        ui.modelFileProblem.visible = bool(problem)
        allow(ui.segmentButton, _("Find the organs in the ticked volumes."), self.why_not())

    def why_not(self) -> str | None:
        """Why nothing can be segmented now."""
        if self.panel.why_busy():
            return self.panel.why_busy()
        if self.panel.parameters.modelSource.value == "file":
            problem = model_at(self.panel.parameters.modelFile).problem
            return problem or self._nothing_ticked()
        if self._model() is None:
            return self.panel.why_no_study() or _("The study is not trained to the end yet; see step 3.")
        return self._nothing_ticked()

    def segment_study(self) -> None:
        """A training is done: segment the volumes of the study that are loaded; corrections by hand are kept."""
        session = self.panel.session
        if session is None or session.model is None or self.panel.runner.busy:
            return
        if session.isPlanar:
            self._segment_images(session)
            return
        nodes = [node for node in map(session.volumeNode, session.cases()) if node is not None]
        if nodes:
            self._start(nodes, session.model, replace=True, keep_edited=True)

    def _segment_images(self, session: StudySession) -> None:
        """Segment all images of the study, without loading them."""
        ensureDependencies()
        images, device = session.imageResults, self.panel.parameters.device
        job = Job(_("Segmentation"), lambda job: images.segment(job, device), "segment")

        def done(job: Job) -> str:
            self.signals.segmented.emit([])
            return _("Segmented {count} images. Click a row to see one.").format(count=job.result)

        self.panel.run(job, self.ui.resultsStatus, done)

    def _nothing_ticked(self) -> str | None:
        session = self.panel.session
        all_images = session is not None and session.isPlanar and self._model() == session.model
        return None if self._ticked_now() or all_images else _("Tick a volume first.")

    def _model(self) -> Path | None:
        parameters, session = self.panel.parameters, self.panel.session
        if parameters.modelSource.value == "file":
            return model_at(parameters.modelFile).path
        return None if session is None else session.model

    def _on_ticked(self) -> None:
        if self.panel.parameters is not None:
            self.panel.parameters.volumesToSegment = self._list.checked()
            self.panel.refresh_soon()

    def _on_model_file(self, path: str) -> None:
        if self.panel.parameters is not None:
            self.panel.parameters.modelFile = path
            self.panel.refresh_soon()

    def _choose_folder(self) -> None:
        path = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Folder of a trained study"))
        if path:
            self.ui.modelFileEdit.currentPath = path

    def _segment(self) -> None:
        nodes, model, session = self.ticked(), self._model(), self.panel.session
        assert model is not None
        if not nodes and session is not None:  # of images: all of the study
            self._segment_images(session)
            return
        replace = False
        earlier = [node for node in nodes if study_nodes.madeFor(node, study_nodes.RESULT)]
        if earlier:
            question = _(
                "{names} already has a segmentation by this module. Replace it? With No, both are kept."
            ).format(names=", ".join(node.GetName() for node in earlier))
            replace = slicer.util.confirmYesNoDisplay(question)
        self._start(nodes, model, replace=replace)

    def _start(self, nodes: Sequence[Any], model: Path, *, replace: bool, keep_edited: bool = False) -> None:
        parameters, session = self.panel.parameters, self.panel.session
        ensureDependencies()
        of_study = session is not None and model == session.model
        request = SegmentationRequest(
            model=model,
            organs=[] if session is None else session.organs(),
            show3D=parameters.show3D,
            replace=replace,
            keepEdited=keep_edited,
            device=parameters.device,
            study=session.study.created if session is not None and of_study else "",
        )
        logs = session.logs if session is not None else study_jobs.logsOfNoStudy()
        resident = None if session is None else session.resident
        job = Job(_("Segmentation"), lambda job: segment(job, nodes, request, logs, resident), "segment")
        asked = len(nodes)

        def done(job: Job) -> str:
            made = len(job.result)
            self._show(job.result)
            self.signals.segmented.emit(job.result)
            text = _("Segmented {made} of {asked} volumes.").format(made=made, asked=asked)
            return text if made == asked else text + " " + _("The others were removed meanwhile.")

        self.panel.run(job, self.ui.resultsStatus, done)

    def _show(self, results: Sequence[Any]) -> None:
        """Show the result of the volume in the views, or the first result; the table offers the others."""
        if not results:
            return
        background = labelling_view().mrmlSliceCompositeNode().GetBackgroundVolumeID()
        of_shown = [node for node in results if study_nodes.volumeOf(node).GetID() == background]
        result = (of_shown or results)[0]
        study_nodes.showOnly(result)
        if self.panel.shown and not of_shown:
            slicer.util.setSliceViewerLayers(background=study_nodes.volumeOf(result), fit=True)
        if self.panel.shown:
            slicer.util.resetThreeDViews()
