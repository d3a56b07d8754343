"""A second thread beside a training step: it does what the step will need, and sleeps while there is nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

import torch

from .memory import flushes_denormals

T = TypeVar("T")


@contextmanager
def second_thread() -> Iterator[ThreadPoolExecutor | None]:
    """A pool of one thread; None where torch has several threads, which keep the processors busy themselves."""
    if torch.get_num_threads() > 1:
        yield None
        return
    with ThreadPoolExecutor(1, initializer=torch.set_flush_denormal, initargs=(flushes_denormals(),)) as thread:
        yield thread


class DrawnAhead(Generic[T]):
    """Samples by the number of their step, the next drawn while the step before is done.

    Args:
        draw: the samples of a step, a function of nothing but its number.
        steps: how many there are.
        thread: who draws ahead; None: nobody does.
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
