"""`slicer.util.loadUI`: .ui files of Qt Designer with Slicer's and CTK's widgets in them."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtCore, QtUiTools, QtWidgets

from .ctk_widgets import CTK_WIDGETS, ctkCollapsibleButton
from .mrml_widgets import MRML_WIDGETS
from .pythonqt import cpp_side
from .segment_editor import SEGMENT_EDITOR_WIDGETS
from .terminology_selector import TERMINOLOGY_WIDGETS

STAND_INS = {**CTK_WIDGETS, **MRML_WIDGETS, **SEGMENT_EDITOR_WIDGETS, **TERMINOLOGY_WIDGETS}
_Connection = tuple[str, str, str, str]


def install() -> None:
    """Set `slicer.util.loadUI`, and the widget classes in the modules `slicer` and `ctk`."""
    import ctk

    slicer.util.loadUI = load_ui
    for name, cls in STAND_INS.items():
        setattr(ctk if name.startswith("ctk") else slicer, name, cls)


def load_ui(path: str | Path) -> QtWidgets.QWidget:
    """The widget of a .ui file, its connections made.

    Raises:
        RuntimeError: no such file, as Slicer does.
        NotImplementedError: the host has no stand-in for a widget class.
    """
    if not Path(path).is_file():
        raise RuntimeError(f"Could not load UI file: file not found {path}\n\n")
    root = ElementTree.parse(path).getroot()
    connections = _take_connections(root)
    buffer = QtCore.QBuffer()
    buffer.setData(ElementTree.tostring(root))
    buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
    loader = _Loader()
    with cpp_side():
        widget = loader.load(buffer)
    if loader.unknown:
        raise NotImplementedError(f"no stand-in for {', '.join(loader.unknown)}")
    widget.__dict__["_host_children"] = loader.created  # PySide would forget their Python side
    for created in loader.created:
        if isinstance(created, ctkCollapsibleButton):
            created.adopt_children()
    for sender, signal, receiver, slot in connections:
        _find(widget, sender).connect(signal, _find(widget, receiver), slot)
    return widget


def _take_connections(root: ElementTree.Element) -> list[_Connection]:
    """The <connections> of a .ui file, removed from it: QUiLoader knows no slots of Python classes."""
    section = root.find("connections")
    if section is None:
        return []
    root.remove(section)
    parts = ("sender", "signal", "receiver", "slot")
    return [tuple(entry.findtext(part, "") for part in parts) for entry in section]  # type: ignore[misc]


def _find(widget: Any, name: str) -> Any:
    found = widget if widget.objectName == name else widget.findChild(QtCore.QObject, name)
    if found is None:
        raise RuntimeError(f"the .ui file connects {name}, which it does not hold")
    return found


class _Loader(QtUiTools.QUiLoader):
    def __init__(self) -> None:
        super().__init__()
        self.created: list[Any] = []
        self.unknown: list[str] = []

    def createWidget(self, class_name: str, parent: Any = None, name: str = "") -> Any:
        cls = STAND_INS.get(class_name) or getattr(QtWidgets, class_name, None)
        if cls is None:  # an exception would be lost on its way through Qt
            self.unknown.append(class_name)
            cls = QtWidgets.QWidget
        widget = cls(parent) if parent is not None else cls()
        widget.setObjectName(name)
        self.created.append(widget)
        return widget
