"""The training time of a run, kept in a file, so that a stopped or killed run goes on counting."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..disk.files import atomic_write_json


class Stopwatch:
    """Runs from the moment it is made, on from the minutes in its file.

    Args:
        path: JSON, the minutes on the clock and of all cores.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._start()

    @property
    def seconds(self) -> float:
        """On the clock, until now."""
        return 60 * read_minutes(self._path)[0] + time.monotonic() - self._wall

    def keep(self, at_most_every: float = 0.0) -> None:
        """Write the time so far; not again within `at_most_every` seconds."""
        wall = time.monotonic() - self._wall
        if wall >= at_most_every:
            minutes, processor_minutes = read_minutes(self._path)
            processor = time.process_time() - self._processor
            self._start()
            atomic_write_json(self._path, [minutes + wall / 60, processor_minutes + processor / 60])

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock during the block."""
        self.keep()
        try:
            yield
        finally:
            self._start()

    def _start(self) -> None:
        self._wall, self._processor = time.monotonic(), time.process_time()


@contextmanager
def stopwatch(path: Path) -> Iterator[Stopwatch]:
    """Add the minutes that the block takes, on the clock and of all cores, to those in `path`, also when it is left."""
    watch = Stopwatch(path)
    try:
        yield watch
    finally:
        watch.keep()


def read_minutes(path: Path) -> tuple[float, float]:
    """Minutes and processor minutes so far."""
    if not path.exists():
        return 0.0, 0.0
    minutes, processor_minutes = json.loads(path.read_text(encoding="utf-8"))
    return minutes, processor_minutes
