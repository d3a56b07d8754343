"""A stand-in for `slicer.parameterNodeWrapper`: typed parameters of a node, bound to widgets.

The same names, storage in the node, widget pairs and refusals as Slicer's (Base/Python/slicer/parameterNodeWrapper),
for numbers, texts, switches, paths, enumerations, nodes, and lists of these; parameter packs, unions and
dictionaries are left out and refused.
"""

import enum
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
import vtk
from PySide6 import QtWidgets

from . import ctk_widgets as ctk
from . import mrml_widgets as mrml

_PROPERTY = "SlicerParameterName"


class Default:
    """Annotation: the value of a parameter that was never set."""

    def __init__(self, value: Any = None, *, generator: Callable[[], Any] | None = None) -> None:
        self._value, self._generator = value, generator

    @property
    def value(self) -> Any:
        return self._generator() if self._generator is not None else self._value


class WithinRange:
    """Annotation: both bounds are allowed values."""

    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value: float) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


class Minimum(WithinRange):
    """Annotation: a lower bound."""

    def __init__(self, minimum: float) -> None:
        super().__init__(minimum, float("inf"))


class Maximum(WithinRange):
    """Annotation: an upper bound."""

    def __init__(self, maximum: float) -> None:
        super().__init__(float("-inf"), maximum)


class Choice:
    """Annotation: the allowed values."""

    def __init__(self, choices: typing.Sequence[Any]) -> None:
        self.choices = choices

    def validate(self, value: Any) -> None:
        if value not in self.choices:
            raise ValueError(f"Value is {value}, but must be in one of the following: {self.choices}")


class _Parameter:
    """How one parameter is kept in the node."""

    def __init__(self, name: str, annotated: Any, default: Any) -> None:
        self.name = name
        self.kind, self.annotations = _split(annotated)
        annotated_default = [a.value for a in self.annotations if isinstance(a, Default)]
        self.default = default if default is not None else (annotated_default or [_zero(self.kind)])[0]

    def write(self, node: Any, value: Any) -> None:
        for annotation in self.annotations:
            if hasattr(annotation, "validate"):
                annotation.validate(value)
        with slicer.util.NodeModify(node):
            if typing.get_origin(self.kind) is not list:
                _write(node, self.name, self.kind, value)
                return
            (element,) = typing.get_args(self.kind)
            before = int(node.GetParameter(f"{self.name}.len") or 0)
            for index, item in enumerate(value):
                _write(node, f"{self.name}.{index}", element, item)
            for index in range(len(value), before):
                node.UnsetParameter(f"{self.name}.{index}")
                node.RemoveNodeReferenceIDs(f"{self.name}.{index}")
            node.SetParameter(f"{self.name}.len", str(len(value)))

    def read(self, node: Any) -> Any:
        if typing.get_origin(self.kind) is list:
            if not node.HasParameter(f"{self.name}.len"):
                self.write(node, self.default)
            (element,) = typing.get_args(self.kind)
            length = int(node.GetParameter(f"{self.name}.len"))
            return [_read(node, f"{self.name}.{index}", element) for index in range(length)]
        if not node.HasParameter(self.name):
            self.write(node, self.default)
        return _read(node, self.name, self.kind)


def parameterNodeWrapper(cls: Any = None) -> Any:
    """Class decorator; see Slicer's documentation of the parameter node wrapper."""
    if cls is None:
        return parameterNodeWrapper
    hints = typing.get_type_hints(cls, include_extras=True)
    parameters = {name: _Parameter(name, hint, getattr(cls, name, None)) for name, hint in hints.items()}
    for name in ("getValue", "setValue", "connectGui", "disconnectGui", "parameterNode"):
        if hasattr(cls, name):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
    members: dict[str, Any] = {"allParameters": parameters}
    for name, parameter in parameters.items():
        members[name] = _property(parameter)
    return type(cls.__name__, (_Wrapper,), {**members, "__module__": cls.__module__, "__doc__": cls.__doc__})


def _property(parameter: _Parameter) -> property:
    def read(self: _Wrapper) -> Any:
        return parameter.read(self.parameterNode)

    def write(self: _Wrapper, value: Any) -> None:
        parameter.write(self.parameterNode, value)

    return property(read, write)


