"""The command `uslabelseg`: arguments in, exit code out. The commands are in `command_line`.

Nothing slow is imported here, so that Ctrl-C, the end of a terminal and a closed output end the command in good order
from the first moment.
"""

import errno
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from .command_line.interruption import stopped_by_signals
from .disk.refusals import as_input_error
from .errors import IN_PANEL, ExitCode
from .text.display import printable

BUG = 1
_GONE = (errno.EPIPE, errno.EIO)  # whoever has read the output, or the terminal


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit.

    Exit codes: see `ExitCode`; 1 is a fault of this program, whose traceback is in the log. If a program gives the
    `arguments`, the exception of such a fault passes.
    """
    _prepare_streams()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # those of libraries are for programmers
    with stopped_by_signals() as stop:
        try:
            code = _run(arguments)
            sys.stdout.flush()
        except Exception as error:
            # A library may turn an interruption in the midst of its import into an error of its own.
            code = ExitCode.CANCELLED if stop.requested else _code_of(error, raise_faults=arguments is not None)
        except KeyboardInterrupt:
            code = ExitCode.CANCELLED
        if code == ExitCode.CANCELLED and stop.requested:
            _tell("uslabelseg: interrupted")
        _close_streams()
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    from .command_line.app import USAGE_ERROR, Abort, app
    from .command_line.notices import told_notices

    try:
        with told_notices():
            return int(app(arguments, prog_name="uslabelseg", standalone_mode=False) or 0)
    except USAGE_ERROR as error:
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context and not os.environ.get(IN_PANEL) else ""
        return _refuse(f"{error.format_message().rstrip('.')}{hint}")
    except Abort:
        raise KeyboardInterrupt from None
    except SystemExit as stop:  # typer's error for a broken pipe
        if isinstance(stop.__context__, OSError):
            raise stop.__context__ from None
        raise


def _code_of(error: Exception, *, raise_faults: bool) -> int:
    """Tell what an error means, in one line."""
    if isinstance(error, OSError) and error.errno in _GONE and error.filename is None:
        return ExitCode.BROKEN_PIPE
    refusal = as_input_error(error)
    if refusal is not None:
        return _refuse(str(refusal))
    if raise_faults:
        raise error
    from .command_line.console import console

    log = console.log_fault(error)
    reason = f"{type(error).__name__}: {error}".partition("\n")[0].rstrip(".")
    place = "" if log is None else f"; its traceback is in {log}"
    _tell(f"uslabelseg: error: this is a fault of the program ({reason}), please report it{place}")
    return BUG


def _refuse(sentence: str) -> int:
    from .command_line.console import console

    console.log(f"error: {sentence}")
    _tell("uslabelseg: error: " + " ".join(sentence.splitlines()))
    return ExitCode.BAD_INPUT


def _tell(line: str) -> None:
    try:
        print(printable(line), file=sys.stderr, flush=True)
    except OSError:  # nobody is there to read it
        return


def _prepare_streams() -> None:
    """Streams that were closed lead nowhere, and names that the console cannot show are no error."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # else the first file that is opened would be taken for the output
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _close_streams() -> None:
    """Give up output that cannot be written, or the end of the process tries again."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
