"""A host for a Slicer module outside Slicer: real MRML nodes and logics, PySide6 off screen in place of PythonQt.

    from slicer_host import load_module, process_events, render_panel, start

    start()
    widget = load_module(Path("USLabelEfficientSeg/USLabelEfficientSeg.py"))
    widget.ui.applyButton.click()
    process_events(0.5)
    render_panel(widget, Path("panel.png"))

The scene, its nodes, logics, files and views are Slicer's own code (the `slicer-core` wheel). Stand-ins replace what
the wheel lacks: Qt's and CTK's widgets, `slicer.app`, the base classes of scripted modules, the parameter node
wrapper. They follow Slicer's headers and prove nothing by themselves; `test_fidelity.py` proves what can be.
"""

import os
import sys
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("MPLBACKEND", "Agg")  # matplotlib must not join the event loop

from . import pythonqt

pythonqt.install()
import slicer  # noqa: E402
from PySide6 import QtCore  # noqa: E402

from . import sample_data, scene, scripted_module  # noqa: E402
from .application import Application  # noqa: E402
from .pictures import render_3d, render_panel, render_slice_view, render_window  # noqa: E402

__all__ = [
    "clear_scene", "errors", "load_module", "process_events", "render_3d", "render_panel", "render_slice_view",
    "render_window", "start",
]  # fmt: skip

errors: list[str] = []
"""Exceptions that left a slot. Slicer only prints them; a test asserts that there are none."""


def start() -> None:
    """Start the host, once a process: scene, application, views. Later calls only listen to exceptions again."""
    sys.excepthook = _remember  # a command that ran in this process has put its own in place
    if hasattr(slicer, "app"):
        return
    from . import base_python, ui_files  # these need the module ctk

    application = Application()
    slicer.app = application
    scene.create_scene()
    application.create_views()
    scripted_module.install()
    if (sources := base_python.folder()) is not None:
        base_python.install(sources)
    ui_files.install()
    sample_data.install()


def load_module(path: Path | str) -> Any:
    """Load a scripted module's file and set up its panel; see `scripted_module.load_module`."""
    start()
    return scripted_module.load_module(Path(path).absolute())


def close_module(path: Path | str) -> None:
    """Unload a module that `load_module` has loaded, and delete its panel; nothing happens if there is none."""
    scripted_module.close_module(Path(path).stem)


def process_events(seconds: float = 0.0) -> None:
    """Run the event loop for a while, at least until it is idle."""
    end = time.monotonic() + seconds
    while True:
        slicer.app.processEvents()
        QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
        if time.monotonic() >= end:
            return
        time.sleep(0.002)


def clear_scene() -> None:
    """Close the scene, as File / Close scene does; views and application nodes stay."""
    slicer.mrmlScene.Clear(0)
    process_events()


def _remember(kind: type[BaseException], value: BaseException, trace: TracebackType | None) -> None:
    errors.append("".join(traceback.format_exception(kind, value, trace)))
    sys.__excepthook__(kind, value, trace)
