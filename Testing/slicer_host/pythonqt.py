"""Qt as Slicer's Python sees it: PythonQt's idiom on PySide6, as the modules `qt` and `ctk`.

PythonQt shows a Qt property as an attribute (`label.text`, `label.text = "..."`), hides the getter of the same name,
connects signals by their C++ signature (`button.connect("clicked(bool)", f)`), calls slots with no more arguments
than they take, lets enumerations be used as integers, and refuses new attributes on C++ objects. So does this.

Stricter than PythonQt, never laxer: an unknown signal raises an error instead of a printed warning, and a function
that wants an enumeration refuses an integer.
"""

import ctypes
import inspect
import re
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from . import blocking

sys.pyside6_option_python_enum = 0x02  # type: ignore[attr-defined] # enumerations as IntEnum and IntFlag

from PySide6 import QtCore, QtGui, QtWidgets  # noqa: E402 - the option must be set before the first import

_MODULES = (QtWidgets, QtGui, QtCore)
_WRAPPER = type(QtCore.QObject)
_lookup = object.__getattribute__
_being_read: set[tuple[int, str]] = set()
_inside_cpp = False


def install() -> None:
    """Make the modules `qt` and `ctk`, and give every class of PySide6 PythonQt's idiom, for the whole process."""
    if "qt" in sys.modules:
        return
    _keep_constants_alive()
    setattr(QtWidgets.QDialog, "exec_", QtWidgets.QDialog.exec)  # noqa: B010 - PythonQt's name, which PySide warns of
    for module in _MODULES:
        for name in dir(module):  # not vars: PySide makes its classes when they are first asked for
            cls = getattr(module, name)
            if isinstance(cls, _WRAPPER):
                cls.__setattr__ = _set_attribute  # type: ignore[method-assign]
    QtCore.QObject.__getattribute__ = _get_attribute  # type: ignore[method-assign]
    sys.modules["qt"] = _Qt("qt")
    sys.modules["ctk"] = types.ModuleType("ctk")


def _keep_constants_alive() -> None:
    """Before Python 3.12 constants are counted, and PySide drops a reference with every one that it returns."""
    if sys.version_info < (3, 12):
        for constant in (None, True, False):
            ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40


def is_stand_in(cls: type) -> bool:
    """Whether a class of the host takes the place of a C++ class of Slicer or CTK."""
    return "stand_in_for" in vars(cls)


def stand_in(cls: type) -> type:
    """Class decorator: treat instances as C++ objects. State must be declared in the class body."""
    cls.stand_in_for = cls.__name__  # type: ignore[attr-defined]
    return cls


@contextmanager
def cpp_side() -> Iterator[None]:
    """Let PySide's own code set attributes on the objects it makes, as its .ui loader does."""
    global _inside_cpp
    _inside_cpp = True
    try:
        yield
    finally:
        _inside_cpp = False


