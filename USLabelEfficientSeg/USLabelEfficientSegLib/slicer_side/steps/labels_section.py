"""Step 2, Label: slice after slice is drawn in Slicer's Segment Editor, or corrected, and kept as a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from ...errors import InputError
from ..nodes import study_nodes
from ..nodes.label_editor import LabelEditor
from ..nodes.slice_views import labelling_view, show_labelling_view, shownSlice, showScan, showSlice, sliceName
from ..processes.job_bar import JobBar
from ..remembered import Remembered
from ..section import Section, TextTable, allow, fill_table, on_click, reported, set_headings, silent, tell
from ..session.known_organs import Source, source_of
from ..session.labels_overview import LabelsOverview, fraction_of, slice_rows
from ..session.segmentations_as_labels import adopt_drawn
from ..session.slice_suggestions import SuggestedSlice
from ..session.study_session import StudySession
from .live_outline import LiveOutline
from .next_slice import NextSlice
from .shortcuts import Shortcuts
from .slice_buttons import SliceState, show_slice_buttons
from .slice_work import Place, SliceWork
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
        self._work = SliceWork()
        self.saving = StrokeSaving(panel, self._on_taken)
        self._taking = TakingSegmentations(panel, lambda: self.case, self._on_taken)
        self._next = NextSlice(panel, self._show_suggestion)
        self.outline = LiveOutline(panel, self._work, self._on_begun)
        set_headings(ui.labelTable, _headings(planar=False))
        self._volumes, self._overview, self._remembered = TextTable(ui.labelTable), LabelsOverview(), Remembered()
        set_headings(ui.sliceTable, [_("Labelled slice"), _("Shows")])
        self.editing = LabelEditor(ui.editorContainer, self.slice_node, self._on_drawn, self._on_slice_moved)
        self.bar = JobBar(
            panel, ui.labelsJobRow, ui.labelsProgress, ui.cancelLabelsButton, ui.labelsStatus, ("suggest",)
        )
        self._slice_timer = single_shot(30, self._show_slice_buttons)
        self._drawn_timer = single_shot(0, self._look_at_drawing)  # once for all organs that a stroke changes
        self.signals.study_created.connect(self.adopt_drawn_labels)
        self.signals.study_closed.connect(self._on_study_closed)
        self.signals.labels_needed.connect(self.saving.finish)
        self.signals.correction_wanted.connect(self.correct)
        ui.labelTable.connect("itemSelectionChanged()", self._on_volume_chosen)
        ui.sliceTable.connect("cellClicked(int,int)", self._on_slice_chosen)
        for button, action in (
            (ui.nextSliceButton, self._next_slice),
            (ui.keepSliceButton, self._keep_and_next),
            (ui.emptySliceButton, self._keep_empty_and_next),
            (ui.outlineSliceButton, self._begin),
            (ui.undoSliceButton, self._undo),
            (ui.removeSliceButton, self._remove),
        ):
            on_click(button, ui.labelsStatus, action)
        keys = {"N": ui.keepSliceButton, "O": ui.emptySliceButton, "M": ui.outlineSliceButton}
        self._shortcuts = Shortcuts({**keys, "Shift+N": ui.undoSliceButton})
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
        self._show_volumes()
        self._show_labelled_slices()
        no_study = self.panel.why_no_study()
        allow(
            self.ui.nextSliceButton,
            _("Show another slice that is worth labelling, and keep nothing of this one."),
            no_study or self._next.why_not(),
        )
        none_kept = None if self._work.undoable else _("No label was kept since the study was opened.")
        allow(self.ui.undoSliceButton, _("Take the label that was kept last back, and show its slice."), none_kept)
        self._taking.refresh()
        self._show_slice_buttons()
        self.bar.refresh()
        self.outline.refresh()
        self.saving.look()

    def _show_volumes(self) -> None:
        """The table of volumes, with the one that is being labelled selected."""
        session, scene, table = self.panel.session, self.panel.scene, self.ui.labelTable
        rows: list[list[str]] = []
        row_of: dict[str, int] = {}
        fraction = ""
        if session is None:
            rows = scene.once("no labels", list)
        else:
            study = (session.study.created, session.study.cases)
            covered, rows = scene.once("covered", lambda: self._overview.look(session), *study)
            row_of = self._remembered.once(
                "row of", lambda: {case: row for row, case in enumerate(session.cases())}, *study
            )
            fraction = scene.once("label fraction", lambda: fraction_of(covered, session.isPlanar), *study)
        table.setHorizontalHeaderLabels(_headings(session is not None and session.isPlanar))
        self._volumes.show(rows)
        with silent(table):
            if self.case in row_of:
                table.selectRow(row_of[self.case])
            else:
                table.clearSelection()
        self.ui.labelFractionLabel.text = fraction

    def _show_labelled_slices(self) -> None:
        session, case = self.panel.session, self.case
        fill_table(self.ui.sliceTable, [] if session is None or case is None else slice_rows(session, case))

    def _show_slice_buttons(self) -> None:
        session = self.panel.session
        case, place, no_study = self.case, self._shown_place(), self.panel.why_no_study()
        reason = no_study
        if reason is None and case is None:
            reason = _("Choose a volume in the table, or press Next slice.")
        if reason is None and place is None:
            reason = _("The slice view shows no whole slice of this volume; press Next slice, or click a slice.")
        if session is None or reason is not None:
            show_slice_buttons(self.ui, None, reason, no_study or self._next.why_not())
            return
        assert place is not None
        labelled = session.labels.isLabelled(place.case, place.axis, place.index)
        results = study_nodes.madeFor(session.volumeNode(place.case), study_nodes.RESULT)
        known = bool(results) or (self.ui.outlineCheckBox.checked and source_of(session, place.case) is not None)
        begun = self._work.is_begun(session, place)
        show_slice_buttons(self.ui, SliceState(labelled, known, begun), None, None)

    def _shown_place(self) -> Place | None:
        """The slice that is shown, if it is one of the study."""
        case, shown = self.case, self.shown_slice()
        return None if self.panel.session is None or case is None or shown is None else Place(case, *shown)

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
        self._case = case
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
            place = Place(case, axis, index)
            if not self._begin_if_possible(place):
                self.outline.ask(case, begin=place)
            self.editor.setActiveEffectByName("Paint")
            self.ui.labelStep.collapsed = False

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
        self._shortcuts.remove()
        self.editing.leave()

    def enter(self) -> None:
        """The user comes back: take up the editor again."""
        session = self.panel.session
        self._shortcuts.install()
        self.editing.enter()
        if session is not None and self.case is not None:
            self.editing.observe(session.labels.of(self.case).segmentationNode)
            self.outline.ask(self.case)

    def forget(self) -> None:
        """The scene is closed with everything in it."""
        self.leave()
        self._shortcuts.install()
        self._work.forget()
        self._case = None
        self.signals.volume_chosen.emit(None)
        self.ui.suggestionLabel.text = ""
        self.editing.forget()

    def _on_study_closed(self) -> None:
        self.outline.forget()
        self.editing.forget()
        self._work.forget()
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

    def _next_slice(self) -> None:
        self.saving.begin()
        self._next.show()

    def _show_suggestion(self, suggested: SuggestedSlice) -> None:
        session, place = self.panel.session, Place(suggested.case, suggested.axis, suggested.index)
        assert session is not None
        self._work.clear_begun(session)
        self.show_slice(place.case, place.axis, place.index)
        begun = self._begin_if_possible(place)
        self.editor.setActiveEffectByName("Paint")
        text = _("{case}, {place}, in the {view} view: {reason}.").format(
            case=place.case,
            place=self._name(place),
            view=self.slice_node().GetLayoutName().lower(),
            reason=suggested.reason.rstrip("."),
        )
        self.ui.suggestionLabel.text = text
        if begun:
            self._on_begun(place, "model")
        else:
            self.outline.ask(place.case, begin=place)

    def _on_begun(self, place: Place, source: Source) -> None:
        """A slice was painted, to be accepted or corrected."""
        if source == "model":
            text = _("The model's outline is painted: keep it if it is right, or correct it first.")
        else:
            text = _("An outline from your labelled slices is painted: correct it, and keep it.")
        self.ui.suggestionLabel.text = f"{self.ui.suggestionLabel.text} {text}".strip()
        self._show_slice_buttons()

    def _on_outline_wanted(self, wanted: bool) -> None:
        if not wanted:
            self.outline.forget()
        elif self.case is not None:
            self.outline.ask(self.case)
        self._show_slice_buttons()

    def _begin_if_possible(self, place: Place) -> bool:
        """Paint a slice as the latest result has it, if there is one and nothing is drawn there; returns whether.

        Not where a slice of the volume is labelled: there the outline knows more than the result.
        """
        session = self.panel.session
        assert session is not None
        begun = not self.outline.is_corrected(place.case) and self._work.begin(session, place)
        self._show_slice_buttons()
        return begun

    def _keep_and_next(self) -> None:
        if self._shown_place() is None:
            self._next_slice()
            return
        session, place = self._here()
        self._work.keep(session, place)
        self._save(place, _("Labelled: {place}.").format(place=self._name(place)))
        self._go_on()

    def _keep_empty_and_next(self) -> None:
        session, place = self._here()
        self._work.keep_empty(session, place)
        self._save(place, _("Labelled: {place}, where no organ is visible.").format(place=self._name(place)))
        self._go_on()

    def _go_on(self) -> None:
        """Show the next slice, unless there is none to be had while something runs."""
        if self._next.why_not() is None:
            self._next_slice()

    def _begin(self) -> None:
        session, place = self._here()
        if self._work.is_begun(session, place):
            self._work.empty(session, place)
            self._show_slice_buttons()
            return
        if not self._work.can_begin(session, place):
            raise InputError(self._name(place), "is drawn on already", "erase it first, or go on with it")
        if not self._begin_if_possible(place):
            self.outline.ask(place.case, begin=place)
        self.editor.setActiveEffectByName("Paint")

    def _undo(self) -> None:
        session = self.panel.session
        assert session is not None
        place = self._work.undo(session)
        self._save(place, "")
        self.show_slice(place.case, place.axis, place.index)
        tell(self.ui.labelsStatus, _("Not labelled any more: {place}.").format(place=self._name(place)))

    def _remove(self) -> None:
        session, place = self._here()
        session.labels.of(place.case).remove(place.axis, place.index)
        self._save(place, _("Not labelled any more: {place}.").format(place=self._name(place)))

    def _on_taken(self, case: str) -> None:
        if case == self.case:
            self.outline.ask(case)

    def _name(self, place: Place) -> str:
        session = self.panel.session
        assert session is not None
        return sliceName(session.node(place.case), place.axis, place.index)

    def _here(self) -> tuple[StudySession, Place]:
        session, place = self.panel.session, self._shown_place()
        if session is None or place is None:
            raise InputError(_("The slice view"), "shows no slice of a volume of the study", "press Next slice")
        return session, place

    def _save(self, place: Place, sentence: str) -> None:
        tell(self.ui.labelsStatus, sentence)
        self.saving.note(place.case)
        self.saving.begin()
        self.outline.ask(place.case)
        self.panel.refresh()

    def _on_drawn(self, *_arguments: Any) -> None:
        if self.saving.taking_up:
            return
        self.outline.leave_slices_alone()
        if self._case is not None:
            self.saving.note_stroke(self._case)
            self._drawn_timer.start()

    def _look_at_drawing(self) -> None:
        place = self._shown_place()
        if place is not None:
            self.outline.ask_drawn(place)

    def _on_slice_moved(self, *_arguments: Any) -> None:
        self._slice_timer.start()


def _headings(planar: bool) -> list[str]:
    """Of the table of what is labelled."""
    return [_("Image") if planar else _("Volume"), _("Labelled"), _("Share")]