class _Wrapper:
    """What the decorator makes of a class."""

    allParameters: dict[str, _Parameter]

    def __init__(self, parameterNode: Any) -> None:
        self.parameterNode = parameterNode
        self._bound: dict[int, tuple[int, list[tuple[Any, Callable[..., None]]]]] = {}
        self._showing = False
        for parameter in self.allParameters.values():
            parameter.read(parameterNode)

    def getValue(self, name: str) -> Any:
        return self._parameter(name).read(self.parameterNode)

    def setValue(self, name: str, value: Any) -> None:
        self._parameter(name).write(self.parameterNode, value)

    def default(self, name: str) -> Default:
        return Default(self._parameter(name).default)

    def StartModify(self) -> int:
        return self.parameterNode.StartModify()

    def EndModify(self, was: int) -> None:
        self.parameterNode.EndModify(was)

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        self.parameterNode.Modified()

    def connectGui(self, gui: Any) -> int:
        widgets = gui.findChildren(QtWidgets.QWidget) if isinstance(gui, QtWidgets.QWidget) else vars(gui).values()
        named = {w.property(_PROPERTY): w for w in widgets if w.property(_PROPERTY)}
        return self.connectParametersToGui(named)

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        connectors = {name: _connector(widget, self._parameter(name)) for name, widget in mapping.items()}
        slots = []
        for name, (read, write, signal) in connectors.items():
            write(self.getValue(name))
            slot = self._make_slot(name, read)
            signal.connect(slot)
            slots.append((signal, slot))

        def show(*_event: Any) -> None:
            if self._showing:
                return
            self._showing = True
            try:
                with slicer.util.NodeModify(self.parameterNode):
                    for name, (_, write, _) in connectors.items():
                        write(self.getValue(name))
            finally:
                self._showing = False

        tag = self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, show)
        self._bound[tag] = (tag, slots)
        return tag

    def disconnectGui(self, tag: int) -> None:
        if tag not in self._bound:
            return
        observer, slots = self._bound.pop(tag)
        self.parameterNode.RemoveObserver(observer)
        for signal, slot in slots:
            signal.disconnect(slot)

    def _make_slot(self, name: str, read: Callable[[], Any]) -> Callable[..., None]:
        def slot(*_: Any) -> None:
            if not self._showing:
                self.setValue(name, read())

        return slot

    def _parameter(self, name: str) -> _Parameter:
        if name not in self.allParameters:
            raise ValueError(f"Cannot find a param with the given name: {name}")
        return self.allParameters[name]


def parameter_node_wrapper_module() -> types.ModuleType:
    """The module `slicer.parameterNodeWrapper`."""
    module = types.ModuleType("slicer.parameterNodeWrapper")
    for value in (parameterNodeWrapper, Default, WithinRange, Minimum, Maximum, Choice):
        setattr(module, value.__name__, value)
    return module


def _split(annotated: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type and its annotations; an optional node is a node, which may be None anyway."""
    annotations: tuple[Any, ...] = ()
    if typing.get_origin(annotated) is typing.Annotated:
        annotated, *rest = typing.get_args(annotated)
        annotations = tuple(rest)
    _zero(annotated)
    return annotated, annotations


def _zero(kind: Any) -> Any:
    """The default default of a type; refuses types that the stand-in does not know."""
    if typing.get_origin(kind) is list:
        return []
    if isinstance(kind, type):
        if issubclass(kind, enum.Enum):
            return next(iter(kind))
        if issubclass(kind, slicer.vtkMRMLNode):
            return None
        if kind in (bool, int, float, str, Path):
            return kind()
    raise NotImplementedError(f"the host's parameter node wrapper does not know {kind}")


def _write(node: Any, name: str, kind: Any, value: Any) -> None:
    accepted = (int, float) if kind is float else kind
    if issubclass(kind, slicer.vtkMRMLNode):
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{name} must be a {kind.__name__}, is {value!r}")
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)
        return
    if not isinstance(value, accepted):
        raise TypeError(f"{name} must be of type {kind.__name__}, is {value!r}")
    node.SetParameter(name, value.name if isinstance(value, enum.Enum) else str(value))


def _read(node: Any, name: str, kind: Any) -> Any:
    if issubclass(kind, slicer.vtkMRMLNode):
        return node.GetNodeReference(name)
    text = node.GetParameter(name)
    if kind is bool:
        return text == "True"
    if issubclass(kind, enum.Enum):
        return kind[text]
    return kind(text)


_Connector = tuple[Callable[[], Any], Callable[[Any], None], Any]


def _connector(widget: Any, parameter: _Parameter) -> _Connector:
    """How a parameter is read from and written to a widget, and the widget's signal; exact types, as in Slicer."""
    kind, cls = parameter.kind, type(widget)
    made = None
    if kind is bool:
        made = _button_connector(widget)
    elif cls in (QtWidgets.QComboBox, ctk.ctkComboBox) and isinstance(kind, type):
        made = _combo_connector(widget, parameter)
    elif kind in (int, float):
        made = _number_connector(widget, parameter)
    elif kind in (str, Path):
        made = _text_connector(widget, kind)
    elif isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode) and cls is mrml.qMRMLNodeComboBox:
        widget.nodeTypes = [kind.__name__]
        made = widget.currentNode, widget.setCurrentNode, widget.currentNodeChanged
    if made is None:
        raise RuntimeError(f"Unable to create GUI connector from datatype '{kind}' to widget type '{cls}'.")
    return made


