"""Independent trainings side by side in processes, while processors are idle.

This process trains the next stage and meanwhile offers later stages that do not depend on it. Another process takes
such a stage, with one thread, writes its checkpoint, and is stopped when other programs want its processor. When the
stage's turn comes, it is complete or is continued here. The weights are the same bit for bit, whichever process
computed which step, because a stage depends only on its checkpoint (`training.loop`).
"""

from __future__ import annotations

import multiprocessing
import pickle
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import torch

from ..errors import Cancelled
from ..study.events import EventLog
from .context import TrainingContext
from .loop import is_complete
from .memory import tune_memory
from .processes import ended_without_a_word, pickled, work_for_parent
from .processors import Processors

FEWEST_STEPS = 200  # for which a process is worth its start
SECONDS_TO_SAVE = 1.0  # between the request to stop and the end by force
SECONDS_OF_PATIENCE = 20.0  # with other programs that want a processor
_SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True)
class Offer:
    """A training for another process: `train(context)`."""

    train: Callable[[TrainingContext], Any]
    context: TrainingContext


@dataclass
class _Worker:
    """A process that trains what was offered."""

    offer: Offer
    process: SpawnProcess
    report: Connection
    seconds: float = 0.0  # of processors that it has used
    step: int = 0
    of: int = 1
    stopping: bool = False

    def stop(self) -> None:
        """Ask it to save and end."""
        if not self.stopping:
            self.stopping = True
            with suppress(OSError):  # it has ended already
                self.report.send(None)


