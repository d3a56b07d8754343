"""What the stand-ins of Slicer's and CTK's widgets share: properties that live in the Python instance."""

from typing import Any

from PySide6 import QtCore, QtWidgets


def stored(kind: Any, default: Any, notify: str = "") -> Any:
    """A Qt property kept in the instance; a change calls `_refresh` and emits the signal named `notify`."""
    key = object()

    def get(self: Any) -> Any:
        return self.__dict__.get("_stored", {}).get(key, default)

    def put(self: Any, value: Any) -> None:
        if value == get(self):
            return
        self.__dict__.setdefault("_stored", {})[key] = value
        if notify:
            getattr(self, notify).emit(value)
        if hasattr(self, "_refresh"):
            self._refresh()

    return QtCore.Property(kind, get, put)


def setter(name: str) -> Any:
    """The C++ setter of a property, for the idiom `widget.setNodeTypes(...)`."""

    def put(self: Any, value: Any) -> None:
        self.setProperty(name, value)

    return put


def stop_observing(observations: list[tuple[Any, int]]) -> None:
    """Let go of what a widget observes: (subject, tag) pairs, which are taken out of the list."""
    while observations:
        subject, tag = observations.pop()
        subject.RemoveObserver(tag)


def row(parent: QtWidgets.QWidget, *widgets: QtWidgets.QWidget) -> None:
    """Lay out a composed widget's parts in a row without margins."""
    layout = QtWidgets.QHBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
