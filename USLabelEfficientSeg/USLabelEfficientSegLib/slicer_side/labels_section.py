"""Step 2, Label: the next slice to label, Slicer's Segment Editor, and the labels so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from ..errors import InputError
from . import study_jobs, study_nodes
from .dependencies import ensureDependencies
from .jobs import Job
from .label_editor import LabelEditor
from .labels_overview import fraction_of, slice_rows, volume_rows
from .section import Section, allow, fill_table, on_click, reported, set_headings, silent, tell
from .slice_suggestions import SuggestedSlice
from .slice_views import labelling_view, shownSlice, showScan, showSlice, sliceName
from .study_session import StudySession

if TYPE_CHECKING:
    from .panel import Panel

SECONDS_TO_SAVE = 1.0  # after the last stroke of the brush


class LabelsSection(Section):
    """Labels of the study's volumes. Drawings in labelled slices are saved to the study at once."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        self._case: str | None = None
        self._unsaved: set[str] = set()
        set_headings(ui.labelTable, [_("Volume"), _("Labelled"), _("Share")])
        set_headings(ui.sliceTable, [_("Labelled slice"), _("Shows")])
        self.editing = LabelEditor(ui.editorContainer, self.slice_node, self._on_drawn, self._on_slice_moved)
        self._save_timer = _single_shot(int(1000 * SECONDS_TO_SAVE), self.save_now)
        self._slice_timer = _single_shot(30, self._show_slice_buttons)
        self.signals.study_created.connect(self.adopt_drawn_labels)
        self.signals.study_closed.connect(self._on_study_closed)
        self.signals.labels_needed.connect(self.save_now)
        self.signals.correction_wanted.connect(self.edit)
        ui.labelTable.connect("itemSelectionChanged()", self._on_volume_chosen)
        ui.labelTable.connect("cellClicked(int,int)", self._on_volume_clicked)
        ui.sliceTable.connect("cellClicked(int,int)", self._on_slice_chosen)
        for button, action in (
            (ui.nextSliceButton, self._next_slice),
            (ui.keepSliceButton, self._keep),
            (ui.emptySliceButton, self._keep_empty),
            (ui.removeSliceButton, self._remove),
        ):
            on_click(button, ui.labelsStatus, action)

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
        """Whether the editor holds a result to be corrected instead of labels."""
        node = self.editor.segmentationNode()
        return node is not None and node.GetAttribute(study_nodes.ROLE) == study_nodes.RESULT

    def shown_slice(self, volumeNode: Any = None) -> tuple[int, int] | None:
        """(axis, index) of the slice of the labelled volume, or of another, that the red slice view shows."""
        session = self.panel.session
        if volumeNode is None and session is not None and self.case is not None:
            volumeNode = session.volumeNode(self.case)
        if volumeNode is None:
            return None
        return shownSlice(self.slice_node(), volumeNode)

    def refresh(self) -> None:
        """Show the volumes with their labelled slices, and what can be done with the slice that is shown."""
        session = self.panel.session
        fill_table(self.ui.labelTable, [] if session is None else volume_rows(session))
        with silent(self.ui.labelTable):
            if session is not None and self.case is not None:
                self.ui.labelTable.selectRow(session.cases().index(self.case))
            else:
                self.ui.labelTable.clearSelection()
        self._show_labelled_slices()
        self.ui.labelFractionLabel.text = "" if session is None else fraction_of(session)
        allow(
            self.ui.nextSliceButton,
            _("Show the slice whose label would teach most, ready to be painted."),
            self.panel.why_no_study() or self._why_no_suggestion(),
        )
        self._show_slice_buttons()

    def _why_no_suggestion(self) -> str | None:
        return _("A slice is being looked for.") if self.panel.logic.aside.busy else None

    def _show_labelled_slices(self) -> None:
        session, case = self.panel.session, self.case
        fill_table(self.ui.sliceTable, [] if session is None or case is None else slice_rows(session, case))

    def _show_slice_buttons(self) -> None:
        session, case, shown = self.panel.session, self.case, None
        reason = self.panel.why_no_study()
        if reason is None and case is None:
            reason = _("Choose a volume in the table, or press Next slice to label.")
        if reason is None and self.correcting:  # present strokes are not in the labels
            reason = _("A segmentation is being corrected. Click a volume to go on with its labels.")
        if reason is None:
            shown = self.shown_slice()
            if shown is None:
                reason = _("The red view shows no slice of this volume; press Next slice to label, or click a slice.")
        allow(self.ui.keepSliceButton, _("What is painted on this slice is complete: learn from it."), reason)
        allow(
            self.ui.emptySliceButton, _("Record that this slice shows none of the organs: that, too, teaches."), reason
        )
        marked = False
        if session is not None and case is not None and shown is not None:
            marked = any((s.axis, s.index) == shown for s in session.labelling(case).items())
            self.ui.keepSliceButton.text = _("Label is kept") if marked else _("Keep as label")
        not_marked = None if marked else _("The slice that is shown is not labelled.")
        allow(self.ui.removeSliceButton, _("Do not learn from this slice any more."), reason or not_marked)

    def done(self) -> bool:
        """Whether a slice is labelled."""
        session = self.panel.session
        return session is not None and session.hasLabels()

    # What the user does

    def show_volume(self, case: str) -> None:
        """Show a volume in the slice views and its labels in the editor."""
        session = self.panel.session
        assert session is not None
        self.save_now()
        labels = session.labelling(case)
        self._choose(case)
        showScan(labels.volumeNode)
        study_nodes.showOnly(labels.segmentationNode)
        self.editing.show(labels.segmentationNode, labels.volumeNode)
        self.editing.observe(labels.segmentationNode)

    def _choose(self, case: str | None) -> None:
        """Another volume is worked on, None for one that is not of the study."""
        self._case = case
        self.ui.suggestionLabel.text = ""
        tell(self.ui.labelsStatus, "")
        self.signals.volume_chosen.emit(case)

    def show_slice(self, case: str, axis: int, index: int) -> None:
        """Show a slice of a volume in the red view."""
        session = self.panel.session
        assert session is not None
        if case != self._case or self.correcting:
            self.show_volume(case)
        showSlice(self.slice_node(), session.volumeNode(case), axis, index)
        self.refresh()

    def edit(self, segmentationNode: Any, volumeNode: Any) -> None:
        """Give the editor another segmentation than the labels: a result to correct."""
        session = self.panel.session
        self.save_now()
        self._choose(None if session is None else session.caseOf(volumeNode))
        study_nodes.showOnly(segmentationNode)
        self.editing.show(segmentationNode, volumeNode)
        self.editor.setActiveEffectByName("Paint")
        self.refresh()

    def slice_node(self) -> Any:
        """The node of the slice view in which slices are shown and labelled."""
        return labelling_view().mrmlSliceNode()

    def save_now(self) -> None:
        """Save all strokes since the last time."""
        self._save_timer.stop()
        session, unsaved = self.panel.session, self._unsaved
        self._unsaved = set()
        with reported(self.ui.labelsStatus):
            for case in unsaved:
                if session is not None and session.volumeNode(case) is not None:
                    session.saveLabels(case, self.panel.runner.busy)
        if unsaved and self.panel.parameters is not None:
            self.panel.refresh_soon()

    def adopt_drawn_labels(self) -> None:
        """Labels that were drawn on the volumes before the study was made become labels of the study."""
        from .labelling import LabelledSlices

        session = self.panel.session
        assert session is not None
        names = {organ.name for organ in session.organs()}
        for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
            volume_node = study_nodes.volumeOf(node)
            case = session.caseOf(volume_node)
            drawn_by_user = node.GetAttribute(study_nodes.ROLE) is None
            if case is None or not drawn_by_user or session.labelNode(volume_node) is not None:
                continue
            segmentation = node.GetSegmentation()
            drawn = {segmentation.GetNthSegment(n).GetName() for n in range(segmentation.GetNumberOfSegments())}
            if names <= drawn and LabelledSlices(node, volume_node).items():
                session.takeLabelNode(node, volume_node)
                session.saveLabels(case, self.panel.runner.busy)

    def leave(self) -> None:
        """Save, let the editor go, and observe nothing any more."""
        self.save_now()
        self._slice_timer.stop()
        self.editing.leave()

    def enter(self) -> None:
        """The user comes back: take up the editor again."""
        session = self.panel.session
        self.editing.enter()
        if session is not None and self.case is not None:
            self.editing.observe(session.labelling(self.case).segmentationNode)

    def forget(self) -> None:
        """The scene is closed with everything in it."""
        self.leave()
        self._case = None
        self.signals.volume_chosen.emit(None)
        self.ui.suggestionLabel.text = ""
        self.editing.forget()

    def _on_study_closed(self) -> None:
        self.editing.forget()
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

    def _on_volume_clicked(self, _row: int, _column: int) -> None:
        if self.correcting:  # a click on the row that is chosen already brings its labels back
            self._on_volume_chosen()

    def _on_slice_chosen(self, row: int, _column: int) -> None:
        session, case = self.panel.session, self.case
        if session is not None and case is not None:
            labelled = session.labelling(case).items()[row]
            self.show_slice(case, labelled.axis, labelled.index)

    def _next_slice(self) -> None:
        session = self.panel.session
        assert session is not None
        self.save_now()
        suggested = session.suggestions.next(self._is_labelled)
        if suggested is not None:
            self._show_suggestion(suggested)
            return
        ensureDependencies()
        job = Job(_("Looking for the slice to label next"), lambda job: study_jobs.suggest(job, session), "suggest")

        def done(job: Job) -> str:
            if not self.panel.shown or self.panel.session is not session:
                return _("Slices to label are found.")
            suggested = session.suggestions.next(self._is_labelled)
            if suggested is None:
                return _("No slice is left to be labelled.")
            self._show_suggestion(suggested)
            return ""

        self.panel.run(job, self.ui.labelsStatus, done, aside=True)

    def _is_labelled(self, suggested: SuggestedSlice) -> bool:
        session = self.panel.session
        if session is None or not session.canShow(suggested.case):
            return True
        return session.isLabelled(suggested.case, suggested.axis, suggested.index)

    def _show_suggestion(self, suggested: SuggestedSlice) -> None:
        self.show_slice(suggested.case, suggested.axis, suggested.index)
        self.editor.setActiveEffectByName("Paint")
        session = self.panel.session
        assert session is not None
        place = sliceName(session.volumeNode(suggested.case), suggested.axis, suggested.index)
        text = _("{case}, {place}, in the red view: {reason}.").format(
            case=suggested.case, place=place, reason=suggested.reason.rstrip(".")
        )
        self.ui.suggestionLabel.text = text

    def _keep(self) -> None:
        session, case, axis, index = self._here()
        session.labelling(case).mark(axis, index)
        self._save(case, _("Labelled: {place}.").format(place=self._place(case, axis, index)))

    def _keep_empty(self) -> None:
        session, case, axis, index = self._here()
        session.labelling(case).markEmpty(axis, index, session.organs())
        place = self._place(case, axis, index)
        self._save(case, _("Labelled: {place}, where no organ is visible.").format(place=place))

    def _remove(self) -> None:
        session, case, axis, index = self._here()
        session.labelling(case).remove(axis, index)
        self._save(case, _("Not labelled any more: {place}.").format(place=self._place(case, axis, index)))

    def _place(self, case: str, axis: int, index: int) -> str:
        session = self.panel.session
        assert session is not None
        return sliceName(session.volumeNode(case), axis, index)

    def _here(self) -> tuple[StudySession, str, int, int]:
        session, case, shown = self.panel.session, self.case, self.shown_slice()
        if session is None or case is None or shown is None:
            raise InputError(_("The red view"), "shows no slice of a volume of the study", "press Next slice to label")
        return session, case, *shown

    def _save(self, case: str, sentence: str) -> None:
        self._unsaved.add(case)
        tell(self.ui.labelsStatus, sentence)
        self.save_now()
        self.panel.refresh()

    def _on_drawn(self, *_arguments: Any) -> None:
        if self._case is not None:
            self._unsaved.add(self._case)
            self._save_timer.start()

    def _on_slice_moved(self, *_arguments: Any) -> None:
        self._slice_timer.start()


def _single_shot(milliseconds: int, action: Any) -> Any:
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.connect("timeout()", action)
    return timer
