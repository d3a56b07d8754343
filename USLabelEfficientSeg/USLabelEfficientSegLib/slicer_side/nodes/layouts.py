"""The arrangement of Slicer's views: changed where a step needs another, and given back when the user leaves."""

from __future__ import annotations

import slicer


class _UsersLayout:
    """The layout that the user had before the module changed it."""

    def __init__(self) -> None:
        self._before: int | None = None
        self._ours: int | None = None

    def show(self, layout: int) -> None:
        manager = slicer.app.layoutManager()
        if manager.layout == layout:
            return
        if self._before is None or manager.layout != self._ours:  # the user has chosen another meanwhile
            self._before = manager.layout
        self._ours = layout
        manager.setLayout(layout)

    def restore(self) -> None:
        manager = slicer.app.layoutManager()
        if self._before is not None and manager.layout == self._ours:
            manager.setLayout(self._before)
        self._before = self._ours = None


_users_layout = _UsersLayout()


def show_layout(layout: int) -> None:
    """Arrange the views in one of `vtkMRMLLayoutNode`'s layouts, until `restore_layout`."""
    _users_layout.show(layout)


def restore_layout() -> None:
    """Give the user's own layout back, unless the user has chosen another since."""
    _users_layout.restore()
