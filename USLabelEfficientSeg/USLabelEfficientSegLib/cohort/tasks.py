"""A cohort is a list of tasks, each one file; the work on one ends in rows of a table or in one sentence."""

from __future__ import annotations

import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..disk.failures import sentence_on
from ..errors import InputError, Notice

Cell = str | int | float | None  # None: not known
Row = Mapping[str, Any]  # JSON values; of a table cells by heading


@dataclass(frozen=True)
class Task:
    """One file to work on.

    Args:
        name: of the case, which no other task has.
        file: that is worked on, or a folder.
        inputs: further files that decide the result.
        results: files that are there once it is done.
    """

    name: str
    file: Path
    inputs: tuple[Path, ...] = ()
    results: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What has become of a task.

    Attributes:
        rows: of the table.
        failure: the sentence on what went wrong, and then there are no rows.
        fault: the traceback where this program is to blame.
        notices: what the user should know, as subject and text of a `Notice`.
    """

    rows: tuple[Row, ...] = ()
    failure: str | None = None
    fault: str | None = None
    notices: tuple[tuple[str, str], ...] = ()


class Work(Protocol):
    """What is done with each task. It travels to other processes: small, and of a class that can be imported."""

    def prepare(self) -> None:
        """Load what all tasks share, once in a process. Raises `InputError` where no task could be done."""

    def __call__(self, task: Task) -> list[Row]:
        """Do a task; the rows of its table. Raises `InputError`."""


Mapper = Callable[[Iterable[Task]], Iterator[tuple[Task, Outcome]]]  # in the order in which they are done


def attempt(work: Work, task: Task) -> Outcome:
    """Do a task, whatever happens; a request to stop passes, which is no `Exception`."""
    with _noticed() as notices:
        try:
            rows = tuple(work(task))
        except Exception as error:  # whatever it is, the next task is done
            fault = None if isinstance(error, InputError | OSError | MemoryError) else traceback.format_exc()
            return Outcome(failure=sentence_on(task.file, error), fault=fault, notices=tuple(notices))
    return Outcome(rows, notices=tuple(notices))


class _Kept(threading.local):
    """The notices of the task that runs in this thread; None: there is none."""

    notices: list[tuple[str, str]] | None = None


_kept = _Kept()


@contextmanager
def _noticed() -> Iterator[list[tuple[str, str]]]:
    """Collect the notices of this thread. `warnings.catch_warnings` would collect those of all threads."""
    if getattr(warnings.showwarning, "of_tasks", False) is False:
        _collect_in_threads()
    notices: list[tuple[str, str]] = []
    _kept.notices = notices
    try:
        yield notices
    finally:
        _kept.notices = None


def _collect_in_threads() -> None:
    others = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if isinstance(message, Notice) and _kept.notices is not None:
            _kept.notices.append((str(message.subject), message.text))
        else:
            others(message, category, *where, **more)

    show.of_tasks = True  # type: ignore[attr-defined]
    warnings.simplefilter("always", Notice)
    warnings.showwarning = show
