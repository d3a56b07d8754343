"""Computers and Slicers other than this one: packages that are missing, Slicer 5.10, a Mac, Slicer's launcher."""

import importlib.metadata
import os
import platform
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import slicer

_LAUNCHER = """#!{python}
import subprocess, sys
child = subprocess.run([{python!r}, *sys.argv[1:]])
if child.returncode < 0:
    print("error: [{python}] exit abnormally - Report the problem.", file=sys.stderr)
    sys.exit(1)
sys.exit(child.returncode)
"""
_SLICER_5_10 = {"pydicom": "2.4.4", "highdicom": None}  # None: not bundled
_UNKNOWN_TO_PYDICOM_2 = "pydicom.pixels"


@contextmanager
def packages(versions: Mapping[str, str | None]) -> Iterator[None]:
    """Packages of other versions than those that are installed, or missing ones.

    A missing package cannot be imported, has no version, and is not found. Modules that have imported it already keep
    it: use a process of its own to see what happens when they are imported without.

    Args:
        versions: by the package's name, None for one that is missing.
    """
    version, distribution = importlib.metadata.version, importlib.metadata.distribution
    missing = [name for name, wanted in versions.items() if wanted is None]

    def known(name: str, installed: Callable[[str], Any]) -> Any:
        if name in missing:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed(name)

    def version_of(name: str) -> str:
        return versions.get(name) or known(name, version)

    loaded = [name for name in sys.modules if name.partition(".")[0] in missing]
    nothing: dict[str, Any] = dict.fromkeys([*missing, *loaded])
    with (
        mock.patch.dict(sys.modules, nothing),
        mock.patch("importlib.metadata.version", version_of),
        mock.patch("importlib.metadata.distribution", lambda name: known(name, distribution)),
    ):
        yield


@contextmanager
def slicer_5_10() -> Iterator[None]:
    """Slicer 5.10: its number, its pydicom 2.4.4 without `pydicom.pixels`, no highdicom, no `slicer.packaging`."""
    gone: dict[str, Any] = dict.fromkeys(
        ["slicer.packaging", *(name for name in sys.modules if f"{name}.".startswith(f"{_UNKNOWN_TO_PYDICOM_2}."))]
    )
    gone[_UNKNOWN_TO_PYDICOM_2] = None
    with (
        packages(_SLICER_5_10),
        mock.patch.dict(sys.modules, gone),
        mock.patch.object(type(slicer.app), "minorVersion", 10),
    ):
        yield


@contextmanager
def mac(processor: str) -> Iterator[None]:
    """A Mac, of which Python says `processor`: "arm64", or "x86_64" for Slicer's Intel build."""
    with mock.patch.object(sys, "platform", "darwin"), mock.patch.object(platform, "machine", lambda: processor):
        yield


@contextmanager
def apple_graphics(torch: ModuleType) -> Iterator[None]:
    """torch finds Apple's graphics (MPS), and no CUDA."""
    with (
        mock.patch.object(torch.backends.mps, "is_available", lambda: True),
        mock.patch.object(torch.backends.mps, "is_built", lambda: True),
        mock.patch.object(torch.cuda, "is_available", lambda: False),
    ):
        yield


@contextmanager
def launcher(folder: Path) -> Iterator[Path]:
    """Slicer's launcher `PythonSlicer`, made in a folder, is on the path.

    Like CTK's application launcher it waits for the Python that it starts, hands on what that prints and its exit
    code, and says "exit abnormally" and exits with 1 when that was ended by a signal.
    """
    program = folder / "PythonSlicer"
    program.write_text(_LAUNCHER.format(python=sys.executable), encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with mock.patch.dict(os.environ, {"PATH": os.pathsep.join([str(folder), os.environ.get("PATH", "")])}):
        yield program
