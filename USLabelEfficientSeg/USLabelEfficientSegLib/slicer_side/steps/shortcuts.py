"""Keys that press buttons of the panel while the user is in the module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import qt
import slicer


class Shortcuts:
    """Keys of Slicer's main window that press buttons, as far as these are in sight and can be pressed.

    A key that the user types into a text field stays text. Keys that Slicer's Segment Editor takes (0 to 9, Q, W, I,
    Y, Z, the space bar, Escape) are not to be given.

    Args:
        buttons: by their keys, such as "Shift+N".
    """

    def __init__(self, buttons: Mapping[str, Any]) -> None:
        self._buttons = buttons
        self._shortcuts: list[Any] = []

    def install(self) -> None:
        """The user comes to the module."""
        self.remove()
        for keys, button in self._buttons.items():
            shortcut = qt.QShortcut(qt.QKeySequence(keys), slicer.util.mainWindow())
            shortcut.connect("activated()", _presser(button))
            self._shortcuts.append(shortcut)

    def remove(self) -> None:
        """The user goes elsewhere."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts = []


def _presser(button: Any) -> Any:
    def press() -> None:
        if button.visible and button.enabled:
            button.click()

    return press
