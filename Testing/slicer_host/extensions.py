"""`slicer.app.extensionsManagerModel()`: which extensions are installed, and what installing one does."""

from typing import Any

from PySide6 import QtCore

from .pythonqt import stand_in
from .stand_in import stored


@stand_in
class qSlicerExtensionsManagerModel(QtCore.QObject):
    """A server that has what a test has put into `offered`; installed extensions are active after a restart only."""

    _offered: Any = None
    _installed: Any = None
    _asked: Any = None

    interactive = stored(bool, True)

    def __init__(self) -> None:
        super().__init__()
        self._offered, self._installed, self._asked = set(), set(), []

    def isExtensionInstalled(self, name: str) -> bool:
        return name in self._installed

    def installExtensionFromServer(self, name: str, restart: bool = True, update: bool = False) -> bool:
        """Refuses to ask: nobody answers in a test, and the module has asked already."""
        if self.interactive or restart:
            raise RuntimeError(f"Slicer would ask before it installs {name}, or restart by itself")
        if name not in self._offered:
            return False
        self._installed.add(name)
        return True
