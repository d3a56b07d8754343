"""Events of a running study, one JSON object a line: read by command line, Slicer and report."""

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..disk.files import make_folder, writing
from ..disk.json_files import parse_json
from ..disk.links import open_in_place, refuse_link
from ..errors import InputError
from .stages import NumberedStage, Stage

ALREADY_TRAINED = "already trained"  # the message of a stage that an earlier start has done
_LONGEST_LINE = 1 << 20  # bytes; no event is longer than a few hundred
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Event:
    """Progress of one stage.

    `stage` is its name, see `stages`. `step` of `of` steps are done, about `seconds_left` (None while unknown) remain
    in this stage. `losses` are means since the stage's previous event, `preview` is a picture's path relative to the
    study folder, `time` is seconds since 1970.
    """

    stage: str
    step: int
    of: int
    seconds_left: float | None = None
    losses: dict[str, float] = field(default_factory=dict)
    preview: str | None = None
    message: str | None = None
    time: float = 0.0

    @property
    def numbered(self) -> NumberedStage | None:
        """Which stage of a training it is, with round and member; None for other work."""
        return NumberedStage.named(self.stage)


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
            make_folder(self.path.parent)
            refuse_link(self.path.parent)
            descriptor = open_in_place(self.path, os.O_CREAT | os.O_APPEND | os.O_RDWR)
            try:
                data = (text + "\n").encode("utf-8")
                if not _ends_with_newline(descriptor):  # a killed writer's torn line must not swallow this one
                    data = b"\n" + data
                if os.write(descriptor, data) != len(data):
                    raise InputError(self.path, "the disk is full", "free some space and start again")
            finally:
                os.close(descriptor)


class EventReader:
    """Follows an event file that another process writes; lines that are no event are passed over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def new_events(self) -> list[Event]:
        """The complete events written since the last call; torn lines of killed writers are skipped."""
        if not self.path.is_file():
            return []
        events = (_parse(line) for line in self._new_lines())
        return [event for event in events if event is not None]

    def _new_lines(self) -> Iterator[bytes]:
        """Complete lines, without those that are too long for an event, in memory that does not grow with the file."""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            line, passing = b"", False
            while chunk := file.read(_CHUNK):
                *complete, line = (line + chunk).split(b"\n")
                for text in complete:
                    self._offset += len(text) + 1
                    if not passing and len(text) <= _LONGEST_LINE:
                        yield text
                    passing = False
                if len(line) > _LONGEST_LINE:
                    self._offset += len(line)
                    line, passing = b"", True


def read_events(path: Path) -> list[Event]:
    """All complete events of a file, oldest first; empty when there is no file."""
    return EventReader(path).new_events()


def starts_anew(event: Event) -> bool:
    """Whether a training was started, or taken up again, with this event."""
    reading = event.stage in (Stage.READING_VOLUMES, Stage.READING_IMAGES) and event.step <= 1
    return reading or event.stage == Stage.CONTINUING


def training_seconds(events: Sequence[Event]) -> float:
    """Time between the first and the last event of each start of a training, summed over its starts."""
    total, previous = 0.0, None
    for event in events:
        if previous is not None and not starts_anew(event):
            total += max(0.0, event.time - previous)  # a clock may have been set back
        previous = event.time
    return total


def _parse(line: bytes) -> Event | None:
    try:
        event = Event(**parse_json(line))
    except (ValueError, TypeError):  # torn: no JSON, or JSON cut where it still is JSON but no event
        return None
    return event if _is_valid(event) else None


def _is_valid(event: Event) -> bool:
    """Whether a line that had the fields of an event also had values that make sense."""
    return (
        _is_text(event.stage)
        and all(text is None or _is_text(text) for text in (event.preview, event.message))
        and all(type(count) is int and 0 <= count < 2**53 for count in (event.step, event.of))
        and (event.seconds_left is None or (_is_number(event.seconds_left) and event.seconds_left >= 0))
        and _is_number(event.time)
        and isinstance(event.losses, dict)
        and all(_is_text(name) and _is_number(value) for name, value in event.losses.items())
        and (event.preview is None or _is_inside(event.preview))
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300


def _is_inside(path: str) -> bool:
    """Whether a path leads from the study's folder to somewhere in it."""
    parts = PurePosixPath(path).parts
    return not (path.startswith("/") or ".." in parts or "\\" in path or ":" in path or "\0" in path)


def _ends_with_newline(descriptor: int) -> bool:
    if os.fstat(descriptor).st_size == 0:
        return True
    os.lseek(descriptor, -1, os.SEEK_END)
    return os.read(descriptor, 1) == b"\n"
