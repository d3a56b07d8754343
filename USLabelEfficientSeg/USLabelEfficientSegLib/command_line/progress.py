"""Progress of a training: bars for people, lines for log files, JSON for programs."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from ..study.events import Event, Listener

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def shown_progress(as_json: bool = False) -> Iterator[Listener]:
    """A listener that shows events on standard output, as suits whoever reads it."""
    if as_json:
        yield print_json
    elif sys.stdout.isatty():
        with ProgressBars() as bars:
            yield bars
    else:
        yield LogLines()


def print_json(event: Event) -> None:
    """The event as a line of JSON, in ASCII whatever the encoding of the stream."""
    print(json.dumps(asdict(event), allow_nan=False), flush=True)


class LogLines:
    """A line a stage every ten seconds and one at its end."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        """Print the event, unless its stage was printed lately."""
        now = time.monotonic()
        last = self._last.setdefault(event.stage, now)
        if event.step < event.of and now - last < SECONDS_BETWEEN_LINES:
            return
        self._last[event.stage] = now
        print(": ".join([event.stage, ", ".join(_parts(event))]), flush=True)


class ProgressBars:
    """A bar a stage, with the time left and the losses."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(),
        )

    def __enter__(self) -> "ProgressBars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Bring the bar of the event's stage up to date."""
        if event.stage not in self._tasks:
            self._tasks[event.stage] = self._progress.add_task(event.stage, total=event.of, note="")
        note = ", ".join(_parts(event)[1:])
        self._progress.update(self._tasks[event.stage], completed=event.step, total=event.of, note=note)


def duration(seconds: float) -> str:
    """A time for people: "45 s", "12 min", "3 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _parts(event: Event) -> list[str]:
    parts = [f"{event.step} of {event.of}"]
    if event.seconds_left:
        parts.append(f"{duration(event.seconds_left)} left")
    parts += [f"{name} {value:.4g}" for name, value in event.losses.items()]
    return parts if event.message is None else [*parts, event.message]