def _button_connector(widget: Any) -> _Connector | None:
    cls = type(widget)
    if cls in (QtWidgets.QCheckBox, ctk.ctkCheckBox):
        return lambda: widget.checked, lambda v: widget.setChecked(v), widget.stateChanged
    if cls is QtWidgets.QPushButton:
        widget.setCheckable(True)
        return lambda: widget.checked, lambda v: widget.setChecked(v), widget.toggled
    return None


def _number_connector(widget: Any, parameter: _Parameter) -> _Connector | None:
    kind = parameter.kind
    if kind is int and type(widget) in (QtWidgets.QSlider, QtWidgets.QSpinBox):
        _set_range(widget, parameter)
        return lambda: widget.value, lambda v: widget.setValue(v), widget.valueChanged
    floats = (
        QtWidgets.QDoubleSpinBox, ctk.ctkSliderWidget, ctk.ctkDoubleSpinBox, mrml.qMRMLSliderWidget, mrml.qMRMLSpinBox,
    )  # fmt: skip
    if type(widget) not in floats:
        return None
    _set_range(widget, parameter)
    if kind is int:
        widget.decimals = 0
    return lambda: kind(widget.value), lambda v: widget.setValue(v), widget.valueChanged


def _text_connector(widget: Any, kind: type) -> _Connector | None:
    cls = type(widget)
    if kind is str and cls is QtWidgets.QLineEdit:
        return lambda: widget.text, lambda v: widget.text == v or widget.setText(v), widget.textChanged
    if kind is str and cls is QtWidgets.QTextEdit:
        return widget.toPlainText, widget.setPlainText, widget.textChanged
    if kind is Path and cls is ctk.ctkPathLineEdit:
        return lambda: Path(widget.currentPath), lambda v: widget.setCurrentPath(str(v)), widget.currentPathChanged
    if kind is Path and cls is ctk.ctkDirectoryButton:
        return lambda: Path(widget.directory), lambda v: widget.setDirectory(str(v)), widget.directoryChanged
    return None


def _combo_connector(widget: Any, parameter: _Parameter) -> _Connector:
    if issubclass(parameter.kind, enum.Enum):
        label = getattr(parameter.kind, "label", lambda member: member.name)
        values = list(parameter.kind)
        texts = [label(member) for member in values]
    else:
        choice = next((a for a in parameter.annotations if isinstance(a, Choice)), None)
        if choice is None:
            raise RuntimeError("ComboBoxToStringableConnector requires the Choice annotation to be used.")
        values = list(choice.choices)
        texts = [str(value) for value in values]
    widget.clear()
    widget.addItems(texts)
    return (
        lambda: values[widget.currentIndex],
        lambda v: widget.setCurrentIndex(values.index(v)),
        widget.currentIndexChanged,
    )


def _set_range(widget: Any, parameter: _Parameter) -> None:
    bounds = [a for a in parameter.annotations if isinstance(a, WithinRange)]
    low = max((b.minimum for b in bounds), default=float("-inf"))
    high = min((b.maximum for b in bounds), default=float("inf"))
    bounded = float("-inf") < low and high < float("inf")
    if isinstance(widget, (QtWidgets.QSlider, ctk.ctkSliderWidget)) and not bounded:
        raise RuntimeError("Cannot have a connection to a slider where the type is unbounded.")
    if isinstance(widget, (QtWidgets.QSlider, QtWidgets.QSpinBox)):
        low, high = max(low, -(2**31)), min(high, 2**31 - 1)
        widget.setRange(int(low), int(high))
    else:
        widget.minimum, widget.maximum = low, high
