"""Part of step 4, Results: find the organs in whole volumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from . import study_jobs, study_nodes
from .dependencies import ensureDependencies
from .jobs import Job
from .results import SegmentationRequest, segment
from .section import Section, allow, checked_nodes, fill_node_list, on_click, silent, tell, ultrasound_nodes
from .slice_views import labelling_view

if TYPE_CHECKING:
    from .panel import Panel


class SegmentSection(Section):
    """Volumes in, segmentations beside them out; the user's own segmentations are never touched."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        ui.modelFileEdit.nameFilters = [_("Trained model (*.safetensors)")]
        ui.segmentList.connect("itemChanged(QListWidgetItem*)", self._on_ticked)
        ui.modelFileEdit.connect("currentPathChanged(QString)", self._on_model_file)
        on_click(ui.segmentButton, ui.segmentStatus, self._segment)
        on_click(ui.cancelSegmentButton, ui.segmentStatus, self._cancel)

    @property
    def segmenting(self) -> Job | None:
        """The segmentation that is running."""
        job = self.panel.runner.job
        return job if job is not None and job.running and job.kind == "segment" else None

    def ticked(self) -> list[Any]:
        """Volumes to segment."""
        return [node for node in self.panel.parameters.volumesToSegment if node is not None]

    def refresh(self) -> None:
        """Show volumes, model, and what can be done."""
        parameters, ui = self.panel.parameters, self.ui
        fill_node_list(ui.segmentList, ultrasound_nodes(), self.ticked(), [])
        if ui.modelFileEdit.currentPath != parameters.modelFile:
            with silent(ui.modelFileEdit):
                ui.modelFileEdit.currentPath = parameters.modelFile
        from_file = parameters.modelSource.value == "file"
        for widget in (ui.modelFileLabel, ui.modelFileEdit):
            widget.visible = from_file
        allow(ui.segmentButton, _("Find the organs in the ticked volumes."), self.why_not())
        job = self.segmenting
        stopping = job is None or job.cancelling
        allow(ui.cancelSegmentButton, _("Stop within two seconds."), _("Nothing is running.") if stopping else None)
        ui.segmentProgress.visible = job is not None
        self.show_progress()

    def why_not(self) -> str | None:
        """Why nothing can be segmented now."""
        if self.panel.why_busy():
            return self.panel.why_busy()
        if self._model() is None:
            if self.panel.parameters.modelSource.value == "file":
                return _("Choose a model file that exists first.")
            return self.panel.why_no_study() or _("The study is not trained to the end yet; see step 3.")
        return None if self.ticked() else _("Tick a volume first.")

    def show_progress(self) -> None:
        """How many volumes are done; called many times a second."""
        job = self.segmenting
        if job is not None and job.progress is not None:
            self.ui.segmentProgress.setValue(round(100 * job.progress))

    def _model(self) -> Path | None:
        parameters, session = self.panel.parameters, self.panel.session
        if parameters.modelSource.value == "file":
            path = Path(parameters.modelFile)
            return path if parameters.modelFile and path.exists() else None
        return None if session is None else session.model

    def _on_ticked(self) -> None:
        if self.panel.parameters is not None:
            self.panel.parameters.volumesToSegment = checked_nodes(self.ui.segmentList)
            self.panel.refresh_soon()

    def _on_model_file(self, path: str) -> None:
        if self.panel.parameters is not None:
            self.panel.parameters.modelFile = path
            self.panel.refresh_soon()

    def _segment(self) -> None:
        parameters, session, model, nodes = self.panel.parameters, self.panel.session, self._model(), self.ticked()
        assert model is not None
        ensureDependencies()
        replace = False
        earlier = [node for node in nodes if study_nodes.madeFor(node, study_nodes.RESULT)]
        if earlier:
            question = _(
                "{names} already has a segmentation by this module. Replace it? With No, both are kept."
            ).format(names=", ".join(node.GetName() for node in earlier))
            replace = slicer.util.confirmYesNoDisplay(question)
        request = SegmentationRequest(
            model=model,
            organs=[] if session is None else session.organs(),
            uncertainty=parameters.uncertainty,
            show3D=parameters.show3D,
            replace=replace,
            device=parameters.device,
        )
        logs = session.logs if session is not None else study_jobs.logsOfNoStudy()
        job = Job(_("Segmentation"), lambda job: segment(job, nodes, request, logs), "segment")
        asked = len(nodes)

        def done(job: Job) -> str:
            made = len(job.result)
            self._show(job.result)
            self.signals.segmented.emit(job.result)
            text = _("Segmented {made} of {asked} volumes.").format(made=made, asked=asked)
            return text if made == asked else text + " " + _("The others were removed meanwhile.")

        self.panel.run(job, self.ui.segmentStatus, done)

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

    def _cancel(self) -> None:
        if self.segmenting is not None:
            self.segmenting.cancel()
            tell(self.ui.segmentStatus, _("Stopping …"))
            self.panel.refresh()
