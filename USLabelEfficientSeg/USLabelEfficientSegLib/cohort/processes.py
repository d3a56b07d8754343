"""Tasks in processes of this computer that stay: each prepares once, and one that dies is started again."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any

from ..errors import InputError
from .tasks import Outcome, Task, Work, attempt

DEATHS = 3  # of processes with the same task, after which it has failed
DIED = "made its worker end {} times, perhaps for want of memory; crop the image or use fewer workers."


class Processes:
    """Worker processes for one kind of work, started on entering and ended on leaving.

    Args:
        work: what they do.
        workers: how many.

    Raises:
        InputError: on entering: the work cannot be prepared.
    """

    def __init__(self, work: Work, workers: int) -> None:
        self._work = work
        self._workers = workers
        self._all: set[_Process] = set()

    def __enter__(self) -> Processes:
        try:
            for process in [self._started() for _ in range(self._workers)]:
                process.ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self._all:
            process.end()

    def __call__(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Outcome]]:
        """Each task and its outcome, as they are done; as many are in the works as there are workers."""
        waiting, again = iter(tasks), deque[Task]()
        deaths: dict[str, int] = {}
        idle, busy = list(self._all), dict[Connection, tuple[_Process, Task]]()
        while True:
            while idle and (task := again.popleft() if again else next(waiting, None)) is not None:
                process = idle.pop()
                process.send(task)
                busy[process.pipe] = process, task
            if not busy:
                return
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                process, task = busy.pop(pipe)
                outcome = process.outcome()
                if outcome is None:  # it has died
                    process = self._in_place_of(process)
                    deaths[task.name] = deaths.get(task.name, 0) + 1
                    if deaths[task.name] < DEATHS:
                        again.append(task)
                    else:
                        outcome = Outcome(failure=f"{task.file}: {DIED.format(DEATHS)}")
                idle.append(process)
                if outcome is not None:
                    deaths.pop(task.name, None)
                    yield task, outcome

    def _started(self) -> _Process:
        process = _Process(self._work)
        self._all.add(process)
        return process

    def _in_place_of(self, dead: _Process) -> _Process:
        dead.end()
        self._all.remove(dead)
        process = self._started()
        process.ready()
        return process


class _Process:
    def __init__(self, work: Work) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(work, theirs), daemon=True)
        self._process.start()
        theirs.close()  # else the end of the process would go unnoticed

    def ready(self) -> None:
        """Wait until it has prepared. Raises what went wrong there."""
        try:
            error = self.pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            problem = f"ended with code {self._process.exitcode} while it was getting ready"
            raise InputError("a worker process", problem, "start again with fewer workers") from None
        if error is not None:
            raise error

    def send(self, task: Task) -> None:
        """Hand over a task; that it has died is told by `outcome`."""
        with suppress(OSError):
            self.pipe.send(task)

    def outcome(self) -> Outcome | None:
        """Of its task; None: it has died."""
        try:
            outcome: Any = self.pipe.recv()
        except (EOFError, OSError):
            return None
        assert isinstance(outcome, Outcome)
        return outcome

    def end(self) -> None:
        """End it, whatever it is doing: its files are whole or not there."""
        self.pipe.close()
        self._process.terminate()
        self._process.join()


def _serve(work: Work, pipe: Connection) -> None:
    """In the new process: prepare, then do tasks until nobody has any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    try:
        work.prepare()
    except Exception as error:
        pipe.send(error)
        return
    with suppress(EOFError, OSError):  # the parent has gone
        pipe.send(None)
        while True:
            pipe.send(attempt(work, pipe.recv()))
