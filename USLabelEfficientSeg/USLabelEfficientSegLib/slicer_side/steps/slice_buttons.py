"""What can be done with the slice that is shown: the buttons of step 2 say it, and why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slicer.i18n import tr as _

from ..section import allow


@dataclass(frozen=True)
class SliceState:
    """A slice of a volume of the study.

    Args:
        labelled: it is kept as a label.
        is_known: organs of its volume are known, by a result, a model or labelled slices.
        begun: it shows what it was begun with.
    """

    labelled: bool
    is_known: bool
    begun: bool


def show_slice_buttons(ui: Any, state: SliceState | None, why_none: str | None, why_no_next: str | None) -> None:
    """Enable and name the buttons.

    Args:
        ui: the widgets by their names.
        state: of the slice that is shown, None if the view shows none of the study.
        why_none: the reason of that, a sentence.
        why_no_next: why no slice can be suggested, None when one can.
    """
    if state is None:  # the same button leads to the first slice
        ui.keepSliceButton.text = _("Next slice (N)")
        allow(ui.keepSliceButton, _("Show the slice whose label would teach most, ready to be painted."), why_no_next)
    else:
        ui.keepSliceButton.text = _("Keep and next (N)")
        allow(ui.keepSliceButton, _("What is painted on this slice is complete: learn from it, and go on."))
    labelled = state is not None and state.labelled
    not_labelled = None if labelled else _("The slice that is shown is not labelled.")
    allow(ui.emptySliceButton, _("None of the organs is visible on this slice: that, too, teaches."), why_none)
    allow(ui.removeSliceButton, _("Do not learn from this slice any more."), why_none or not_labelled)
    begun = state is not None and state.begun
    ui.outlineSliceButton.text = _("Without outline (M)") if begun else _("Suggest outline (M)")
    allow(
        ui.outlineSliceButton,
        _("Take the outline away, and paint the slice yourself.")
        if begun
        else _("Begin with what is found on this slice, and correct it."),
        why_none or _why_no_outline(state),
    )


def _why_no_outline(state: SliceState | None) -> str | None:
    if state is not None and state.labelled:
        return _("The slice is labelled already.")
    if state is None or not state.is_known:
        return _("Nothing is known of this volume yet; label a slice that shows an organ, or train first.")
    return None
