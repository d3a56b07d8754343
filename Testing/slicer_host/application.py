"""`slicer.app` and the main window: settings, module manager, module selector."""

import os
import tempfile
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets

from . import circumstances
from .extensions import qSlicerExtensionsManagerModel
from .input_output import CoreIOManager
from .layout import LayoutManager


class ModuleManager(QtCore.QObject):
    """Which modules are loaded."""

    moduleLoaded = QtCore.Signal(str)
    moduleAboutToBeUnloaded = QtCore.Signal(str)

    def module(self, name: str) -> Any:
        return getattr(slicer.modules, name.lower(), None)

    def factoryManager(self) -> "ModuleManager":
        return self

    def loadedModuleNames(self) -> list[str]:
        return [value.name for value in vars(slicer.modules).values() if hasattr(value, "name")]


class ModuleSelector(QtCore.QObject):
    """Switches between modules: the panel left gets `exit()`, the panel entered `enter()`, as in Slicer."""

    moduleSelected = QtCore.Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.selectedModule = ""

    def selectModule(self, name: str) -> None:
        if name == self.selectedModule:
            return
        self._tell(self.selectedModule, "exit")
        self.selectedModule = name
        self._tell(name, "enter")
        self.moduleSelected.emit(name)

    def _tell(self, name: str, what: str) -> None:
        widget = getattr(slicer.modules, f"{name}Widget", None)
        if widget is not None and hasattr(widget, what):
            getattr(widget, what)()


class MainWindow(QtWidgets.QMainWindow):
    """Found by `slicer.util.mainWindow()` through its object name."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self._selector = ModuleSelector()

    def moduleSelector(self) -> ModuleSelector:
        return self._selector


class ErrorLogModel(QtCore.QObject):
    """Where Slicer writes its log to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = str(path)

    filePath = QtCore.Property(str, lambda self: self._path)


class Application(QtWidgets.QApplication):
    """`slicer.app`, of qSlicerApplication's members those that modules use."""

    startupCompleted = QtCore.Signal()
    majorVersion, minorVersion, revision = 5, 13, "31053"

    def __init__(self) -> None:
        super().__init__(["Slicer"])
        self.setApplicationName("Slicer")
        self.setStyle("Fusion")
        self.setQuitOnLastWindowClosed(False)
        folder = tempfile.mkdtemp(prefix="slicer_host_")
        QtCore.QSettings.setDefaultFormat(QtCore.QSettings.Format.IniFormat)
        QtCore.QSettings.setPath(QtCore.QSettings.Format.IniFormat, QtCore.QSettings.Scope.UserScope, folder)
        self.temporaryPath = folder
        self.defaultScenePath = folder
        self._settings = QtCore.QSettings(str(Path(folder) / "Slicer.ini"), QtCore.QSettings.Format.IniFormat)
        circumstances.make_launcher(Path(folder))
        os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", "")])
        self._extensions = qSlicerExtensionsManagerModel()
        self._error_log = ErrorLogModel(Path(folder) / "Slicer.log")
        self._module_manager = ModuleManager()
        self._io_manager = CoreIOManager()
        self._layout_manager: LayoutManager | None = None
        self._main_window: MainWindow | None = None

    def create_views(self) -> None:
        """Make the main window and the views; the scene must exist."""
        self._layout_manager = LayoutManager()
        self._main_window = MainWindow()

    def layoutManager(self) -> LayoutManager | None:
        return self._layout_manager

    def moduleManager(self) -> ModuleManager:
        return self._module_manager

    def coreIOManager(self) -> CoreIOManager:
        return self._io_manager

    def extensionsManagerModel(self) -> qSlicerExtensionsManagerModel:
        return self._extensions

    def errorLogModel(self) -> "ErrorLogModel":
        return self._error_log

    def startupEnvironment(self) -> QtCore.QProcessEnvironment:
        return QtCore.QProcessEnvironment.systemEnvironment()

    def applicationLogic(self) -> Any:
        return slicer._host_application_logic

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def settings(self) -> QtCore.QSettings:
        return self._settings

    userSettings = settings

    def testingEnabled(self) -> bool:
        """True, so that `slicer.util` logs its messages instead of opening them."""
        return True

    def commandOptions(self) -> None:
        return None

    @staticmethod
    def translate(context: str, text: str, /, disambiguation: str | None = None, n: int = -1) -> str:
        return text

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"https://slicer.readthedocs.io/en/latest/user_guide/modules/{name.lower()}.html"

    def pauseRender(self) -> None:
        """Views render only when asked to."""

    def resumeRender(self) -> None:
        """The counterpart of `pauseRender`."""
