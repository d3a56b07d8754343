"""Part of step 2, Label: corrected slices become labels, and training goes on with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ..errors import InputError
from . import study_nodes
from .section import Section, allow, on_click, tell
from .slice_views import labelling_view, shownSlice, sliceName

if TYPE_CHECKING:
    from .panel import Panel


class ImproveSection(Section):
    """Turns corrections into labels."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        ui.resultSelector.addAttribute("vtkMRMLSegmentationNode", study_nodes.ROLE, study_nodes.RESULT)
        self._offered: str = ui.improveTrainButton.text  # what step 3 would do now
        self._why_not: str | None = None  # and why it cannot
        self.signals.training_offered.connect(self._on_training_offered)
        self.signals.segmented.connect(self.offer)
        ui.resultSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.panel.refresh_soon)
        for button, action in (
            (ui.correctButton, self._correct),
            (ui.useSliceButton, self._use_slice),
            (ui.improveTrainButton, self._train),
        ):
            on_click(button, ui.improveStatus, action)

    def offer(self, results: Sequence[Any]) -> None:
        """Suggest a new segmentation for correction."""
        if results:
            self.ui.resultSelector.setCurrentNode(results[0])

    def refresh(self) -> None:
        """Show what can be done with the chosen segmentation and the visible slice."""
        result = self.ui.resultSelector.currentNode()
        reason = None if result is not None else _("Choose a segmentation first.")
        allow(self.ui.correctButton, _("Open it in the editor of this step, and show its volume."), reason)
        allow(
            self.ui.useSliceButton,
            _("The slice in the red view is right now: learn from it."),
            self.panel.why_no_study() or reason,
        )
        self.ui.improveTrainButton.text = self._offered
        allow(self.ui.improveTrainButton, _("Go on with training, now with the corrected slices."), self._why_not)

    def _correct(self) -> None:
        result = self.ui.resultSelector.currentNode()
        volume_node = study_nodes.volumeOf(result)
        if volume_node is None:
            raise InputError(result.GetName(), "has no volume in the scene", "load its volume first")
        self.signals.correction_wanted.emit(result, volume_node)
        slicer.util.setSliceViewerLayers(background=volume_node, fit=True)
        tell(self.ui.improveStatus, _("Correct a slice with the brush, then press Use this slice as label."))

    def _use_slice(self) -> None:
        session, result = self.panel.session, self.ui.resultSelector.currentNode()
        assert session is not None
        shown = shownSlice(labelling_view().mrmlSliceNode(), study_nodes.volumeOf(result))
        if shown is None:
            raise InputError(_("The red view"), "shows no whole slice of this volume", "press Correct it first")
        case = session.useResultSlice(result, *shown)
        session.saveLabels(case, self.panel.runner.busy)
        place = sliceName(study_nodes.volumeOf(result), *shown)
        text = _("A label now: {case}, {place}.").format(case=case, place=place)
        tell(self.ui.improveStatus, text)
        self.panel.refresh()

    def _train(self) -> None:
        self.signals.training_wanted.emit()

    def _on_training_offered(self, offer: str, why_not: str | None) -> None:
        self._offered, self._why_not = offer, why_not
