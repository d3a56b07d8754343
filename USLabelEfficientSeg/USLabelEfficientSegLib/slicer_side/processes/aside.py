"""Work beside Slicer's event loop that needs no process of its own: reading, writing and copying of voxels."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any, TypeVar

T = TypeVar("T")

_MOMENT = 0.01  # seconds, in each step: the event loop of Slicer lets no thread have Python's lock, but waiting does
_PATIENCE = 1.0  # seconds, where Slicer is closing


def aside(function: Callable[[], T]) -> Generator[Any, None, T]:
    """Steps that call a function in a thread; they return what it returns, and raise what it raises.

    Nodes, widgets and the scene belong to Slicer's main thread: the function must not touch them. Each step gives its
    thread to the job, which waits for its end when it is cancelled, so that nothing is written into a folder that is
    being removed. Steps that are closed wait for a second at most.

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
        thread.join(_MOMENT)
        while thread.is_alive():
            yield thread
            thread.join(_MOMENT)
    finally:
        thread.join(_PATIENCE)
    if errors:
        raise errors[0]
    return results[0]
