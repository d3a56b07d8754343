"""What a running study tells the world, one JSON object a line: read by command line, Slicer and report."""

import json
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError
from .files import writing


@dataclass(frozen=True)
class Event:
    """Progress of one stage.

    `step` of `of` steps are done, about `seconds_left` (None while unknown) remain in this stage. `losses`
    are means since the stage's previous event, `preview` is a picture's path relative to the study folder,
    `time` is seconds since 1970.
    """

    stage: str
    step: int
    of: int
    seconds_left: float | None = None
    losses: dict[str, float] = field(default_factory=dict)
    preview: str | None = None
    message: str | None = None
    time: float = 0.0


Listener = Callable[[Event], None]


class EventLog:
    """Appends events to a file of JSON lines and hands each to the listeners (a progress bar, a test)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every event emitted from now on."""
        self._listeners.append(listener)

    def emit(
        self,
        stage: str,
        step: int,
        of: int,
        *,
        seconds_left: float | None = None,
        losses: Mapping[str, float] | None = None,
        preview: str | None = None,
        message: str | None = None,
    ) -> None:
        """Append one event. Raises `ValueError` for a non-finite number, `InputError` for a full disk."""
        numbers = {**(losses or {}), "seconds_left": seconds_left or 0.0}
        for name, value in numbers.items():
            if not math.isfinite(value):
                raise ValueError(f"stage {stage}, step {step}: {name} is {value}")
        event = Event(stage, step, of, seconds_left, dict(losses or {}), preview, message, time.time())
        self._append(json.dumps(asdict(event), ensure_ascii=False, allow_nan=False))
        self.pass_on(event)

    def pass_on(self, event: Event) -> None:
        """Hand an event to the listeners alone: another process has appended it."""
        for listener in self._listeners:
            listener(event)

    def _append(self, text: str) -> None:
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_CREAT | os.O_APPEND | os.O_RDWR | getattr(os, "O_BINARY", 0)
            descriptor = os.open(self.path, flags, 0o666)
            try:
                data = (text + "\n").encode("utf-8")
                if not _ends_with_newline(descriptor):  # a killed writer's torn line must not swallow this one
                    data = b"\n" + data
                if os.write(descriptor, data) != len(data):
                    raise InputError(self.path, "the disk is full", "free some space and start again")
            finally:
                os.close(descriptor)


class EventReader:
    """Follows an event file that another process writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def new_events(self) -> list[Event]:
        """The complete events written since the last call; torn lines of killed writers are skipped."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self._offset)
            complete, newline, _ = file.read().rpartition(b"\n")
        self._offset += len(complete) + len(newline)
        events = (_parse(line) for line in complete.split(b"\n"))
        return [event for event in events if event is not None]


def read_events(path: Path) -> list[Event]:
    """All complete events of a file, oldest first; empty when there is no file."""
    return EventReader(path).new_events()


def _parse(line: bytes) -> Event | None:
    try:
        return Event(**json.loads(line))
    except (ValueError, TypeError):  # torn: no JSON, or JSON cut where it still is JSON but no event
        return None


def _ends_with_newline(descriptor: int) -> bool:
    if os.fstat(descriptor).st_size == 0:
        return True
    os.lseek(descriptor, -1, os.SEEK_END)
    return os.read(descriptor, 1) == b"\n"


class StageOfRound(NamedTuple):
    """What is done in one of the students' rounds: "student" or "pseudo-labels", and by which of its networks."""

    kind: str
    round: int
    network: int


def stage_of_round(stage: str) -> StageOfRound | None:
    """What "student ROUND.NETWORK" and "pseudo-labels ROUND" mean; None for every other stage."""
    found = re.fullmatch(r"(student|pseudo-labels) (\d+)(?:\.(\d+))?", stage)
    return None if found is None else StageOfRound(found[1], int(found[2]), int(found[3] or 1))
