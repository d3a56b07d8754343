"""Answers requests one after the other, and stops the one that is not wanted any more."""

from __future__ import annotations

import _thread
import os
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import FrameType
from typing import Any

from .. import __version__
from ..disk.refusals import as_input_error
from ..errors import InputError
from ..text.counting import heard
from .protocol import PROTOCOL, Answers, Cancel, Request, parsed

SECONDS_TO_STOP = 1.0  # after the end of the input
SECONDS_TO_REST = 2.0  # without a request, before memory is given back
IN_IDLE_TIME = "prepare"  # gives way to every other request, and is begun again after it

Answer = Callable[[str, Mapping[str, Any], Callable[[Mapping[str, Any]], object]], dict[str, Any]]


class Stopped(KeyboardInterrupt):
    """Raised in a request that is to stop; not a bare one, for the reason that `command_line.interruption` gives."""


class Server:
    """Reads requests in a thread of its own, answers them in the main thread, and ends with its input.

    A request is stopped as Ctrl-C stops a command: by a signal, which raises `Stopped` wherever the request is.

    Args:
        answer: gives the result of a request.
        answers: where answers go.
        rest: called when nothing was asked for some seconds, after the first answer: what it does must not delay that.
    """

    def __init__(self, answer: Answer, answers: Answers, rest: Callable[[], object] = lambda: None) -> None:
        self._answer, self._answers, self._rest = answer, answers, rest
        self._change = threading.Condition()
        self._waiting: deque[Request] = deque()
        self._for_idle_time: deque[Request] = deque()
        self._input_ended = False
        self._running: Request | None = None
        self._unwanted: set[int] = set()  # are to be cancelled
        self._stoppable = False  # in the running request a signal may raise
        self._interrupting = False  # a signal is ours, no Ctrl-C
        self._answered = False  # anything

    def serve(self, lines: Iterable[str]) -> None:
        """Answer the requests of `lines` until they end. Call it in the main thread."""
        previous = signal.signal(signal.SIGINT, self._on_signal)
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        self._answers.tell({"protocol": PROTOCOL, "version": __version__, "pid": os.getpid()})
        try:
            while self._do_one():
                continue
        finally:
            signal.signal(signal.SIGINT, previous)

    # In the main thread

    def _do_one(self) -> bool:
        try:
            if not self._take():
                return False
            end = self._end()
            self._stoppable = False  # the last thing that a signal may find itself in
        except Stopped:
            end = {"end": "cancelled"}
        with self._change:
            request, self._running = self._running, None
            assert request is not None
            postponed = end["end"] == "cancelled" and request.id not in self._unwanted
            if postponed:
                self._for_idle_time.append(request)
            self._unwanted.discard(request.id)
        self._answered = True
        if not postponed:
            self._answers.tell({"id": request.id, **end})
        return True

    def _take(self) -> bool:
        rested = not self._answered
        with self._change:
            while not (self._waiting or self._for_idle_time or self._input_ended):
                if not self._change.wait(None if rested else SECONDS_TO_REST):
                    self._rest()
                    rested = True
            if self._input_ended:
                return False
            self._running = (self._waiting or self._for_idle_time).popleft()
            self._stoppable = True
        return True

    def _end(self) -> dict[str, Any]:
        request = self._running
        assert request is not None
        if request.id in self._unwanted:
            return {"end": "cancelled"}
        try:
            with heard(lambda doing, done, of, message=None: self._answers.progress(request.id, doing, done, of)):
                record = partial(self._answers.record, request.id)
                return {"end": "done", "result": self._answer(request.verb, request.arguments, record)}
        except Exception as error:
            if not self._stoppable:  # a library may turn the interruption into an error of its own
                raise Stopped from error
            return {"end": "failed", "sentence": sentence_of(error)}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self._interrupting:
            raise KeyboardInterrupt
        self._interrupting = False
        if self._stoppable:
            self._stoppable = False
            raise Stopped

    # In the thread that reads

    def _read(self, lines: Iterable[str]) -> None:
        try:
            for line in lines:
                if line.strip():
                    self._hear(line)
        finally:
            self._end_process()

    def _hear(self, line: str) -> None:
        try:
            told = parsed(line)
        except InputError as error:
            self._answers.tell({"id": None, "end": "failed", "sentence": str(error)})
            return
        with self._change:
            if isinstance(told, Cancel):
                self._cancel(told.id)
            else:
                self._queue(told)
            self._change.notify()

    def _cancel(self, id: int) -> None:
        """A request that waits ends at once, and is never begun; the one that is running is stopped."""
        for waiting in (self._waiting, self._for_idle_time):
            for request in [request for request in waiting if request.id == id]:
                waiting.remove(request)
                self._answers.tell({"id": id, "end": "cancelled"})
        if self._running is not None and self._running.id == id:
            self._unwanted.add(id)
            self._interrupt()

    def _queue(self, request: Request) -> None:
        idle = request.verb == IN_IDLE_TIME
        (self._for_idle_time if idle else self._waiting).append(request)
        if not idle and self._running is not None and self._running.verb == IN_IDLE_TIME:
            self._interrupt()

    def _end_process(self) -> None:
        with self._change:
            self._input_ended = True
            if self._running is not None:
                self._unwanted.add(self._running.id)
                self._interrupt()
            self._change.notify()
        time.sleep(SECONDS_TO_STOP)
        os._exit(0)

    def _interrupt(self) -> None:
        """Let the handler of signals run, also where the main thread waits."""
        self._interrupting = True
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        else:
            _thread.interrupt_main()


def sentence_of(error: Exception) -> str:
    """Cause and remedy of a failure; the traceback of a fault of the program goes to the error stream."""
    refusal = as_input_error(error)
    if refusal is not None:
        return str(refusal)
    traceback.print_exception(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        return str(
            InputError(
                f"The Python package {error.name}",
                "is missing",
                "install it",
                in_panel="press Install in the section Environment",
            )
        )
    reason = f"{type(error).__name__}: {error}".partition("\n")[0].rstrip(".")
    return str(InputError("calculation", f"failed by a fault of the program ({reason})", "report it with the log"))
