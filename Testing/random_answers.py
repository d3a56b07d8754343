"""Dialogs that answer at random, so that nothing waits for somebody who is not there."""

import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from random_studies import FOLDERS


@contextmanager
def answers(generator: random.Random, folder: Path) -> Iterator[None]:
    """Whatever dialog is opened, its user chooses something, or presses Cancel.

    Args:
        generator: of the choices.
        folder: with the files and studies that are chosen.
    """
    import qt
    import slicer

    folders = ["", str(folder), str(folder / "sources" / "images"), str(folder / "heads" / "images")]
    files = ["", str(folder / "volumes.csv"), str(folder / "heads" / "sizes.csv"), sys.executable, str(folder)]
    colours = [qt.QColor(), qt.QColor("red")]

    def one_of(choices: list[Any]) -> Any:
        return lambda *_arguments, **_named: generator.choice(choices)

    yes_or_no = one_of([True, False])
    with ExitStack() as patches:
        for owner, name, answer in (
            (qt.QFileDialog, "getExistingDirectory", one_of([*folders, *(str(folder / name) for name in FOLDERS)])),
            (qt.QFileDialog, "getOpenFileName", one_of(files)),
            (qt.QFileDialog, "getSaveFileName", one_of(["", str(folder / "saved.csv"), str(folder / "no" / "x.csv")])),
            (qt.QColorDialog, "getColor", one_of(colours)),
            (qt.QDialog, "exec_", one_of([qt.QDialog.Accepted, qt.QDialog.Rejected])),
            (qt.QDesktopServices, "openUrl", one_of([True])),
            (slicer.util, "confirmYesNoDisplay", yes_or_no),
            (slicer.util, "confirmOkCancelDisplay", yes_or_no),
        ):
            patches.enter_context(mock.patch.object(owner, name, answer))
        yield
