"""Progress of a training or report: bars for people, lines for log files, JSON for programs."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict

from ..study.events import Event, Listener
from ..study.stages import Stage, stage_title
from ..study.total_progress import Plan
from ..text.counting import heard
from ..text.durations import duration
from .console import console
from .interruption import Interruption

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def shown_progress(
    interruption: Interruption | None = None,
    *,
    as_json: bool = False,
    plan: Plan = (),
    brief: bool = False,
) -> Iterator[Listener]:
    """A listener that shows events in the form that suits the reader.

    Args:
        interruption: asked to stop the work when nobody reads the output any more.
        as_json: print events as JSON on standard output.
        plan: stages in their order, with the share of each in the work, for the line *Total*.
        brief: bars vanish at the end, and work of less than ten seconds has no line.
    """
    lines = LogLines(with_ends=not brief)
    with heard(None):  # what is counted within is a part of this
        if as_json:
            with _stopping(print_json, interruption) as listener:
                yield listener
        elif console.quiet or not console.stream.isatty():
            with _stopping(lines, interruption) as listener:
                yield listener
        else:
            from .progress_bars import ProgressBars  # rich takes long to load

            with ProgressBars(plan, interruption, brief=brief) as bars, _stopping(bars, interruption) as listener:
                yield _both(lines.to_log_alone(), listener)


@contextmanager
def shown_counts() -> Iterator[None]:
    """Show how far `counted` work is: by a bar that vanishes when it is done, or by lines if it takes long.

    With `USLABELSEG_PROGRESS=json` in the environment, by a line of JSON on the error stream each time, for programs.
    """
    if os.environ.get("USLABELSEG_PROGRESS") == "json":
        with heard(_print_count):
            yield
        return
    display = ExitStack()
    listener: Listener | None = None
    began = 0.0

    def told(doing: str, done: int, of: int, message: str | None = None) -> None:
        nonlocal listener, began
        if listener is None:
            listener, began = display.enter_context(shown_progress(brief=True)), time.monotonic()
        left = (time.monotonic() - began) / done * (of - done) if done else None
        listener(Event(doing, done, of, left, message=message))
        if done >= of:
            display.close()
            listener = None

    with heard(told), display:  # what was shown last ends first, also when a command fails
        yield


def _print_count(doing: str, done: int, of: int, message: str | None = None) -> None:
    more = {} if message is None else {"message": message}
    print(json.dumps({"progress": {"doing": doing, "done": done, "of": of, **more}}), file=sys.stderr, flush=True)


@contextmanager
def _stopping(listener: Listener, interruption: Interruption | None) -> Iterator[Listener]:
    """If nobody reads the output any more, ask the work to save its state and stop."""
    if interruption is None:
        yield listener
        return

    def stopping(event: Event) -> None:
        try:
            listener(event)
        except OSError:
            interruption.requested = interruption.output_gone = True

    yield stopping


def _both(first: Listener, second: Listener) -> Listener:
    def both(event: Event) -> None:
        first(event)
        second(event)

    return both


def print_json(event: Event) -> None:
    """The event as a line of JSON, in ASCII whatever the encoding of the stream."""
    print(json.dumps(asdict(event), allow_nan=False), flush=True)


class LogLines:
    """A line a stage every ten seconds and, `with_ends`, one at its end."""

    def __init__(self, *, with_ends: bool = True) -> None:
        self._with_ends = with_ends
        self._last: dict[str, float] = {}
        self._say: Callable[[str], object] = console.say

    def to_log_alone(self) -> "LogLines":
        """The same for the log file."""
        self._say = console.log
        return self

    def __call__(self, event: Event) -> None:
        """Tell the event, unless its stage was told lately. The end of the training is told elsewhere."""
        if event.stage == Stage.FINISHED:
            return
        now = time.monotonic()
        last = self._last.setdefault(event.stage, now)
        at_end = self._with_ends and event.step >= event.of
        if not at_end and now - last < SECONDS_BETWEEN_LINES:
            return
        self._last[event.stage] = now
        self._say(": ".join([stage_title(event.stage), ", ".join(_parts(event))]))


def _parts(event: Event) -> list[str]:
    parts = [f"{event.step} of {event.of}"]
    if event.seconds_left:
        parts.append(f"{duration(event.seconds_left)} left")
    return parts + losses_in(event)


def losses_in(event: Event) -> list[str]:
    """Losses and message of an event in words."""
    losses = [f"{name} {value:.4g}" for name, value in event.losses.items()]
    return losses if event.message is None else [*losses, event.message]
