"""Step 2's buttons: the slice that is shown is kept as a label, begun with an outline or removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from slicer.i18n import tr as _

from ...errors import InputError
from ..nodes import study_nodes
from ..nodes.slice_views import sliceName
from ..section import allow, on_click, tell
from ..session.known_organs import Source
from ..session.slice_suggestions import SuggestedSlice
from ..session.study_session import StudySession
from .next_slice import NextSlice
from .shortcuts import Shortcuts
from .slice_buttons import SliceState, show_slice_buttons
from .slice_work import Place, SliceWork

if TYPE_CHECKING:
    from ..nodes.label_editor import LabelEditor
    from ..panel import Panel
    from .live_outline import LiveOutline
    from .stroke_saving import StrokeSaving


class LabelledVolume(Protocol):
    """The volume that is being labelled: its slices are shown, their labels saved, outlines asked for."""

    panel: Panel
    editing: LabelEditor
    saving: StrokeSaving
    outline: LiveOutline

    @property
    def case(self) -> str | None:
        """Its name in the study."""

    def shown_slice(self) -> tuple[int, int] | None:
        """(axis, index) of the slice that the slice view shows."""

    def show_slice(self, case: str, axis: int, index: int) -> None:
        """Show a slice of a volume in the slice view."""

    def slice_node(self) -> Any:
        """The node of that view."""


class SliceLabelling:
    """What the user does with the slice that is shown.

    Args:
        volume: that is being labelled.

    Attributes:
        work: the slices that were kept or begun.
        shortcuts: keys of the buttons.
    """

    def __init__(self, volume: LabelledVolume) -> None:
        self._volume, self._panel, self._ui = volume, volume.panel, volume.panel.ui
        self.work = SliceWork()
        self._next = NextSlice(self._panel, self.show_suggestion)
        ui = self._ui
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
        self.shortcuts = Shortcuts({**keys, "Shift+N": ui.undoSliceButton})

    def refresh(self) -> None:
        """Show what can be done without regard to the slice that is shown."""
        allow(
            self._ui.nextSliceButton,
            _("Show another slice that is worth labelling, and keep nothing of this one."),
            self._panel.why_no_study() or self._next.why_not(),
        )
        none_kept = None if self.work.undoable else _("No label was kept since the study was opened.")
        allow(self._ui.undoSliceButton, _("Take the label that was kept last back, and show its slice."), none_kept)

    def show_buttons(self) -> None:
        """Show what can be done with the slice that is shown."""
        session = self._panel.session
        case, place, no_study = self._volume.case, self.shown_place(), self._panel.why_no_study()
        reason = no_study
        if reason is None and case is None:
            reason = _("Choose a volume in the table, or press Next slice.")
        if reason is None and place is None:
            reason = _("The slice view shows no whole slice of this volume; press Next slice, or click a slice.")
        if session is None or reason is not None:
            show_slice_buttons(self._ui, None, reason, no_study or self._next.why_not())
            return
        assert place is not None
        labelled = session.labels.isLabelled(place.case, place.axis, place.index)
        results = study_nodes.madeFor(session.volumeNode(place.case), study_nodes.RESULT)
        known = bool(results) or self._volume.outline.is_known(place)
        begun = self.work.is_begun(session, place)
        show_slice_buttons(self._ui, SliceState(labelled, known, begun), None, None)

    def shown_place(self) -> Place | None:
        """The slice that is shown, if it is one of the study."""
        case, shown = self._volume.case, self._volume.shown_slice()
        return None if self._panel.session is None or case is None or shown is None else Place(case, *shown)

    def begin(self, place: Place) -> bool:
        """Paint a slice as the latest result has it, if there is one and nothing is drawn there; returns whether.

        Else it is painted once an outline is known. Where a slice of the volume is labelled, the outline knows more
        than the result.
        """
        begun = self._begin_with_result(place)
        if not begun:
            self._volume.outline.ask(place.case, begin=place)
        self._volume.editing.widget.setActiveEffectByName("Paint")
        return begun

    def on_begun(self, place: Place, source: Source) -> None:
        """A slice was painted, to be accepted or corrected."""
        if source == "model":
            text = _("The model's outline is painted: keep it if it is right, or correct it first.")
        else:
            text = _("An outline from your labelled slices is painted: correct it, and keep it.")
        self._ui.suggestionLabel.text = f"{self._ui.suggestionLabel.text} {text}".strip()
        self._volume.editing.forget_undo()
        self.show_buttons()

    def _begin_with_result(self, place: Place) -> bool:
        session = self._panel.session
        assert session is not None
        begun = not self._volume.outline.is_corrected(place.case) and self.work.begin(session, place)
        if begun:
            self._volume.editing.forget_undo()
        self.show_buttons()
        return begun

    def _next_slice(self) -> None:
        self._volume.saving.begin()
        self._next.show()

    def show_suggestion(self, suggested: SuggestedSlice) -> None:
        """Show a suggested slice, with why, and begin it with what is known of it."""
        session, place = self._panel.session, Place(suggested.case, suggested.axis, suggested.index)
        assert session is not None
        if self.work.clear_begun(session):
            self._volume.editing.forget_undo()
        self._volume.show_slice(place.case, place.axis, place.index)
        begun = self.begin(place)
        self._ui.suggestionLabel.text = _("{case}, {place}, in the {view} view: {reason}.").format(
            case=place.case,
            place=self._name(place),
            view=self._volume.slice_node().GetLayoutName().lower(),
            reason=suggested.reason.rstrip("."),
        )
        if begun:
            self.on_begun(place, "model")

    def _keep_and_next(self) -> None:
        if self.shown_place() is None:
            self._next_slice()
            return
        session, place = self._here()
        self.work.keep(session, place)
        self._save(place, _("Labelled: {place}.").format(place=self._name(place)))
        self._go_on()

    def _keep_empty_and_next(self) -> None:
        session, place = self._here()
        self.work.keep_empty(session, place)
        self._save(place, _("Labelled: {place}, where no organ is visible.").format(place=self._name(place)))
        self._go_on()

    def _go_on(self) -> None:
        """Show the next slice, unless there is none to be had while something runs."""
        if self._next.why_not() is None:
            self._next_slice()

    def _begin(self) -> None:
        session, place = self._here()
        if self.work.is_begun(session, place):
            self.work.empty(session, place)
            self._volume.editing.forget_undo()
            self.show_buttons()
            return
        if not self.work.can_begin(session, place):
            raise InputError(self._name(place), "is drawn on already", "erase it first, or go on with it")
        self.begin(place)

    def _undo(self) -> None:
        session = self._panel.session
        assert session is not None
        place = self.work.undo(session)
        self._save(place, "")
        self._volume.show_slice(place.case, place.axis, place.index)
        tell(self._ui.labelsStatus, _("Not labelled any more: {place}.").format(place=self._name(place)))

    def _remove(self) -> None:
        session, place = self._here()
        session.labels.of(place.case).remove(place.axis, place.index)
        self._save(place, _("Not labelled any more: {place}.").format(place=self._name(place)))

    def _name(self, place: Place) -> str:
        session = self._panel.session
        assert session is not None
        return sliceName(session.node(place.case), place.axis, place.index)

    def _here(self) -> tuple[StudySession, Place]:
        session, place = self._panel.session, self.shown_place()
        if session is None or place is None:
            raise InputError(_("The slice view"), "shows no slice of a volume of the study", "press Next slice")
        return session, place

    def _save(self, place: Place, sentence: str) -> None:
        tell(self._ui.labelsStatus, sentence)
        self._volume.editing.forget_undo()
        self._volume.saving.note(place.case)
        self._volume.saving.begin()
        self._volume.outline.ask(place.case)
        self._panel.refresh()
