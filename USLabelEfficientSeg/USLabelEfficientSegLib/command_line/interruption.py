"""Ctrl-C as a request: finish the step, save, stop."""

import os
import signal
from types import FrameType, TracebackType

CANCELLED = 130  # the exit code that shells expect after Ctrl-C

_STDERR = 2


class Interruption:
    """Context manager that is asked whether the user wants to stop, with Ctrl-C (SIGINT) or SIGTERM.

    The first signal is remembered; a second one raises `KeyboardInterrupt` at once.
    """

    def __init__(self) -> None:
        self.requested = False

    def __call__(self) -> bool:
        """Whether the user has asked to stop."""
        return self.requested

    def __enter__(self) -> "Interruption":
        self._previous = {number: signal.signal(number, self._request) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        # Not print: a handler may run in the middle of another print, whose buffer is then locked.
        os.write(_STDERR, b"\nuslabelseg: saving the state, then stopping; Ctrl-C again stops at once\n")
