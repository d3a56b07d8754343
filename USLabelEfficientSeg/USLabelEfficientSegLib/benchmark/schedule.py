"""Runs of a benchmark, one after the other, in parallel processes, or on a dask cluster."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

from ..errors import Cancelled, InputError
from .results import Job

_SECONDS_BETWEEN_QUESTIONS = 0.5
_STOPPED = "benchmark stopped; the same command continues it"

T = TypeVar("T")
Run = Callable[[Job], T]


def in_turn(jobs: Sequence[Job], run: Run[T], cancelled: Callable[[], bool]) -> Iterator[tuple[Job, T]]:
    """Each job and its result, in this process. Raises `Cancelled` between jobs when asked to."""
    for job in jobs:
        _stop_if(cancelled)
        yield job, run(job)


def in_processes(
    jobs: Sequence[Job], run: Run[T], workers: int, cancelled: Callable[[], bool]
) -> Iterator[tuple[Job, T]]:
    """Each job and its result as they finish; a process for each job, at most `workers` at a time.

    Args:
        jobs: what to run.
        run: importable from a new process, such as a function of a module or a `functools.partial` of one.
        workers: processes at a time.
        cancelled: asked twice a second; running processes are then ended.

    Raises:
        Cancelled: the user asked to stop.
        InputError: a process died without a word, as when memory runs out.
        Exception: what a job raised; the other processes are ended, finished results stay.
    """
    context = multiprocessing.get_context("spawn")
    waiting, running = list(jobs), dict[Connection, tuple[Job, SpawnProcess]]()
    try:
        while waiting or running:
            _stop_if(cancelled)
            while waiting and len(running) < workers:
                job = waiting.pop(0)
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_child, args=(run, job, theirs), daemon=True)
                process.start()
                theirs.close()  # else the end of the process would go unnoticed
                running[ours] = job, process
            for connection in wait(list(running), timeout=_SECONDS_BETWEEN_QUESTIONS):
                assert isinstance(connection, Connection)
                job, process = running.pop(connection)
                yield job, _received(connection, job, process)
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.join()


def on_cluster(
    jobs: Sequence[Job], run: Run[T], address: str, cancelled: Callable[[], bool]
) -> Iterator[tuple[Job, T]]:
    """Each job and its result as they finish, on the workers of a dask scheduler that share this file system.

    Raises:
        InputError: dask.distributed is not installed, or nobody answers at the address.
        Cancelled: the user asked to stop; jobs that have not started are withdrawn.
    """
    try:
        from distributed import Client, wait  # an extra
    except ImportError as error:
        raise InputError(
            "--cluster", "needs dask.distributed", "pip install us-label-efficient-seg[cluster]"
        ) from error
    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise InputError(
            f"cluster {address}", "does not answer", "start `dask scheduler` and give its address"
        ) from error
    with client:
        futures = {client.submit(run, job, pure=False): job for job in jobs}
        try:
            while futures:
                _stop_if(cancelled)
                try:
                    wait(list(futures), timeout=_SECONDS_BETWEEN_QUESTIONS, return_when="FIRST_COMPLETED")
                except TimeoutError:
                    continue
                for future in [future for future in futures if future.done()]:
                    yield futures.pop(future), future.result()
        finally:
            client.cancel(list(futures))


def _child(run: Run[T], job: Job, connection: Connection) -> None:
    """In the new process: run the job, send its result or its exception."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    try:
        connection.send((True, run(job)))
    except Exception as error:  # raised again by the parent
        connection.send((False, error))
    finally:
        connection.close()


def _received(connection: Connection, job: Job, process: SpawnProcess) -> Any:
    try:
        succeeded, value = connection.recv()
    except EOFError:
        process.join()
        problem = f"its process ended with code {process.exitcode}, perhaps for want of memory"
        raise InputError(f"run {job.name}", problem, "start the command again with fewer --workers") from None
    finally:
        connection.close()
    process.join()
    if not succeeded:
        raise value
    return value


def _stop_if(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise Cancelled(_STOPPED)
