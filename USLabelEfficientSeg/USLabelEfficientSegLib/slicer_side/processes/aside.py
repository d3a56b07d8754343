"""Work beside Slicer's event loop that needs no process of its own: reading, writing and copying of voxels."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import TypeVar

T = TypeVar("T")


def aside(function: Callable[[], T]) -> Generator[None, None, T]:
    """Steps that call a function in a thread; they return what it returns, and raise what it raises.

    Nodes, widgets and the scene belong to Slicer's main thread: the function must not touch them. Steps that are
    closed wait for its end, so that nothing is written into a folder that is being removed.

    Example::

        volume = yield from aside(lambda: read_volume(path))
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(function())
        except BaseException as error:  # raised in the main thread, where somebody can tell it
            errors.append(error)

    thread = threading.Thread(target=call, name="USLabelEfficientSeg")
    thread.start()
    try:
        thread.join(_AT_ONCE)
        while thread.is_alive():
            yield
    finally:
        thread.join()
    if errors:
        raise errors[0]
    return results[0]


_AT_ONCE = 0.01  # seconds: who reads a small file need not wait for the next step