class SideBySide:
    """Trains offered stages in other processes; a context manager that leaves none behind.

    Args:
        events: receives what other processes tell.
        processors: how many processes may run; None: none but this one.
        cancelled: whether the user has asked to stop.
    """

    def __init__(
        self, events: EventLog, processors: Processors | None = None, cancelled: Callable[[], bool] | None = None
    ) -> None:
        self._events, self._processors, self._cancelled = events, processors, cancelled
        self._waiting: dict[Path, Offer] = {}
        self._running: dict[Path, _Worker] = {}
        self._spent = 0.0
        self._crowded_since: float | None = None

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._waiting.clear()
        try:
            self._stop()
        finally:
            for worker in self._running.values():
                worker.process.kill()
                worker.process.join()
                worker.report.close()
            self._running.clear()

    def offer(self, train: Callable[[TrainingContext], Any], context: TrainingContext, steps: int) -> None:
        """Have a stage trained beside, if a processor is idle; until `settle` is called with its checkpoint.

        Args:
            train: a function of a module, or a `partial` of one with what can be pickled, whose result is in the
                context's checkpoint.
            context: of the training; another process trains on the CPU.
            steps: of the stage; too few are not worth a process.
        """
        if self._processors is not None and steps >= FEWEST_STEPS and not is_complete(context.checkpoint_path):
            self._waiting[context.checkpoint_path] = Offer(train, context)

    def settle(self, checkpoint: Path, meanwhile: Callable[[int], None] = lambda step: None) -> None:
        """Leave a stage to this process: wait for the process that trains it, or take the offer back.

        Args:
            checkpoint: of the stage.
            meanwhile: called several times a second while the other process trains, with its number of steps; the
                checkpoint may be some steps older.

        Raises:
            Cancelled: the user asked to stop; the state is saved.
            InputError: the stage failed there.
        """
        while (worker := self._running.get(checkpoint)) is not None:
            connection.wait([worker.report], timeout=_SECONDS_BETWEEN_LOOKS)
            if self._cancelled is not None and self._cancelled():
                self._stop()
                done = f"after step {worker.step} of {worker.of}"
                raise Cancelled(f"{worker.offer.context.stage} stopped {done}; the same command continues it")
            self._look(computes=False)
            meanwhile(worker.step)
        self._waiting.pop(checkpoint, None)

    def asked_to_stop(self) -> bool:
        """Whether the user asked to stop. Call it after every step: it also looks after the other processes."""
        stop = self._cancelled is not None and self._cancelled()
        if stop:
            for worker in self._running.values():
                worker.stop()
        else:
            self._look(computes=True)
        return stop

    def idle(self) -> int:
        """Processes that could run now, this one among them, beside those that do."""
        return max(1, self._allowed() - len(self._running))

    def _allowed(self) -> int:
        if self._processors is None:
            return 1
        of_others = sum(worker.seconds for worker in self._running.values())
        return self._processors.allowed(time.process_time() + self._spent + of_others)

    def _look(self, computes: bool) -> None:
        """Listen to the others, start one if a processor is idle, stop one if other programs want it for long.

        Args:
            computes: whether this process computes; while it waits it starts no other, because it has time itself.
        """
        for worker in list(self._running.values()):
            self._listen(worker)
        many = len(self._running) + computes - self._allowed()
        if many <= 0:
            self._crowded_since = None
        if many < 0 and computes and self._waiting:
            self._start(self._waiting.pop(next(iter(self._waiting))))
        elif many > 0 and self._running:
            now = time.monotonic()
            self._crowded_since = self._crowded_since or now
            if now - self._crowded_since > SECONDS_OF_PATIENCE:
                self._crowded_since = None
                list(self._running.values())[-1].stop()

    def _start(self, offer: Offer) -> None:
        spawn, stage = multiprocessing.get_context("spawn"), offer.context.stage
        report, other_end = spawn.Pipe()
        process = spawn.Process(target=_train_beside, name=stage, args=(stage, other_end), daemon=True)
        process.start()
        other_end.close()  # or the end of the process would not end the connection
        self._running[offer.context.checkpoint_path] = _Worker(offer, process, report)

    def _listen(self, worker: _Worker) -> None:
        """Take in a process's messages; a process that has ended leaves the running ones."""
        while True:
            try:
                if not worker.report.poll():
                    return
                told = worker.report.recv()
            except (EOFError, OSError):
                self._ended(worker, None)
                return
            if isinstance(told, Exception):
                self._ended(worker, told)
                return
            event, worker.seconds = told
            if event is None:  # it is ready
                offer = worker.offer
                with suppress(OSError):  # it has ended, which will be seen
                    worker.report.send_bytes(pickled((offer.train, offer.context.elsewhere())))
            else:
                worker.step, worker.of = event["step"], event["of"]
                self._events.emit(**event)

    def _ended(self, worker: _Worker, error: Exception | None) -> None:
        worker.process.join()
        worker.report.close()
        self._spent += worker.seconds
        del self._running[worker.offer.context.checkpoint_path]
        if (code := worker.process.exitcode) == 0:
            return
        if error is not None and not isinstance(error, Cancelled):
            raise error
        self._waiting[worker.offer.context.checkpoint_path] = worker.offer  # for this process, if for no other
        if error is None and code is not None and not worker.stopping:  # for want of memory, perhaps
            self._processors = None
            told = f"{ended_without_a_word(worker.process.name, code).problem}; it goes on without a process of its own"
            self._events.emit(worker.offer.context.stage, worker.step, worker.of, message=told)

    def _stop(self) -> None:
        """Ask all to save, and wait a moment for it; their errors follow from the cause of the stop."""
        for worker in self._running.values():
            worker.stop()
        until = time.monotonic() + SECONDS_TO_SAVE
        while self._running and time.monotonic() < until:
            connection.wait([worker.report for worker in self._running.values()], timeout=_SECONDS_BETWEEN_LOOKS)
            for worker in list(self._running.values()):
                with suppress(Exception):
                    self._listen(worker)


NOBODY = SideBySide(EventLog(Path()))


class _Told(EventLog):
    """An event log that passes everything on to the process that asked."""

    def __init__(self, report: Connection) -> None:
        super().__init__(Path())
        self._report = report

    def emit(self, stage: str, step: int, of: int, **more: Any) -> None:
        """Tell the other process, and how much time of a processor was used."""
        self._report.send(({"stage": stage, "step": step, "of": of, **more}, time.process_time()))


def _train_beside(name: str, report: Connection) -> NoReturn:
    """In the new process: train until the end, or until the other one says anything."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # those of libraries are for programmers

    def work() -> None:
        report.send((None, time.process_time()))
        train, context = pickle.loads(report.recv_bytes())
        tune_memory()
        train(replace(context, events=_Told(report), device=torch.device("cpu"), cancelled=report.poll))

    work_for_parent(name, report.send, work)
