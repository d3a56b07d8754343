"""The command `uslabelseg`: arguments in, exit code out. What the commands do is in `command_line`."""

import errno
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

from . import __version__
from .command_line import (
    benchmark,
    demonstration,
    devices,
    reporting,
    results,
    splitting,
    studies,
    suggestion,
    training,
)
from .command_line.interruption import CANCELLED
from .display import printable
from .errors import InputError, Notice

BAD_INPUT = 2
_REFUSED_BY_SYSTEM = {
    errno.ENOSPC: "free some space and start again",
    getattr(errno, "EDQUOT", errno.ENOSPC): "free some space and start again",
    errno.EACCES: "choose another place or ask for permission",
    errno.EPERM: "choose another place or ask for permission",
    errno.EROFS: "choose a place that can be written",
    errno.EISDIR: "give the name of a file",
    errno.ENOTDIR: "choose another path",
    errno.ENAMETOOLONG: "choose a shorter path",
}
_OUT_OF_MEMORY = (
    "memory: is not enough for these settings; lower student.window, student.batch_size or working_grid.max_voxels "
    "with --set, or use --device cpu if it was the memory of a GPU."
)
_UsageError: Any = typer.BadParameter.__mro__[1]  # typer's own class or that of click, depending on its version

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demonstration.demo)
app.add_typer(studies.app, name="study")
app.command()(splitting.split)
app.command()(suggestion.suggest)
app.command()(training.train)
app.command()(results.segment)
app.command()(results.measure)
app.command()(results.calibrate)
app.command()(reporting.report)
app.command()(reporting.export_dicom)
app.command()(results.evaluate)
app.command()(benchmark.benchmark)
app.command()(devices.devices)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit: 0 success, 2 bad input (one line on the error stream), 130 interrupted, 1 a bug."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name that the console cannot show is no error
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # those of libraries are for programmers
    try:
        with _terminate_like_interrupt(), _notices(sys.argv if arguments is None else arguments):
            code = app(arguments, prog_name="uslabelseg", standalone_mode=False) or 0
        sys.exit(code)
    except _UsageError as error:
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context else ""
        _refuse(f"{error.format_message().rstrip('.')}{hint}")
    except InputError as error:
        _refuse(str(error))
    except OSError as error:
        if error.errno not in _REFUSED_BY_SYSTEM:
            raise
        problem, remedy = (error.strerror or "refused").lower(), _REFUSED_BY_SYSTEM[error.errno]
        _refuse(str(InputError(error.filename or "output", problem, remedy)))
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        _refuse(_OUT_OF_MEMORY)
    except (KeyboardInterrupt, typer.Abort):
        print("uslabelseg: interrupted", file=sys.stderr)
        sys.exit(CANCELLED)


@app.callback(invoke_without_command=True)
def uslabelseg(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Segment organs in 3-D ultrasound and measure their volume, from a handful of labelled slices.

    A study is a folder of volumes, a few slices of which are labelled. Make one, train a network on it, then
    segment and measure new volumes:

    \b
      uslabelseg study create my-study --images volumes --labels labels
      uslabelseg train my-study
      uslabelseg segment my-study new-volumes --output segmentations
      uslabelseg measure segmentations --output volumes.csv
    """
    if version:
        print(f"uslabelseg {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


@contextmanager
def _notices(arguments: Sequence[str]) -> Iterator[None]:
    """Tell every `Notice` at the end of a command, those of one text together; a refusal stays one line."""
    subjects: dict[str, list[str]] = {}

    def keep(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if not isinstance(message, Notice):
            others(message, category, *where, **more)
        elif str(message.subject) not in subjects.setdefault(message.text, []):
            subjects[message.text].append(str(message.subject))

    with warnings.catch_warnings():
        warnings.simplefilter("always", Notice)
        others, warnings.showwarning = warnings.showwarning, keep
        yield
    out = sys.stderr if {"--json", "--events"} & set(arguments) else sys.stdout  # which programs read
    for text, files in subjects.items():
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        print(f"Note: {printable(files[0])}{more}: {text}.", file=out)


def _refuse(sentence: str) -> NoReturn:
    print("uslabelseg: error:", " ".join(sentence.splitlines()), file=sys.stderr)
    sys.exit(BAD_INPUT)


def _is_out_of_memory(error: Exception) -> bool:
    """By the words of CUDA, MPS and the CPU: torch has a class for the first of them only."""
    return isinstance(error, MemoryError) or any(
        words in str(error) for words in ("out of memory", "can't allocate memory")
    )


@contextmanager
def _terminate_like_interrupt() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does, so that temporary files are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


if __name__ == "__main__":
    main()
