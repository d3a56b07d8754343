"""Slicer's own `Base/Python` in the host, in place of the stand-ins for it.

Its sources are not part of this repository. Where the variable `SLICER_BASE_PYTHON` names the folder `Base/Python` of
Slicer's sources, the host takes from there what the wheel lacks or has of another release: `slicer.util`,
`ScriptedLoadableModule`, `parameterNodeWrapper`, `i18n`, `packaging`, `testing`. Widgets and scene stay the
host's.
"""

import importlib
import os
import sys
import types
from pathlib import Path
from typing import Any

import ctk
import slicer
from PySide6 import QtWidgets

from .pythonqt import stand_in

VARIABLE = "SLICER_BASE_PYTHON"
_MODULES = ("util", "i18n", "packaging", "parameterNodeWrapper", "ScriptedLoadableModule", "testing")


def folder() -> Path | None:
    """The folder `slicer` of the sources, None where the host is to use its stand-ins.

    Raises:
        FileNotFoundError: the variable names another folder.
    """
    given = os.environ.get(VARIABLE)
    if not given:
        return None
    found = Path(given).absolute() / "slicer"
    if not (found / "ScriptedLoadableModule.py").is_file():
        raise FileNotFoundError(f"{VARIABLE}: {given} is not the folder Base/Python of Slicer's sources")
    return found


def install(sources: Path) -> None:
    """Make the modules of `sources` those that `slicer` offers."""
    _offer_unknown_widgets(slicer)
    _offer_unknown_widgets(ctk)
    slicer.__path__.insert(0, str(sources))
    for name in _MODULES:
        for known in [known for known in sys.modules if f"{known}.".startswith(f"slicer.{name}.")]:
            del sys.modules[known]
        vars(slicer).pop(name, None)
    for name in _MODULES:
        module = importlib.import_module(f"slicer.{name}")
        assert module.__file__ is not None and Path(module.__file__).is_relative_to(sources), module
        setattr(slicer, name, module)


def _offer_unknown_widgets(module: types.ModuleType) -> None:
    """Slicer's connectors name widgets of all kinds, used or not: of those without a stand-in a class is enough."""
    known = getattr(module, "__getattr__", None)

    def offer(name: str) -> Any:
        if name.startswith(("ctk", "qMRML", "qSlicer")):
            made = stand_in(type(name, (QtWidgets.QWidget,), {"__module__": __name__}))
            setattr(module, name, made)
            return made
        if known is not None:
            return known(name)
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

    module.__getattr__ = offer  # type: ignore[method-assign]
