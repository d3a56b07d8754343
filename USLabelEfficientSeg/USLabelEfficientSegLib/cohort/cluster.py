"""Tasks on the workers of a dask cluster, which see the same files as this computer.

See https://distributed.dask.org: `dask scheduler` and `dask worker`, or a cluster that dask-jobqueue or dask-kubernetes
has started. The scheduler gives the tasks of a worker that dies to another one, a few times.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from .. import __version__
from ..disk.files import writing
from ..disk.in_use import remove_file
from ..errors import InputError
from .processes import DIED
from .tasks import Outcome, Task, Work, attempt

_SECONDS_TO_CONNECT = 10
_SECONDS_BETWEEN_LOOKS = 10.0
_SECONDS_BETWEEN_ANSWERS = 0.05
_TASKS_A_THREAD = 2  # in the works: one that is done, one that waits at the worker
_REMEDY = "start `dask scheduler` and `dask worker`, and give the scheduler's address"


class Cluster:
    """The workers of a dask scheduler, for one kind of work.

    Args:
        address: of the scheduler, such as `tcp://host:8786`, or the file that it writes (`--scheduler-file`).
        work: what they do.
        inputs: files and folders that every worker must see.
        output: folder that every worker must see and may write to; it need not exist as yet.

    Raises:
        InputError: on entering: no dask.distributed here, nobody answers at the address, there are no workers, one has
            another version of this program, does not see a path, or cannot prepare the work.
    """

    def __init__(self, address: str, work: Work, inputs: Sequence[Path], output: Path) -> None:
        self._address = address
        self._work = work
        self._inputs = [path.absolute() for path in inputs]
        self._output = output.absolute()
        self._stack = ExitStack()
        self._looked = -_SECONDS_BETWEEN_LOOKS
        self._threads = 1

    def __enter__(self) -> Cluster:
        with ExitStack() as stack:
            self._client = stack.enter_context(_client(self._address))
            self._check()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()

    def __call__(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Outcome]]:
        """Each task and its outcome, as they are done. No more are handed over than keep the workers busy.

        Raises:
            InputError: the scheduler has gone.
        """
        from distributed import as_completed

        waiting, running = iter(tasks), dict[Any, Task]()
        done = as_completed(loop=self._client.loop)
        try:
            while True:
                while len(running) < self._window() and (task := next(waiting, None)) is not None:
                    future = self._client.submit(attempt, self._work, task, pure=False)
                    running[future] = task
                    done.add(future)
                if not running:
                    return
                future = next(done)
                task = running.pop(future)
                yield task, self._outcome(future, task)
                del future  # what the scheduler keeps of it
        finally:
            with suppress(Exception):  # the scheduler may have gone
                self._client.cancel(list(running))

    def _outcome(self, future: Any, task: Task) -> Outcome:
        from distributed.scheduler import KilledWorker

        try:
            outcome = future.result()
        except KilledWorker as error:
            return Outcome(failure=f"{task.file}: {DIED.format(error.allowed_failures + 1)}")
        except (CancelledError, OSError) as error:
            raise self._gone() from error
        assert isinstance(outcome, Outcome)
        return outcome

    def _gone(self) -> InputError:
        problem = "stopped answering"
        return InputError(f"cluster {self._address}", problem, "start it again; the same command then does the rest")

    def _window(self) -> int:
        """How many tasks are to be in the works; workers come and go."""
        if time.monotonic() - self._looked >= _SECONDS_BETWEEN_LOOKS:
            self._looked = time.monotonic()
            try:
                self._threads = max(1, sum(self._client.nthreads().values()))
            except (OSError, CancelledError) as error:
                raise self._gone() from error
        return _TASKS_A_THREAD * self._threads

    def _check(self) -> None:
        """Ask every worker for its version, whether it sees the files, and to prepare."""
        package = import_module(__name__.partition(".")[0])  # which arrives as its name
        versions = self._client.run(getattr, package, "__version__", on_error="return")
        if not versions:
            raise InputError(f"cluster {self._address}", "has no workers", "start some with `dask worker`")
        for worker, version in versions.items():
            if isinstance(version, Exception):
                raise _refused(worker, f"cannot load this program ({version})", "install it there") from version
            if version != __version__:
                problem = f"has version {version} of this program, and here is {__version__}"
                raise _refused(worker, problem, "install the same version there")
        with _token(self._output) as token:
            seen = {path: _size(path) for path in [*self._inputs, token]}
            checks = {
                worker: self._client.submit(_look, self._work, seen, token, workers=[worker], pure=False)
                for worker in versions
            }
            for worker, unseen in self._answers(checks):
                if unseen is not None:
                    place = self._output if unseen == token else unseen
                    problem = f"does not see {place} as it is here, or may not write there"
                    raise _refused(worker, problem, "put all files on a disk that this computer and the workers share")

    def _answers(self, checks: dict[str, Any]) -> Iterator[tuple[str, Path | None]]:
        """What each worker answers; one that dies before it does is passed over, for another comes in its place."""
        waiting = dict(checks)
        while waiting:
            there = self._client.nthreads()
            for worker in [worker for worker in waiting if waiting[worker].done() or worker not in there]:
                check = waiting.pop(worker)
                if check.done():
                    yield worker, check.result()
            time.sleep(_SECONDS_BETWEEN_ANSWERS)


@contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        from distributed import Client  # an extra
    except ImportError as error:
        raise InputError(
            "--cluster", "needs dask.distributed", "pip install us-label-efficient-seg[cluster]",
            in_panel="install dask.distributed",
        ) from error  # fmt: skip
    where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    try:
        client = Client(**where, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"cluster {address}", "does not answer", _REMEDY) from error
    with client:
        yield client


def _refused(worker: str, problem: str, remedy: str) -> InputError:
    return InputError(f"worker {worker}", problem, remedy)


@contextmanager
def _token(folder: Path) -> Iterator[Path]:
    """A hidden file for a moment: a worker that sees it writes to the same disk."""
    there = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    token = there / f".uslabelseg-{secrets.token_hex(8)}.token"
    with writing(folder):
        token.write_text(token.name, encoding="ascii")
    try:
        yield token
    finally:
        remove_file(token, missing_ok=True)


def _size(path: Path) -> int | None:
    """Bytes of a file, 0 of a folder, None where there is nothing."""
    try:
        return 0 if path.is_dir() else path.stat().st_size
    except OSError:
        return None


def _look(work: Work, seen: dict[Path, int | None], token: Path) -> Path | None:
    """On a worker: prepare the work; the path that it does not see as it should be, if any."""
    for path, size in seen.items():
        if _size(path) != size:
            return path
    if not os.access(token.parent, os.W_OK):
        return token
    work.prepare()
    return None
