"""Threads that use idle processors and sleep while there is nothing to do, unlike OpenMP's, which spin.

Each computes with one thread of torch, so that results are those of one thread, bit for bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

import torch

from . import processors
from .memory import flushes_denormals

T = TypeVar("T")
R = TypeVar("R")


def in_threads(threads: Callable[[], int], make: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The results of `make` for every item, in their order.

    Args:
        threads: asked before every item how many may be made at once; as many results wait to be taken.
        make: of one item; where there is one thread, called in this one.
        items: taken in this thread, when it is their turn.
    """
    begun: deque[Future[R]] = deque()
    with _pool(processors.count()) as pool:
        try:
            for item in items:
                at_once = threads()
                while begun and len(begun) >= at_once:
                    yield begun.popleft().result()
                if at_once == 1:
                    yield make(item)
                else:
                    begun.append(pool.submit(make, item))
            while begun:
                yield begun.popleft().result()
        finally:
            for each in begun:
                each.cancel()


@contextmanager
def second_thread() -> Iterator[ThreadPoolExecutor | None]:
    """A pool of one thread, beside a training step; None where torch has several, which keep processors busy."""
    if torch.get_num_threads() > 1:
        yield None
        return
    with _pool(1) as thread:
        yield thread


class DrawnAhead(Generic[T]):
    """Samples by the number of their step; the next ones are drawn during the present step.

    Args:
        draw: the samples of a step, a function of nothing but its number.
        steps: how many there are.
        thread: draws ahead; None: nothing is drawn ahead.
    """

    def __init__(self, draw: Callable[[int], T], steps: int, thread: ThreadPoolExecutor | None) -> None:
        self._draw, self._steps, self._thread = draw, steps, thread
        self._next: tuple[int, Future[T]] | None = None

    def take(self, step: int) -> T:
        """The samples of a step."""
        drawn = self._next[1].result() if self._next is not None and self._next[0] == step else self._draw(step)
        if self._thread is not None and step + 1 < self._steps:
            self._next = step + 1, self._thread.submit(self._draw, step + 1)
        return drawn


def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, initializer=torch.set_flush_denormal, initargs=(flushes_denormals(),))
