"""Shared by commands that take a while: how much they tell, their log, what they may replace."""

import functools
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..disk.failures import Failures
from ..errors import ExitCode
from .console import console
from .progress import shown_counts

if TYPE_CHECKING:
    from ..disk.outputs import Outputs

_OPTIONS: dict[str, Any] = {
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Tell only errors and reasons for caution.")],
    "verbose": Annotated[bool, typer.Option("--verbose", "-v", help="Tell details as well.")],
}
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Also replace files that this program did not write here, or that were edited since."
    ),
]


def long_command(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options --quiet and --verbose, and with a log."""

    @functools.wraps(command)
    def run(*arguments: Any, quiet: bool, verbose: bool, **options: Any) -> None:
        console.quiet, console.verbose = quiet, verbose
        console.open_log(command.__name__.replace("_", "-"))
        console.detail(f"Log: {console.log_file}")
        with shown_counts():
            command(*arguments, **options)

    signature = inspect.signature(command)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
        for name, annotation in _OPTIONS.items()
    ]
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *added])  # type: ignore[attr-defined]
    run.__annotations__ = {**command.__annotations__, **_OPTIONS}
    return run


def outputs_of(overwrite: bool, inputs: Iterable[Path | None], *results: Path, texts: bool = False) -> "Outputs":
    """The files that a command may write; `results` are checked before the work, and replaced files are told.

    If standard output is a result, nothing else is printed there. `texts` are tables and pages.
    """
    from ..disk.outputs import Outputs, is_stream

    if any(is_stream(path) for path in results):
        console.results_elsewhere = True
    outputs = Outputs(overwrite, [path for path in inputs if path is not None], console.say, texts=texts)
    outputs.claim(*results)
    return outputs


def told_failures() -> Failures:
    """Failures of a batch, told as they happen."""
    return Failures(console.error, console.log_fault)


def end_if_none_is_left(failures: Failures) -> None:
    """End the command before it writes anything if all files have failed."""
    if failures.all:
        end_batch(failures)


def end_batch(failures: Failures) -> None:
    """End the command with exit code 2 if files have failed, and tell which."""
    failures.end()
    if failures.failed:
        names = ", ".join(file.name for file in failures.failed)
        done = "the others are done" if len(failures.failed) < failures.of else "none is done"
        console.error(f"{len(failures.failed)} of {failures.of} failed, {done}: {names}")
        raise typer.Exit(ExitCode.BAD_INPUT)
