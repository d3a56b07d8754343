"""Computers and Slicers other than this one: packages that are missing, Slicer 5.10, a Mac, Slicer's launcher."""

import importlib.metadata
import os
import platform
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import slicer

_LAUNCHER = """#!{python} -IS
import subprocess, sys
if sys.argv[1:2] == ["-m"] and sys.argv[2:4] in (["pip", "install"], ["light_the_torch", "install"]):
    print("ERROR: nothing is installed by tests", file=sys.stderr)
    sys.exit(1)
child = subprocess.run([{python!r}, *sys.argv[1:]])
if child.returncode < 0:
    print("error: [{python}] exit abnormally - Report the problem.", file=sys.stderr)
    sys.exit(1)
sys.exit(child.returncode)
"""
_SLICER_5_10 = {"pydicom": "2.4.4", "highdicom": None}  # None: not bundled


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

    with (
        _not_found(missing),
        mock.patch("importlib.metadata.version", version_of),
        mock.patch("importlib.metadata.distribution", lambda name: known(name, distribution)),
    ):
        yield


@contextmanager
def slicer_5_10() -> Iterator[None]:
    """Slicer 5.10: its number, its pydicom 2.4.4 without `pydicom.pixels`, no highdicom, no `slicer.packaging`."""
    with (
        packages(_SLICER_5_10),
        _not_found(["slicer.packaging", "pydicom.pixels"]),
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


def make_launcher(folder: Path) -> Path:
    """Make a stand-in of Slicer's launcher `PythonSlicer` in a folder.

    Like CTK's application launcher it waits for the Python that it starts, hands on what that prints and its exit
    code, and says "exit abnormally" and exits with 1 when that was ended by a signal. Unlike it, it installs nothing.
    """
    program = folder / "PythonSlicer"
    program.write_text(_LAUNCHER.format(python=sys.executable), encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@contextmanager
def launcher(folder: Path) -> Iterator[Path]:
    """Slicer's launcher `PythonSlicer`, made in a folder, is on the path; the host's own is there from its start."""
    program = make_launcher(folder)
    with mock.patch.dict(os.environ, {"PATH": os.pathsep.join([str(folder), os.environ.get("PATH", "")])}):
        yield program


@contextmanager
def _not_found(names: Sequence[str]) -> Iterator[None]:
    """Modules, and all in them, cannot be imported."""
    loaded = [name for name in sys.modules if _within(name, names)]
    with mock.patch.dict(sys.modules), mock.patch.object(sys, "meta_path", [_Without(names, sys.meta_path)]):
        for name in loaded:
            del sys.modules[name]
        yield


class _Without:
    """Finds modules as others do, but for some."""

    def __init__(self, names: Sequence[str], finders: Sequence[Any]) -> None:
        self._names, self._finders = tuple(names), tuple(finders)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if _within(name, self._names):
            return None
        found = (finder.find_spec(name, path, target) for finder in self._finders if hasattr(finder, "find_spec"))
        return next((spec for spec in found if spec is not None), None)

    def find_distributions(self, context: Any) -> Iterator[Any]:
        for finder in self._finders:
            if hasattr(finder, "find_distributions"):
                yield from finder.find_distributions(context)

    def invalidate_caches(self) -> None:
        for finder in self._finders:
            if hasattr(finder, "invalidate_caches"):
                finder.invalidate_caches()


def _within(name: str, names: Sequence[str]) -> bool:
    return any(f"{name}.".startswith(f"{one}.") for one in names)
