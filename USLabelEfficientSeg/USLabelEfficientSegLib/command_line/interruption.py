"""Ctrl-C, SIGTERM and the end of the terminal as a request: finish the step, save, stop."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType

SAVING = "uslabelseg: saving the state, then stopping; Ctrl-C again stops at once"

_STDERR = 2
_ALWAYS = (signal.SIGINT, signal.SIGTERM)
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # a system lacks some of them


class Stopped(KeyboardInterrupt):
    """Raised by a signal. A bare `KeyboardInterrupt` would pass through an `exec` of text, as during the import of a
    dataclass, and Python then ends itself by SIGINT although the exception was caught.
    """


class Interruption:
    """Context manager that is asked whether the user wants to stop, with Ctrl-C, SIGTERM or by closing the terminal.

    The first signal is remembered; a second one raises `KeyboardInterrupt` at once. With `nohup` the end of the
    terminal stays ignored.

    Attributes:
        requested: whether the user has asked to stop.
        told_elsewhere: the bars on the terminal, not the handler, tell that the request was heard.
        untold: they have yet to tell it.
        output_gone: the reason is that nobody reads the output any more.
    """

    def __init__(self) -> None:
        self.requested = False
        self.told_elsewhere = False
        self.untold = False
        self.output_gone = False
        self._previous: dict[int, object] = {}

    def __call__(self) -> bool:
        """Whether the user has asked to stop."""
        return self.requested

    def __enter__(self) -> "Interruption":
        self._previous = _handled_by(self._request, even_ignored=_ALWAYS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _restore(self._previous)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise Stopped
        self.requested = True
        if self.told_elsewhere:
            self.untold = True
            return
        # Not print: a handler may run in the middle of another print, whose buffer is then locked.
        with suppress(OSError):  # the terminal may be gone
            os.write(_STDERR, f"\n{SAVING}\n".encode())


class Stop:
    """Whether a signal has asked the command to stop."""

    requested = False


@contextmanager
def stopped_by_signals() -> Iterator[Stop]:
    """Let Ctrl-C, SIGTERM and the end of the terminal raise `KeyboardInterrupt`: temporary files are removed."""
    stop = Stop()

    def end(number: int, frame: FrameType | None) -> None:
        stop.requested = True
        raise Stopped

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous = _handled_by(end)
    try:
        yield stop
    finally:
        _restore(previous)


def _handled_by(handler: object, even_ignored: Sequence[int] = ()) -> dict[int, object]:
    """Let signals call a handler, except signals ignored from the start; returns the earlier handlers."""
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    ignored = [number for number in numbers if signal.getsignal(number) is signal.SIG_IGN]
    wanted = [number for number in numbers if number in even_ignored or number not in ignored]
    return {number: signal.signal(number, handler) for number in wanted}  # type: ignore[arg-type]


def _restore(previous: dict[int, object]) -> None:
    for number, handler in previous.items():
        signal.signal(number, handler)  # type: ignore[arg-type]
