"""One job at a time on Slicer's event loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import qt

from ...errors import InputError
from .jobs import Job


class JobRunner:
    """Does the steps of one job at a time on Slicer's event loop, and tells its listeners.

    Args:
        milliseconds: between looks at a worker or a thread that is waited for.

    Attributes:
        job: the running job or, if there is none, the last one.
        listeners: called after every step and after the end, for a progress bar.
    """

    SECONDS_AT_ONCE = 0.03  # of steps, before Slicer has its turn
    SECONDS_OF_WORK = 0.0005  # a shorter step waits for a worker, or for a thread

    def __init__(self, milliseconds: int = 50) -> None:
        self.job: Job | None = None
        self.listeners: list[Callable[[], None]] = []
        self._finished: Callable[[Job], None] | None = None
        self._stepping = False
        self._timer = qt.QTimer()
        self._timer.setInterval(milliseconds)
        self._timer.connect("timeout()", self._step)

    @property
    def busy(self) -> bool:
        """Whether a job is running."""
        return self.job is not None and self.job.running

    def start(self, job: Job, finished: Callable[[Job], None] | None = None) -> None:
        """Do a job while Slicer goes on; `finished` is called with it at the end, also after a failure.

        Raises:
            InputError: another job is running.
        """
        self._accept(job)
        self._finished = finished
        self._timer.start()
        self._tell()

    def run(self, job: Job) -> Any:
        """Do a job and return its result: for scripts. Raises as `Job.wait` does."""
        self._accept(job)
        self._finished = None
        try:
            return job.wait()
        finally:
            self._tell()

    def stop(self) -> None:
        """End the running job now, at most two seconds later: Slicer, or the panel, is closing."""
        if self.job is not None and self.job.running:
            self.job.end()
            self._end()

    def _accept(self, job: Job) -> None:
        if self.job is not None and self.job.running:
            raise InputError(self.job.title, "is still running", "wait for its end or cancel it")
        self.job = job

    def _step(self) -> None:
        if self._stepping or self.job is None:  # a step that lets the event loop run must not be entered again
            return
        self._stepping = True
        try:
            running = self._some_steps(self.job)
        finally:
            self._stepping = False
            if not self.job.running:
                self._end()
        if running:
            self._tell()

    @classmethod
    def _some_steps(cls, job: Job) -> bool:
        """Steps as long as they do something, a few hundredths of a second at most; returns whether the job goes on."""
        began = time.monotonic()
        while True:
            started = time.monotonic()
            running = job.step()
            ended = time.monotonic()
            if not running or job.waiting or ended - started < cls.SECONDS_OF_WORK:
                return running
            if ended - began > cls.SECONDS_AT_ONCE:
                return running

    def _end(self) -> None:
        self._timer.stop()
        finished, self._finished = self._finished, None
        if finished is not None and self.job is not None:
            finished(self.job)
        self._tell()

    def _tell(self) -> None:
        for listener in list(self.listeners):
            listener()
