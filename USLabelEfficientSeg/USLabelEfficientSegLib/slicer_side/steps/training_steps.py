"""A training as the panel tells it: one total, and a few steps, of which each holds several stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from slicer.i18n import tr as _

from ...study.events import Event, starts_anew
from ...study.stages import Stage
from ...study.total_progress import Plan, TotalProgress
from ...text.durations import duration
from .training_monitor import StageProgress

State = Literal["waiting", "current", "done", "skipped"]

_SIGNS = {"waiting": "○", "current": "▶", "done": "✓", "skipped": "–"}
_STAGES = (
    (Stage.CONTINUING, Stage.READING_VOLUMES, Stage.READING_IMAGES, Stage.ALIGNMENT),
    (Stage.CROSS_FITTING, Stage.SLICE_NETWORK, Stage.SLICE_VOTES),
    (Stage.TEACHER, Stage.SLICE_HEAD, Stage.DIVERGENCE),
    (Stage.PSEUDO_LABELS, Stage.STUDENT, Stage.SUPERVISED),
    (Stage.CALIBRATION, Stage.MEASURING),
)
_STUDENTS = _STAGES[3]  # it turns out on the way whether they are needed


@dataclass(frozen=True)
class TrainingStep:
    """One step of a training.

    Attributes:
        name: in words of the user.
        starts: the share of the whole work that comes before it, from 0 to 1.
        share: its own.
        state: "skipped" if it turned out not to be needed.
    """

    name: str
    starts: float
    share: float
    state: State

    def line(self, number: int) -> str:
        """For the list under the bar."""
        text = f"{_SIGNS[self.state]} {number} {self.name}"
        return text if self.state != "skipped" else text + ": " + _("not needed here")


def step_names() -> list[str]:
    """The names of all possible steps, in their order."""
    return [
        _("Reading"), _("Learning in 2-D"), _("Studying all slices"), _("Learning in 3-D"), _("Checking"),
    ]  # fmt: skip


def training_steps(plan: Plan, stages: Sequence[StageProgress], finished: bool) -> list[TrainingStep]:
    """The steps of a planned training, with their states.

    Args:
        plan: stages in their order, with the share of each in the work, in any unit.
        stages: those that were heard of.
        finished: the training is done to the end.
    """
    whole = sum(share for _stage, share in plan) or 1.0
    shares = [sum(share for stage, share in plan if stage.stage in own) / whole for own in _STAGES]
    heard = [[stage for stage in stages if stage.stage in own and stage.step > 0] for own in _STAGES]
    # Students of labels alone may learn beside anything: they do not tell that what comes before them is over.
    in_turn = [number for number, own in enumerate(heard) if any(stage.stage is not Stage.SUPERVISED for stage in own)]
    last = len(_STAGES) if finished else max(in_turn, default=-1)
    steps, starts = [], 0.0
    for number, (name, share) in enumerate(zip(step_names(), shares, strict=True)):
        if share > 0:
            steps.append(TrainingStep(name, starts, share, _state(number, heard[number], last)))
        starts += share
    return steps


def _state(number: int, heard: Sequence[StageProgress], last: int) -> State:
    if heard:
        over = number < last and all(stage.done for stage in heard)
        return "done" if over else "current"
    return "skipped" if number < last else "waiting"


class TrainingTotal:
    """The total of a training, from its events.

    Args:
        plan: as the training was planned before its start.
    """

    def __init__(self, plan: Plan = ()) -> None:
        self.plan = plan
        self._total = TotalProgress(plan)
        self._undecided = any(stage.stage in _STUDENTS for stage, _share in plan)

    def take(self, event: Event) -> None:
        """Take an event up."""
        self._total(event)
        if starts_anew(event):
            self._undecided = any(stage.stage in _STUDENTS for stage, _share in self.plan)
        stage = None if event.numbered is None else event.numbered.stage
        if stage is not Stage.SUPERVISED and any(stage in own for own in (_STUDENTS, _STAGES[-1])):
            self._undecided = False

    @property
    def percent(self) -> int:
        """How much is done."""
        return int(100 * self._total.share)

    def told(self, running: bool) -> str:
        """What the bar says."""
        percent = f"{self.percent} %"
        if self.percent >= 100:
            return _("Total: done")
        if not running:
            return _("Total {percent}, stopped").format(percent=percent)
        left = self._total.seconds_left
        if left is None:
            return _("Total {percent}").format(percent=percent)
        text = _("Total {percent}, at most {time} left") if self._undecided else _("Total {percent}, {time} left")
        return text.format(percent=percent, time=duration(left))
