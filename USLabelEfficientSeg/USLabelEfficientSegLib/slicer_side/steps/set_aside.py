"""Drawings that did not become labels: told in step 2 until the user has read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ..section import on_click, tell

if TYPE_CHECKING:
    from ..panel import Panel


class SetAside:
    """A line of step 2, of the open study; it stays while slices are labelled and volumes change.

    Args:
        panel: of the section.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._shown: list[str] | None = None
        on_click(panel.ui.setAsideButton, panel.ui.labelsStatus, self._read)
        self.show()

    def show(self) -> None:
        """Show the sentences, if there are any."""
        sentences, ui = self._sentences(), self._panel.ui
        if sentences == self._shown:
            return
        self._shown = sentences
        tell(ui.setAsideLabel, "\n".join(sentences))
        ui.setAsideRow.visible = bool(sentences)

    def _sentences(self) -> list[str]:
        session = self._panel.session
        if session is None:
            return []
        text = _("Others have drawn the same slices of {case} meanwhile: yours are labels, theirs lie in {folder}.")
        others = [text.format(case=case, folder=folder) for case, folder in session.labels.setAside]
        return [*others, *(str(error) for error in session.labels.unfit)]

    def _read(self) -> None:
        if self._panel.session is not None:
            self._panel.session.labels.forgetTold()
        self.show()
