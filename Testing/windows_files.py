"""A stand-in for the files of Windows, stricter than POSIX in what stops people there.

- A file that a process of the test has open or mapped is not replaced, renamed or removed, nor is a folder with such a
  file: error 32, or 5 where it would be replaced (https://learn.microsoft.com/windows/win32/fileio/creating-and-opening-files;
  Python opens files without FILE_SHARE_DELETE).
- A name that Windows does not allow is not opened or made: error 123.
- ITK opens no path beyond ASCII, as in a Python without a UTF-8 code page (ITK issues 4388 and 6739).

Processes that are started meanwhile behave likewise, by the `sitecustomize.py` that is put on their path.
The stand-in reads /proc: it works on Linux alone.
"""

from __future__ import annotations

import errno
import importlib.abc
import importlib.machinery
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT_PROCESS = "WINDOWS_FILES_OF"  # environment: the process whose family counts
_DENIED, _SHARING, _BAD_NAME = 5, 32, 123
_ILLEGAL = re.compile(r'[\x01-\x1f<>:"|?*\\]|[ .]$')
_NOT_OURS = ("/proc/", "/dev/", "/sys/", sys.prefix, sys.base_prefix)
_active = False
_hooked = False


@contextmanager
def windows_files() -> Iterator[None]:
    """Files behave as on Windows, in this process and in those that it starts."""
    global _active
    changed = {name: os.environ.get(name) for name in (ROOT_PROCESS, "PYTHONPATH")}
    here = Path(__file__).parent
    os.environ[ROOT_PROCESS] = str(os.getpid())
    paths = [str(here / "windows_processes"), str(here), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    start()
    try:
        yield
    finally:
        _active = False
        for name, value in changed.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def start() -> None:
    """Let this process see files as on Windows, for good if it is not the one of `windows_files`."""
    global _active, _hooked
    if not _hooked:  # a hook cannot be taken away again
        sys.addaudithook(_on_event)
        sys.meta_path.insert(0, _ItkFinder())
        if "SimpleITK" in sys.modules:
            _restrict(sys.modules["SimpleITK"])
        _hooked = True
    _active = True


class VirusScanner:
    """Opens every file that appears or changes in a folder, for a moment, as a context manager.

    Attributes:
        opened: how many files it has looked at.
    """

    def __init__(self, folder: Path, seconds: float = 0.03) -> None:
        self.opened = 0
        self._folder, self._seconds = folder, seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._scan, daemon=True)

    def __enter__(self) -> VirusScanner:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _scan(self) -> None:
        seen: dict[str, tuple[int, int]] = {}
        while not self._ended.wait(0.005):
            with suppress(OSError):  # a folder that goes while it is walked through
                for path in self._folder.rglob("*"):
                    self._look_at(path, seen)

    def _look_at(self, path: Path, seen: dict[str, tuple[int, int]]) -> None:
        with suppress(OSError):
            found = path.stat()
            if not path.is_file() or seen.get(str(path)) == (found.st_ino, found.st_mtime_ns):
                return
            seen[str(path)] = found.st_ino, found.st_mtime_ns
            with path.open("rb"):
                self.opened += 1
                time.sleep(self._seconds)


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if _active and (check := _CHECKS.get(event)) is not None:
        check(arguments)


def _check_rename(arguments: tuple[Any, ...]) -> None:
    """`os.rename` and `os.replace`."""
    source, target = _place(arguments[0], arguments[2]), _place(arguments[1], arguments[3])
    _check_name(target)
    held = set(_held())
    if _in_use(source, held):
        raise _refusal(_SHARING, source)
    if _in_use(target, held):
        raise _refusal(_DENIED, target)


def _check_removal(arguments: tuple[Any, ...]) -> None:
    """`os.remove` and `os.rmdir`."""
    path = _place(*arguments[:2])
    if _in_use(path, set(_held())):
        raise _refusal(_SHARING, path)


def _check_opened(arguments: tuple[Any, ...]) -> None:
    if isinstance(arguments[0], str):
        _check_name(os.path.abspath(arguments[0]))


def _check_made(arguments: tuple[Any, ...]) -> None:
    _check_name(_place(arguments[0], arguments[2]))


_CHECKS: dict[str, Callable[[tuple[Any, ...]], None]] = {
    "os.rename": _check_rename,
    "os.remove": _check_removal,
    "os.rmdir": _check_removal,
    "os.mkdir": _check_made,
    "open": _check_opened,
}


def _place(path: Any, folder: int = -1) -> str:
    """The absolute path of a name, which may be relative to an open folder."""
    base = os.getcwd() if folder < 0 else os.readlink(f"/proc/self/fd/{folder}")
    parent, name = os.path.split(os.path.join(base, os.fsdecode(path)))
    return os.path.join(os.path.realpath(parent), name)


def _check_name(path: str) -> None:
    if not path.startswith(_NOT_OURS) and any(_ILLEGAL.search(part) for part in path.split("/")[1:]):
        raise _refusal(_BAD_NAME, path, errno.EINVAL)


def _in_use(path: str, held: set[str]) -> bool:
    return path in held or any(file.startswith(f"{path}/") for file in held)


def _held() -> Iterator[str]:
    """The files that the processes of the test have open or mapped."""
    for process in _family():
        with suppress(OSError):
            for descriptor in os.listdir(f"/proc/{process}/fd"):
                with suppress(OSError):
                    file = os.readlink(f"/proc/{process}/fd/{descriptor}")
                    if os.path.isfile(file):
                        yield file
            with Path(f"/proc/{process}/maps").open(encoding="utf-8", errors="surrogateescape") as maps:
                yield from {line.split(maxsplit=5)[5].rstrip("\n") for line in maps if line.count("/")}


def _family() -> list[int]:
    """The process of the test and all that it has started."""
    family = [int(os.environ.get(ROOT_PROCESS, os.getpid()))]
    for process in family:  # grows meanwhile
        with suppress(OSError):
            for task in os.listdir(f"/proc/{process}/task"):
                with Path(f"/proc/{process}/task/{task}/children").open() as children:
                    family += map(int, children.read().split())
    return family


def _refusal(code: int, path: str, number: int = errno.EACCES) -> OSError:
    error: Any = OSError(number, f"Windows error {code}", path)
    error.winerror = code
    return error


class _ItkFinder(importlib.abc.MetaPathFinder):
    """Restricts SimpleITK when it is imported."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != "SimpleITK":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        assert spec is not None and spec.loader is not None
        loader: Any = spec.loader
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            _restrict(module)

        loader.exec_module = exec_module
        return spec


def _restrict(itk: Any) -> None:
    for name in ("ReadImage", "WriteImage"):
        setattr(itk, name, _ascii_only(getattr(itk, name)))
    for kind in (itk.ImageFileReader, itk.ImageFileWriter):
        kind.SetFileName = _ascii_only(kind.SetFileName)


def _ascii_only(call: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*arguments: Any, **options: Any) -> Any:
        for text in map(str, (*arguments, *options.values())):
            if _active and ("/" in text or "." in text) and not os.path.abspath(text).isascii():
                raise RuntimeError("sitk::ERROR: Unable to determine ImageIO reader for a file that cannot be opened")
        return call(*arguments, **options)

    return checked
