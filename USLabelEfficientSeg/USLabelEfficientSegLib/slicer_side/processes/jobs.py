"""Work that takes time, without blocking Slicer: small steps in Slicer, everything heavy in a worker process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import slicer
from slicer.i18n import tr as _

from ...errors import Cancelled, InputError
from .adopted_worker import AdoptedWorker
from .resident_worker import Asked, ResidentWorker
from .worker import Worker

Steps = Generator[None, None, Any]
State = Literal["running", "done", "cancelled", "failed"]

_SECONDS_FOR_A_THREAD = 1.0  # to end by itself, after Cancel
_SECONDS_FOR_A_WORKER = 1.7  # to be ended by force at the latest, where Slicer is closing


class Job:
    """A piece of work that is done in steps of some milliseconds, each followed by a `yield`.

    Example::

        def steps(job):
            yield from job.work(["report", "C:/study", "--output", "report.html"], Path("C:/study/logs"))
            return "report.html"

        job = Job("Writing the report", steps)
        while job.step():
            slicer.app.processEvents()
        print(job.state, job.result)

    Args:
        title: what is done, for the user.
        steps: makes the steps of this job.
        kind: a word for the name of its log.
        follows: a worker that runs already, whose end the steps wait for: cancelled before its first step, the job
            stops it all the same.

    Attributes:
        title: what is done, for the user.
        state: "running" until the end.
        sentence: of a failed job its cause and remedy, and where the details are.
        log: file of the worker's output, None before it was started.
        progress: from 0 to 1, None while it is unknown.
        doing: what is done at present, "" while nothing is told.
        span: of the progress, that the present part of the work goes through.
        outlives: whether its worker is left alone when Slicer is closed, as it must not be cut short.
        result: what the steps returned.
    """

    def __init__(
        self, title: str, steps: Callable[[Job], Steps], kind: str = "", follows: AdoptedWorker | None = None
    ) -> None:
        self.title = title
        self.kind = kind
        self.state: State = "running"
        self.sentence = ""
        self.log: Path | None = None
        self.progress: float | None = None
        self.doing = ""
        self.span = (0.0, 1.0)
        self.outlives = False
        self.result: Any = None
        self._worker: Worker | AdoptedWorker | Asked | None = follows
        self._cancelled = False
        self._cancelled_at = 0.0
        self._thread: threading.Thread | None = None
        self._steps: Generator[Any, None, Any] = steps(self)  # those of `aside` give their thread

    @property
    def running(self) -> bool:
        """Whether there is anything left to do."""
        return self.state == "running"

    @property
    def cancelling(self) -> bool:
        """Whether the user has asked to stop, and the worker has not ended yet."""
        return self.running and self._cancelled

    @property
    def waiting(self) -> bool:
        """Whether the next step has nothing to do but wait for what a thread does beside it, see `aside`."""
        return self._thread is not None and self._thread.is_alive()

    def step(self) -> bool:
        """Do one step. Returns whether the job goes on."""
        if not self.running:
            return False
        try:
            if self._cancelled and self._worker is None:
                if self._thread is not None and not self._may_be_closed(self._thread):
                    return True
                self._steps.close()
                raise Cancelled("stopped by the user")
            self._thread = next(self._steps)
        except StopIteration as end:
            self.state, self.result = "done", end.value
        except Cancelled:
            self.state = "cancelled"
        except InputError as error:
            self.state, self.sentence = "failed", str(error)
        except Exception as error:
            self.end()
            self.state, self.sentence = "failed", self._of_a_fault(error)
            raise  # Slicer's log gets the traceback
        except BaseException:
            self.end()
            raise
        return self.running

    def _may_be_closed(self, thread: threading.Thread) -> bool:
        """Whether steps that were cancelled can be closed without waiting for their thread, or it takes too long."""
        thread.join(0.01)
        return not thread.is_alive() or time.monotonic() > self._cancelled_at + _SECONDS_FOR_A_THREAD

    def _of_a_fault(self, error: Exception) -> str:
        """What the user is told of an error that nobody has foreseen."""
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        logs = [slicer.app.errorLogModel().filePath, *([] if self.log is None else [str(self.log)])]
        return _("{what} failed by an error in the program ({said}). Details: {logs}").format(
            what=self.title, said=said, logs=", ".join(filter(None, logs))
        )

    def tell(self, doing: str, done: int, of: int) -> None:
        """Tell how far the present part of the work is."""
        start, end = self.span
        self.doing, self.progress = doing, start + (end - start) * done / max(of, 1)

    def cancel(self) -> None:
        """Ask to stop; the job ends within two seconds of further steps."""
        if not self._cancelled:
            self._cancelled, self._cancelled_at = True, time.monotonic()
        if self._worker is not None:
            self._worker.cancel()

    def end(self) -> None:
        """Stop at once and wait for the worker's end, for two seconds at most: Slicer or its scene is closing."""
        if self.running:
            self._cancelled = True
            self._steps.close()  # which ends a worker of its own; one that Slicer has not started goes on
            self.state = "cancelled"

    def wait(self) -> Any:
        """Do all steps, with Slicer's window alive, and return the result: for scripts.

        Raises:
            Cancelled: the job was cancelled.
            InputError: it failed.
        """
        while self.step():
            slicer.app.processEvents()
            time.sleep(0.02)
        if self.state == "cancelled":
            raise Cancelled(f"{self.title}: stopped by the user")
        if self.state == "failed":
            told = self.log is None or str(self.log) in self.sentence
            raise WorkError(self.sentence if told else f"{self.sentence} Log: {self.log}")
        return self.result

    def work(
        self,
        arguments: Sequence[str],
        logs: Path,
        watch: Callable[[Worker], None] | None = None,
        **how: Any,
    ) -> Iterator[None]:
        """Steps that run a command of the library to its end; `watch` is called at each of them and after the end.

        Args:
            arguments: of the command.
            logs: the folder of its log.
            watch: called with the worker.
            how: `module`, `python` and `seconds_to_save`, see `Worker`.

        Raises:
            Cancelled: it was cancelled.
            InputError: it failed, with the worker's own cause and remedy.
        """
        worker = Worker(arguments, logs / f"{datetime.now():%Y-%m-%d %H-%M-%S} {self.kind or arguments[0]}.log", **how)
        try:
            for _step in self.attend(worker):
                if watch is not None:
                    watch(worker)
                yield
        finally:
            if worker.poll() is None and not self.outlives:
                worker.cancel()
                worker.wait(_SECONDS_FOR_A_WORKER)
        if watch is not None:
            watch(worker)

    def ask(
        self,
        resident: ResidentWorker,
        request: str,
        watch: Callable[[Asked], None] | None = None,
        **arguments: Any,
    ) -> Generator[None, None, dict[str, Any]]:
        """Steps that ask the study's resident worker; they return the result of the request.

        Args:
            resident: is asked.
            request: its name.
            watch: called at each step, and after the end.
            arguments: of the request.

        Raises:
            Cancelled: it was cancelled.
            InputError: it failed, with the worker's own cause and remedy.
        """
        asked = resident.ask(request, **arguments)
        try:
            for _step in self.attend(asked):
                if watch is not None:
                    watch(asked)
                yield
        finally:
            asked.cancel()  # one that has ended is left alone
            if watch is not None and asked.poll() is not None:
                watch(asked)
        return asked.result

    def attend(self, worker: Worker | AdoptedWorker | Asked) -> Iterator[None]:
        """Steps until a worker ends; cancelling the job cancels it. Raises like `work`."""
        self.log, self._worker = worker.log, worker
        try:
            while (outcome := worker.poll()) is None:
                if (told := worker.progress) is not None:
                    self.tell(told.doing, told.done, told.of)
                yield
        finally:
            self._worker = None
        if outcome.state == "cancelled":
            raise Cancelled("stopped by the user")
        if outcome.state == "failed":
            raise WorkError(outcome.sentence)


def finished(steps: Steps) -> Any:
    """Do all steps at once; returns what they return."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


class WorkError(InputError):
    """A worker failed; its own sentence tells cause and remedy."""

    def __init__(self, sentence: str) -> None:
        super().__init__("calculation", sentence, "see the log")
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence
