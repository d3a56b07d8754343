"""The events of a training as the panel shows them: progress, time left and loss curves."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ...study.events import ALREADY_TRAINED, Event, EventReader, starts_anew
from ...study.stages import NumberedStage, Stage

MOST_POINTS = 300  # of a curve
_LONGEST_FIRST = 4096  # bytes of the first event that are looked at


@dataclass
class StageProgress:
    """How far a stage is.

    Attributes:
        name: of the stage, as in events.
        step: steps that are done.
        of: all steps.
        seconds_left: of this stage, None while unknown.
        losses: for each loss its (steps, values), oldest first.
    """

    name: str
    step: int = 0
    of: int = 0
    seconds_left: float | None = None
    losses: dict[str, tuple[list[int], list[float]]] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether all steps are done."""
        return self.of > 0 and self.step >= self.of

    @property
    def stage(self) -> Stage | None:
        """Which stage it is; None for one that this version does not know."""
        numbered = NumberedStage.named(self.name)
        return None if numbered is None else numbered.stage

    def take(self, event: Event) -> None:
        """Bring the stage up to date; losses that a resumed training repeats replace the earlier ones."""
        self.step, self.of = event.step, event.of
        if event.preview is not None:  # tells nothing else
            return
        self.seconds_left = event.seconds_left
        if event.message == ALREADY_TRAINED:  # found, not repeated: its curves stay
            return
        for steps, values in self.losses.values():
            while steps and steps[-1] >= event.step:
                steps.pop()
                values.pop()
        for name, value in event.losses.items():
            steps, values = self.losses.setdefault(name, ([], []))
            steps.append(event.step)
            values.append(value)


class TrainingMonitor:
    """Follows the event file of a study; reading it needs no lock and costs nothing while nothing happens.

    Args:
        path: of the file.
        listener: called with each event.

    Attributes:
        preview: file of the latest preview, relative to the study's folder; None before there is one.
        previews: how many there were.

    Example::

        monitor = TrainingMonitor(run_file(Path(studyFolder), EVENTS_NAME))
        if monitor.update():
            print([(stage.name, stage.step, stage.of) for stage in monitor.stages])
    """

    def __init__(self, path: Path, listener: Callable[[Event], object] = lambda event: None) -> None:
        self._path = path
        self._listener = listener
        self._identity: tuple[int, bytes] | None = None
        self.preview: str | None = None
        self.previews = 0
        self._clear()

    @property
    def stages(self) -> list[StageProgress]:
        """The stages in the order in which they were started."""
        return list(self._stages.values())

    @property
    def current(self) -> StageProgress | None:
        """The stage that was heard of last."""
        return self._stages.get(self._last)

    @property
    def finished(self) -> bool:
        """Whether the last that was heard is that the training is complete."""
        return self._last == Stage.FINISHED

    @property
    def started(self) -> bool:
        """Whether anything was ever trained."""
        return bool(self._stages)

    def update(self) -> bool:
        """Take in what has been written since the last call; whether there was anything."""
        identity = _identity(self._path)
        if identity != self._identity:  # a training from scratch writes a new file
            self._clear()
            self._identity = identity
        events = self._reader.new_events()
        for event in events:
            self._take(event)
            self._listener(event)
        return bool(events)

    def events(self) -> list[Event]:
        """The losses of all stages as events, thinned out to what a plot can show."""
        points: dict[tuple[str, int], dict[str, float]] = {}
        for stage in self.stages:
            for name, (steps, values) in stage.losses.items():
                every = -(-len(steps) // MOST_POINTS)
                for step, value in zip(steps[::-every][::-1], values[::-every][::-1], strict=True):
                    points.setdefault((stage.name, step), {})[name] = value
        return [Event(stage, step, self._stages[stage].of, losses=losses) for (stage, step), losses in points.items()]

    def _take(self, event: Event) -> None:
        if event.stage == Stage.CONTINUING:  # from here on another training
            self._stages.clear()
        if starts_anew(event):  # what is done will be told again
            for stage in self._stages.values():
                if stage.name != Stage.CONTINUING:  # told once
                    stage.step, stage.seconds_left = 0, None
        if event.preview is not None:
            self.preview = event.preview
            self.previews += 1
        self._stages.setdefault(event.stage, StageProgress(event.stage)).take(event)
        self._last = event.stage

    def _clear(self) -> None:
        self._stages: dict[str, StageProgress] = {}
        self._last = ""
        self._reader = EventReader(self._path)
        self.preview = None
        self.previews = 0


def _identity(path: Path) -> tuple[int, bytes] | None:
    """Identity of a file among files of the same name; None if there is no file.

    A removed file's place on the disk soon goes to another file, but its first event tells a time.
    """
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_ino, file.readline(_LONGEST_FIRST)
    except FileNotFoundError:
        return None
