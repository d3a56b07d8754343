"""Messages of commands: results on standard output, errors on the error stream, and all, with times, in a log.

Names that come from files pass through `printable`, so that they are visible and harmless.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from ..disk.in_use import remove_file
from ..disk.study_layout import LOGS
from ..disk.user_folder import user_folder
from ..errors import Cancelled
from ..text.display import printable

_LOGS_KEPT = 100
_FRAMED_ROWS = 500  # of a table; longer ones would take seconds to be framed


class Console:
    """How much is told, and where.

    Attributes:
        quiet: tell only errors and reasons for caution.
        verbose: tell details as well.
        log_file: where the log is, None if there is none.
        results_elsewhere: standard output belongs to JSON or a table; people are told on the error stream.
    """

    def __init__(self) -> None:
        self.quiet = False
        self.verbose = False
        self.results_elsewhere = False
        self.log_file: Path | None = None

    def reset(self) -> None:
        """As at the start of a process."""
        self.quiet = self.verbose = self.results_elsewhere = False
        self.log_file = None

    @property
    def stream(self) -> TextIO:
        """Where people are told."""
        return sys.stderr if self.results_elsewhere else sys.stdout

    def say(self, text: str, *, lines: bool = False) -> None:
        """Tell what was done; a text of several `lines` is broken where it has them."""
        self.log(text)
        if not self.quiet:
            for line in text.splitlines() if lines else [text]:
                print(printable(line), file=self.stream, flush=True)

    def getting_ready(self) -> None:
        """Tell a person at a terminal that the program is at work, before libraries take seconds to load."""
        if self.stream.isatty() and not self.quiet:
            print("Getting ready ...", file=self.stream, flush=True)

    def next(self, command: str) -> None:
        """Tell the command that comes next, unless programs read the results."""
        if not self.results_elsewhere:
            self.say(f"Next: {command}")

    def detail(self, text: str) -> None:
        """Tell a detail, with `--verbose`."""
        self.log(text)
        if self.verbose and not self.quiet:
            print(printable(text), file=self.stream, flush=True)

    def caution(self, text: str) -> None:
        """Tell a reason for caution, which `--quiet` does not hide."""
        self.log(text)
        print(printable(text), file=self.stream, flush=True)

    def error(self, sentence: str) -> None:
        """Tell what failed."""
        self.log(f"error: {sentence}")
        print(f"uslabelseg: error: {printable(' '.join(sentence.splitlines()))}", file=sys.stderr, flush=True)

    def stopped(self, stop: Cancelled, same: str) -> None:
        """Tell where the work was stopped on request, and how it continues."""
        line = f"uslabelseg: {stop.args[0].split(';')[0]}; {same} continues from here"
        self.log(line)
        with suppress(OSError):  # the terminal may be gone
            print(printable(line), file=sys.stderr, flush=True)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table; its cells are plain text, whatever they look like."""
        if self.quiet:
            return
        cells = [[printable(cell) for cell in row] for row in rows]
        if len(cells) > _FRAMED_ROWS:
            print(_columns([list(headings), *cells]), file=self.stream, flush=True)
            return
        from rich.table import Table
        from rich.text import Text

        from .terminal import Terminal

        table = Table(*headings)
        for row in cells:
            table.add_row(*map(Text, row))
        Terminal(file=self.stream).print(table)

    def open_log(self, command: str) -> None:
        """Keep a log of this command in the user's own files, if it can be written."""
        folder = user_folder() / LOGS
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for old in sorted(folder.glob("* *.log"))[: -_LOGS_KEPT + 1 or None]:
                remove_file(old, missing_ok=True)
            self.log_file = folder / f"{time.strftime('%Y-%m-%d %H-%M-%S')} {command} {os.getpid()}.log"
            self.log(" ".join(sys.argv))

    def log(self, text: str) -> None:
        """Add lines with the time to the log."""
        if self.log_file is None:
            return
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        with suppress(OSError):
            descriptor = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                lines = "".join(f"{now} {printable(line)}\n" for line in text.splitlines())
                os.write(descriptor, lines.encode("utf-8"))
            finally:
                os.close(descriptor)

    def log_fault(self, error: BaseException) -> Path | None:
        """Keep the traceback of a fault of this program; returns the log, if there can be one."""
        if self.log_file is None:
            self.open_log("fault")
        self.log("".join(traceback.format_exception(error)))
        return self.log_file


def _columns(rows: Sequence[Sequence[str]]) -> str:
    """Lines of left-aligned columns, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def shell(path: Path) -> str:
    """A path as it is written in a command."""
    return shlex.quote(str(path))


console = Console()
