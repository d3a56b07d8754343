"""Stand-ins for `slicer.ScriptedLoadableModule` and `slicer.i18n`, and the loading of a module's file."""

import importlib.util
import sys
import types
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import shiboken6
import slicer
from PySide6 import QtGui, QtWidgets

from .mrml_widgets import qSlicerScriptedLoadableModuleWidget
from .parameter_node_wrapper import parameter_node_wrapper_module


class ScriptedLoadableModule:
    """Base of a module's description; `parent` is filled in by the module."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__
        icon = Path(parent.path).parent / "Resources" / "Icons" / f"{self.moduleName}.png"
        if icon.is_file():
            parent.icon = QtGui.QIcon(str(icon))

    def resourcePath(self, name: str) -> str:
        return str(Path(self.parent.path).parent / "Resources" / name)

    def getDefaultModuleDocumentationLink(self, page: str | None = None) -> str:
        return f'<p><a href="{slicer.app.moduleDocumentationUrl(self.moduleName)}">Documentation</a></p>'


class ScriptedLoadableModuleWidget:
    """Base of a module's panel."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = False
        self.parent = parent
        self.layout = parent.layout()
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self._on_unload)

    def setup(self) -> None:
        """Slicer adds its developer section here; there is none without developer mode."""

    def cleanup(self) -> None:
        """For the module to override."""

    def resourcePath(self, name: str) -> str:
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / name)

    def _on_unload(self, name: str) -> None:
        if name == self.moduleName:
            self.cleanup()
            slicer.app.moduleManager().disconnect("moduleAboutToBeUnloaded(QString)", self._on_unload)


class ScriptedLoadableModuleLogic:
    """Base of a module's logic: one parameter node a scene."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self) -> Any:
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetSingletonTag(self.moduleName)
            node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
            node = slicer.mrmlScene.AddNode(node)
        node.SetAttribute("ModuleName", self.moduleName)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Base of a module's self-test."""

    def delayDisplay(self, message: str, requestedDelay: int | None = None, msec: int | None = None) -> None:
        slicer.util.delayDisplay(message, 0)

    def runTest(self) -> None:
        raise NotImplementedError("a self-test says in runTest what it runs")


class ScriptedModule:
    """`slicer.modules.NAME` of a scripted module."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, str(path)
        self._representation: Any = None

    def widgetRepresentation(self) -> Any:
        return self._representation

    def logic(self) -> None:
        """A scripted module has no C++ logic; `slicer.util.getModuleLogic` asks its widget."""


def install() -> None:
    """Make `slicer.ScriptedLoadableModule`, `slicer.i18n`, `slicer.parameterNodeWrapper` importable."""
    module = types.ModuleType("slicer.ScriptedLoadableModule")
    for cls in (
        ScriptedLoadableModule, ScriptedLoadableModuleWidget, ScriptedLoadableModuleLogic, ScriptedLoadableModuleTest,
    ):  # fmt: skip
        setattr(module, cls.__name__, cls)
    module.__all__ = [name for name in vars(module) if not name.startswith("_")]  # type: ignore[attr-defined]
    translation = types.ModuleType("slicer.i18n")
    translation.tr = lambda text: text  # type: ignore[attr-defined]
    translation.translate = lambda context, text: text  # type: ignore[attr-defined]
    wrapper = parameter_node_wrapper_module()
    for made in (module, translation, wrapper):
        sys.modules[made.__name__] = made
        setattr(slicer, made.__name__.partition(".")[2], made)
    slicer.qSlicerScriptedLoadableModule = ScriptedModule


def load_module(path: Path) -> Any:
    """Import a scripted module's file, make its description and its panel, and run `setup()`.

    A panel that was loaded before from the same file is unloaded first.

    Returns:
        The Python widget. The panel is `widget.parent`; `slicer.modules.NAMEWidget` is the widget, too.
    """
    name = path.stem
    close_module(name)
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    python = importlib.util.module_from_spec(spec)
    sys.modules[name] = python
    spec.loader.exec_module(python)

    module = ScriptedModule(name, path)
    setattr(slicer.modules, name.lower(), module)
    description = types.SimpleNamespace(
        path=str(path), title="", icon=None, categories=[], dependencies=[], contributors=[], helpText="",
        acknowledgementText="", hidden=False,
    )  # fmt: skip
    setattr(slicer.modules, f"{name}Instance", getattr(python, name)(description))
    slicer.app.startupCompleted.emit()
    module._representation = _open_panel(name, getattr(python, f"{name}Widget"))
    return getattr(slicer.modules, f"{name}Widget")


def close_module(name: str) -> None:
    """Unload a module and delete its panel, here and now.

    Panel and Python widget refer to each other. Left to the garbage collector, the widgets would be destroyed at any
    moment and in whichever thread it runs, which Qt does not survive for long.
    """
    module = getattr(slicer.modules, name.lower(), None)
    if isinstance(module, ScriptedModule) and module._representation is not None:
        slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(name)
        panel, module._representation = module._representation, None
        if shiboken6.isValid(panel):
            shiboken6.delete(panel)


def _open_panel(name: str, make: Callable[[Any], Any]) -> Any:
    panel = qSlicerScriptedLoadableModuleWidget()
    panel.setLayout(QtWidgets.QVBoxLayout())
    panel.setMRMLScene(slicer.mrmlScene)
    widget = make(panel)
    panel._python = widget
    setattr(slicer.modules, f"{name}Widget", widget)
    widget.setup()
    return panel
