"""Beside the outline of a volume: which of its slices to draw next, and a click that leads there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ..nodes.slice_views import sliceName
from ..section import on_click
from ..session.slice_suggestions import SuggestedSlice
from .slice_work import Place

if TYPE_CHECKING:
    from ..panel import Panel


class NextInVolume:
    """A button, there only where another slice than the shown one is worth drawing.

    Args:
        panel: of the section.
        follow: shows a suggested slice to the user.
        shown: the slice that the user looks at.
    """

    def __init__(
        self, panel: Panel, follow: Callable[[SuggestedSlice], None], shown: Callable[[], Place | None]
    ) -> None:
        self._panel, self._follow, self._shown = panel, follow, shown
        self._suggested: SuggestedSlice | None = None
        on_click(panel.ui.nextInVolumeButton, panel.ui.labelsStatus, self._go)
        self.suggest(None)

    def suggest(self, suggested: SuggestedSlice | None) -> None:
        """Offer a slice of a volume of the open study, or none."""
        session, self._suggested = self._panel.session, suggested
        if session is not None and suggested is not None:
            name = sliceName(session.node(suggested.case), suggested.axis, suggested.index)
            self._panel.ui.nextInVolumeButton.text = _("Draw next: {slice}").format(slice=name)
        self.refresh()

    def refresh(self) -> None:
        """Where the user looks at that slice already, there is nothing to offer."""
        one = self._suggested
        there = one is not None and self._shown() == Place(one.case, one.axis, one.index)
        self._panel.ui.nextInVolumeButton.visible = one is not None and not there

    def _go(self) -> None:
        if self._suggested is not None:
            self._follow(self._suggested)
