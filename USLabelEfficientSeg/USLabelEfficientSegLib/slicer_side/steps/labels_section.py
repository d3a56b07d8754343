"""Step 2, Label: slice after slice is drawn in Slicer's Segment Editor, or corrected, and kept as a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ..nodes import study_nodes
from ..nodes.label_editor import LabelEditor
from ..nodes.slice_views import labelling_view, show_labelling_view, shownSlice, showScan, showSlice
from ..processes.job_bar import JobBar
from ..section import Section, reported, tell
from ..session.segmentations_as_labels import adopt_drawn
from .label_tables import LabelTables
from .live_outline import LiveOutline
from .next_in_volume import NextInVolume
from .set_aside import SetAside
from .slice_labelling import SliceLabelling
from .slice_work import Place
from .stroke_saving import StrokeSaving
from .taking_segmentations import TakingSegmentations
from .timers import single_shot

if TYPE_CHECKING:
    from ..panel import Panel


class LabelsSection(Section):
    """Labels of the study's volumes. Drawings in labelled slices are saved to the study at once."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        self._case: str | None = None
        self._corrected: Place | None = None
        self.saving = StrokeSaving(panel, self._on_taken)
        self.set_aside = SetAside(panel)
        self._tables = LabelTables(panel)
        self._slices = SliceLabelling(self)
        self._taking = TakingSegmentations(panel, lambda: self.case, self._on_taken)
        following = NextInVolume(panel, self._slices.show_suggestion, self._slices.shown_place)
        self.outline = LiveOutline(panel, self._slices.work, self._slices.on_begun, following)
        self.editing = LabelEditor(ui.editorContainer, self.slice_node, self._on_drawn, self._on_slice_moved)
        self.bar = JobBar(
            panel, ui.labelsJobRow, ui.labelsProgress, ui.cancelLabelsButton, ui.labelsStatus, ("suggest",)
        )
        self._slice_timer = single_shot(30, self._look_at_slice)
        self._drawn_timer = single_shot(0, self._look_at_drawing)  # once for all organs that a stroke changes
        self.signals.study_created.connect(self.adopt_drawn_labels)
        self.signals.study_closed.connect(self._on_study_closed)
        self.signals.labels_needed.connect(self.saving.finish)
        self.signals.correction_wanted.connect(self.correct)
        ui.labelTable.connect("itemSelectionChanged()", self._on_volume_chosen)
        ui.sliceTable.connect("cellClicked(int,int)", self._on_slice_chosen)
        ui.outlineCheckBox.connect("toggled(bool)", self._on_outline_wanted)

    # What is shown

    @property
    def editor(self) -> Any:
        """Slicer's segment editor."""
        return self.editing.widget

    @property
    def case(self) -> str | None:
        """The volume that is being labelled, by its name in the study."""
        session = self.panel.session
        return self._case if session is not None and session.holds(self._case) else None

    @property
    def correcting(self) -> bool:
        """Whether the slice that is shown is one of a result that the user wanted to correct, and not kept yet."""
        place, session = self._corrected, self.panel.session
        if place is None or session is None or place != self._slices.shown_place():
            return False
        return not session.labels.isLabelled(place.case, place.axis, place.index)

    def shown_slice(self, volumeNode: Any = None) -> tuple[int, int] | None:
        """(axis, index) of the slice of the labelled volume, or of another, that the slice view shows."""
        session = self.panel.session
        if volumeNode is None and session is not None and self.case is not None:
            volumeNode = session.volumeNode(self.case)
        if volumeNode is None:
            return None
        return shownSlice(self.slice_node(), volumeNode)

    def refresh(self) -> None:
        """Show the volumes with their labelled slices, and what can be done with the slice that is shown."""
        self._tables.show(self.case)
        self._slices.refresh()
        self._taking.refresh()
        self._slices.show_buttons()
        self.bar.refresh()
        self.set_aside.show()
        self.outline.refresh()
        self.saving.look()

    def show_progress(self) -> None:
        """Show how far the running work is, and what it has set aside; called many times a second."""
        self.bar.show_progress()
        self.set_aside.show()

    def done(self) -> bool:
        """Whether a slice is labelled."""
        session = self.panel.session
        return session is not None and session.labels.hasAny()

    # What the user does

    def show_volume(self, case: str) -> None:
        """Show a volume in the slice views and its labels in the editor."""
        session = self.panel.session
        assert session is not None
        self.saving.begin()
        show_labelling_view()
        labels = session.labels.of(case)
        self._choose(case)
        showScan(labels.volumeNode)
        study_nodes.showOnly(labels.segmentationNode)
        self.editing.show(labels.segmentationNode, labels.volumeNode)
        self.editing.observe(labels.segmentationNode)
        self.outline.ask(case)

    def _choose(self, case: str | None) -> None:
        """Another volume is worked on, None for one that is not of the study."""
        self._case, self._corrected = case, None
        self.ui.suggestionLabel.text = ""
        tell(self.ui.labelsStatus, "")
        self.signals.volume_chosen.emit(case)

    def show_slice(self, case: str, axis: int, index: int) -> None:
        """Show a slice of a volume in the slice view."""
        session = self.panel.session
        assert session is not None
        if case != self._case:
            self.show_volume(case)
        else:  # a result may have taken the place of its labels
            study_nodes.showOnly(
                session.labels.of(case).segmentationNode, *study_nodes.madeFor(None, study_nodes.OUTLINE)
            )
        show_labelling_view()
        showSlice(self.slice_node(), session.volumeNode(case), axis, index)
        self.refresh()

    def correct(self, volumeNode: Any, axis: int, index: int) -> None:
        """Show a slice of a result, to be corrected and kept as a label."""
        session = self.panel.session
        with reported(self.ui.labelsStatus):
            case = None if session is None else session.caseOf(volumeNode)
            if session is None or case is None:
                raise InputError(volumeNode.GetName(), "is not a volume of an open study", "add it in step 1 first")
            self.show_slice(case, axis, index)
            self._corrected = Place(case, axis, index)
            self._slices.begin(self._corrected)
            self.ui.labelStep.collapsed = False
            self.panel.refresh_soon()

    def slice_node(self) -> Any:
        """The node of the slice view in which slices are shown and labelled."""
        return labelling_view().mrmlSliceNode()

    def adopt_drawn_labels(self) -> None:
        """Labels that were drawn on the volumes before the study was made become labels of the study."""
        session = self.panel.session
        assert session is not None
        for case in adopt_drawn(session):
            session.labels.save(case, self.panel.runner.busy)

    def leave(self) -> None:
        """Save, let the editor go, and observe nothing any more."""
        self.saving.finish()
        self._slice_timer.stop()
        self._drawn_timer.stop()
        self.outline.forget()
        self._slices.shortcuts.remove()
        self.editing.leave()

    def enter(self) -> None:
        """The user comes back: take up the editor again."""
        session = self.panel.session
        self._slices.shortcuts.install()
        self.editing.enter()
        if session is not None and self.case is not None:
            self.editing.observe(session.labels.of(self.case).segmentationNode)
            self.outline.ask(self.case)

    def forget(self) -> None:
        """The scene is closed with everything in it."""
        self.leave()
        self._slices.shortcuts.install()
        self._slices.work.forget()
        self._case = self._corrected = None
        self.signals.volume_chosen.emit(None)
        self.ui.suggestionLabel.text = ""
        self.editing.forget()

    def _on_study_closed(self) -> None:
        self.outline.forget()
        self.editing.forget()
        self._slices.work.forget()
        self._choose(None)

    def _on_volume_chosen(self) -> None:
        session, row = self.panel.session, self.ui.labelTable.currentRow()
        with reported(self.ui.labelsStatus):
            if session is not None and 0 <= row < len(session.cases()):
                case = session.cases()[row]
                if not session.canShow(case):
                    raise InputError(case, "is not loaded", "press Load its volumes in step 1")
                self.show_volume(case)
        self.panel.refresh()

    def _on_slice_chosen(self, row: int, _column: int) -> None:
        session, case = self.panel.session, self.case
        if session is not None and case is not None:
            labelled = session.labels.of(case).items()[row]
            self.show_slice(case, labelled.axis, labelled.index)

    def _on_outline_wanted(self, wanted: bool) -> None:
        if not wanted:
            self.outline.forget()
        elif self.case is not None:
            self.outline.ask(self.case)
        self._slices.show_buttons()

    def _on_taken(self, case: str) -> None:
        if case == self.case:
            self.editing.forget_undo()
            self.outline.ask(case)

    def _on_drawn(self, *_arguments: Any) -> None:
        if self.saving.taking_up:
            return
        self.outline.leave_slices_alone()
        if self._case is not None:
            self.saving.note_stroke(self._case)
            self._drawn_timer.start()

    def _look_at_drawing(self) -> None:
        place = self._slices.shown_place()
        if place is not None:
            self.outline.ask_drawn(place)

    def _look_at_slice(self) -> None:
        self._slices.show_buttons()
        self.outline.refresh()
        if self._corrected is not None:  # what to do next is another thing in another slice
            self.panel.refresh_soon()

    def _on_slice_moved(self, *_arguments: Any) -> None:
        self._slice_timer.start()