class _Qt(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        for module in _MODULES:
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(f"module 'qt' has no attribute {name!r}")


def _get_attribute(self: Any, name: str) -> Any:
    if name == "connect":
        return lambda spec, *target: _connect(self, spec, *target)
    if name == "disconnect":
        return lambda spec, *target: _disconnect(self, spec, *target)
    if name == "name":
        name = "objectName"
    elif name == "className":
        return lambda: type(self).__name__
    being_read = (id(self), name) in _being_read
    if (
        not being_read
        and not _overridden(type(self), name)
        and _lookup(self, "metaObject")().indexOfProperty(name) >= 0
    ):
        return _read_property(self, name)
    try:
        return _lookup(self, name)
    except AttributeError:
        if name.startswith("__"):
            raise
        found = _dynamic_property_or_child(self, name)
        if found is None:
            raise
        return found


def _dynamic_property_or_child(self: Any, name: str) -> Any:
    """A property that, for example, a .ui file adds, or a child of the name; None where there is neither."""
    value = _lookup(self, "property")(name)
    if value is not None:
        return value
    return next((child for child in _lookup(self, "children")() if _lookup(child, "objectName")() == name), None)


def _read_property(self: Any, name: str) -> Any:
    # Some getters are virtual (sizeHint): Qt asks Python for an override of the getter while the property is read.
    _being_read.add((id(self), name))
    try:
        return _lookup(self, "property")(name)
    finally:
        _being_read.discard((id(self), name))


def _set_attribute(self: Any, name: str, value: Any) -> None:
    cls = type(self)
    if isinstance(self, QtCore.QObject):
        meta = _lookup(self, "metaObject")()
        name = "objectName" if name == "name" else name
        index = meta.indexOfProperty(name)
        if index >= 0 and not _overridden(cls, name):
            _write_property(self, meta.property(index), value)
            return
        if _lookup(self, "property")(name) is not None:
            _lookup(self, "setProperty")(name, value)
            return
    descriptor = inspect.getattr_static(cls, name, None)
    if _is_cpp(cls) and not _inside_cpp and not _declared_state(cls, name):
        if descriptor is not None:
            raise AttributeError(f"Slot '{name}' can not be overwritten on {cls.__name__} object")
        raise AttributeError(
            f"'{name}' does not exist on {cls.__name__} and creating new attributes on C++ objects is not allowed"
        )
    if hasattr(descriptor, "__set__"):
        descriptor.__set__(self, value)
    else:
        _lookup(self, "__dict__")[name] = value


def _write_property(self: Any, meta: QtCore.QMetaProperty, value: Any) -> None:
    name, kind = cast(str, meta.name()), cast(str, meta.typeName())  # bytes by PySide's annotations
    if not meta.isWritable():
        raise AttributeError(f"Property '{name}' of {type(self).__name__} object is not writable")
    if kind == "QStringList" and isinstance(value, tuple):
        value = list(value)
    refused = kind == "QString" and not isinstance(value, str)  # PySide would turn a number or a path into text
    if refused or not _lookup(self, "setProperty")(name, value):
        raise AttributeError(
            f"Property '{name}' of type '{kind}' does not accept an object of type {type(value).__name__} ({value!r})"
        )


def _is_cpp(cls: type) -> bool:
    """Whether instances are wrapped C++ objects, not of a class that a module derived in Python."""
    return cls.__module__.startswith("PySide6.") or is_stand_in(cls)


def _declared_state(cls: type, name: str) -> bool:
    """Whether the class body of a stand-in declares the attribute: `_name`, what C++ would keep inside."""
    own = (base for base in cls.__mro__ if not base.__module__.startswith("PySide6."))
    return name.startswith("_") and any(name in vars(base) for base in own)


def _overridden(cls: type, name: str) -> bool:
    """Whether a class derived in Python, not a property, defines the attribute."""
    for base in cls.__mro__:
        if base.__module__.startswith("PySide6."):
            return False
        if name in vars(base):
            return not isinstance(vars(base)[name], QtCore.Property)
    return False


def _connect(sender: Any, spec: str, *target: Any) -> bool:
    callback = _callback(target)
    signal, arguments = _signal(sender, spec)
    most = min(arguments, _accepted(callback))
    slot: Callable[..., None] = lambda *values: blocking.timed(callback, values[:most])  # noqa: E731 - PySide counts
    signal.connect(slot)
    _lookup(sender, "__dict__").setdefault("_connections", []).append((spec, callback, slot, signal))
    return True


def _disconnect(sender: Any, spec: str, *target: Any) -> bool:
    connections = _lookup(sender, "__dict__").get("_connections", [])
    callback = _callback(target)
    for connection in connections:
        if connection[0] == spec and connection[1] == callback:
            connection[3].disconnect(connection[2])
            connections.remove(connection)
            return True
    return False


def _callback(target: tuple[Any, ...]) -> Callable[..., Any]:
    """A Python callable, or a receiver and the signature of its slot."""
    if len(target) == 1:
        if not callable(target[0]):
            raise TypeError(f"{target[0]!r} is not callable")
        return target[0]
    receiver, slot = target
    return getattr(receiver, slot.partition("(")[0])


def _accepted(callback: Callable[..., Any]) -> int:
    """How many positional arguments a callable takes."""
    try:
        parameters = inspect.signature(callback).parameters.values()
    except (TypeError, ValueError):  # a built-in: PySide finds out itself
        return sys.maxsize
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return sys.maxsize
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def _signal(sender: Any, spec: str) -> tuple[Any, int]:
    """The signal of a C++ signature, and its number of arguments."""
    name, _, arguments = spec.partition("(")
    wanted = [_type_name(text) for text in arguments.rstrip(")").split(",") if text.strip()]
    meta = _lookup(sender, "metaObject")()
    for index in range(meta.methodCount()):
        method = meta.method(index)
        if method.methodType() != QtCore.QMetaMethod.MethodType.Signal or method.name().data().decode() != name:
            continue
        found = [_type_name(text.data().decode()) for text in method.parameterTypes()]
        if found == wanted:
            _check_documented(sender, spec)
            return _overload(getattr(sender, name), found), len(wanted)
    raise ValueError(f"{type(sender).__name__} has no signal {spec}")


def _check_documented(sender: Any, spec: str) -> None:
    """Signals of a stand-in carry any Python object; the C++ class says which type each argument has."""
    for base in type(sender).__mro__:
        documented = vars(base).get("cpp_signals", ())
        known = {signature.partition("(")[0] for signature in documented}
        if spec.partition("(")[0] in known and spec.replace(" ", "") not in documented:
            raise ValueError(f"{base.__name__} has no signal {spec}, but {', '.join(documented)}")


def _type_name(text: str) -> str:
    text = re.sub(r"\bconst\b|&", "", text).strip()
    return "PyObject" if text.endswith("*") else text


def _overload(signal: Any, types_: list[str]) -> Any:
    python = {"PyObject": object, "bool": bool, "int": int, "double": float, "QString": str}
    key = tuple(python.get(name, name) for name in types_)
    try:
        return signal[key[0] if len(key) == 1 else key] if key else signal
    except (KeyError, IndexError, TypeError):  # not overloaded, or of a type that Python cannot name
        return signal
