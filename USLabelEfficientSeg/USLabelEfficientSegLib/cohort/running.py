"""A cohort from its list of tasks to its tables: what is missing is done, and what is done is kept at any moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..text.counting import counted_of
from .cluster import Cluster
from .journal import Journal
from .processes import Processes
from .tables import Tables
from .tasks import Mapper, Outcome, Task, Work, attempt


@dataclass(frozen=True)
class Where:
    """Where the tasks of a cohort are done.

    Args:
        workers: processes of this computer; 1: this one.
        cluster: address of a dask scheduler; None: on this computer.
    """

    workers: int = 1
    cluster: str | None = None

    @contextmanager
    def opened(self, work: Work, inputs: Sequence[Path], output: Path) -> Iterator[Mapper]:
        """What does the tasks. Raises `InputError` where none could be done, before anything is written.

        Args:
            work: what is done.
            inputs: files and folders that are read.
            output: folder that is written to.
        """
        if self.cluster is not None:
            with Cluster(self.cluster, work, inputs, output) as cluster:
                yield cluster
        elif self.workers > 1:
            with Processes(work, self.workers) as processes:
                yield processes
        else:
            work.prepare()
            yield lambda tasks: ((task, attempt(work, task)) for task in tasks)


def missing_of(tasks: Iterable[Task], journal: Journal) -> list[Task]:
    """The tasks that are not done yet."""
    return [task for task in tasks if not journal.is_done(task)]


def run_tasks(
    tasks: Sequence[Task],
    mapper: Mapper,
    journal: Journal,
    tables: Tables | None,
    *,
    doing: str,
    tell: Callable[[Task, Outcome], object] = lambda task, outcome: None,
) -> int:
    """Do tasks; returns how many failed. Journal and tables are whole whenever this ends.

    Args:
        tasks: those that are missing.
        mapper: does them.
        journal: keeps what is done.
        tables: written from it; None: there are none.
        doing: the name of the work, for people.
        tell: receives each task that was done.
    """
    failed = 0

    def so_far() -> str | None:
        return f"{failed} failed" if failed else None

    try:
        for task, outcome in counted_of(mapper(tasks), len(tasks), doing, so_far):
            journal.append(task, outcome)
            failed += outcome.failure is not None
            tell(task, outcome)
            if tables is not None:
                tables.write_if_due(journal)
    finally:
        if tables is not None:
            tables.write(journal)
    return failed
