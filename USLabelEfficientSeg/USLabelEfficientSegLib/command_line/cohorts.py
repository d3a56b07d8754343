"""What commands share that work on cohorts: `--workers` and `--cluster`, and the end of such a command."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ExitCode, InputError
from .console import console

if TYPE_CHECKING:
    from ..cohort.journal import Journal
    from ..cohort.running import Where
    from ..cohort.tables import Tables
    from ..cohort.tasks import Mapper, Outcome, Task, Work

TABLE_NAME = "measurements.csv"

Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        metavar="N",
        help="For a cohort: work in N processes. A table grows, a failing file is a line in another one, and the same "
        "command does what is missing.",
        show_default=False,
    ),
]
ClusterAddress = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="The same on the workers of a dask scheduler, which see the same disk: its address or scheduler file.",
        show_default=False,
    ),
]


def where_of(workers: int | None, cluster: str | None, as_json: bool = False) -> "Where | None":
    """Where a cohort is worked on; None: it is none. Raises `InputError` for options that exclude each other."""
    if workers is None and cluster is None:
        return None
    from ..cohort.running import Where

    if workers is not None and cluster is not None:
        raise InputError("--workers and --cluster", "exclude each other", "give one of them")
    if as_json:
        raise InputError("--json", "tells each result, and a cohort has a table", "leave it out")
    return Where(workers or 1, cluster)


def run_cohort(
    where: "Where",
    work: "Work",
    tasks: Sequence["Task"],
    tables: "Tables",
    done_how: Mapping[str, Any],
    *,
    doing: str,
    inputs: Sequence[Path],
    output: Path,
    claim: Callable[[Sequence["Task"]], object] = lambda missing: None,
) -> None:
    """Do what is missing of a cohort and tell the end of it; exit code 2 if files have failed.

    Args:
        where: the work is done.
        work: on each task.
        tasks: all of the cohort.
        tables: its tables.
        done_how: the command and all that decides its results.
        doing: the name of the work, for people.
        inputs: paths that workers must see.
        output: folder that they write to.
        claim: checks that the results of the missing tasks may be written.
    """
    from ..cohort.journal import Journal
    from ..disk.outputs import remove_leftovers

    with where.opened(work, inputs, output) as mapper, Journal(tables.table, done_how) as journal:
        failed = do_missing(tasks, mapper, journal, tables, doing=doing, claim=claim)
    remove_leftovers(output)
    console.say(f"{tables.table}: {len(tasks) - failed} of {len(tasks)}")
    if failed:
        console.error(f"{failed} of {len(tasks)} failed; {tables.failures} tells why")
        raise typer.Exit(ExitCode.BAD_INPUT)


def do_missing(
    tasks: Sequence["Task"],
    mapper: "Mapper",
    journal: "Journal",
    tables: "Tables | None",
    *,
    doing: str,
    claim: Callable[[Sequence["Task"]], object] = lambda missing: None,
) -> int:
    """Do what is missing of a cohort; returns how many failed. The arguments are those of `run_cohort`."""
    from ..cohort.running import missing_of, run_tasks

    missing = missing_of(tasks, journal)
    claim(missing)
    if len(missing) < len(tasks):
        console.say(f"{len(tasks) - len(missing)} of {len(tasks)} are done already.")
    try:
        return run_tasks(missing, mapper, journal, tables, doing=doing, tell=_told)
    except KeyboardInterrupt:
        console.say("Stopped; the same command does what is missing.")
        raise


def places_of(tasks: Sequence["Task"]) -> list[Path]:
    """The folders of all files, and a file of each: a folder of the same name on another disk lacks it."""
    files = [path for task in tasks for path in (task.file, *task.inputs)]
    first: dict[Path, Path] = {}
    for path in files:
        if path.parent not in first and path.exists():
            first[path.parent] = path
    return [*first, *first.values()]


def _told(task: "Task", outcome: "Outcome") -> None:
    for subject, text in outcome.notices:
        console.detail(f"Note: {subject}: {text}.")
    if outcome.fault is not None:
        console.log(outcome.fault)
    if outcome.failure is not None:
        console.error(outcome.failure)
    else:
        console.detail(f"{task.name}: done")
