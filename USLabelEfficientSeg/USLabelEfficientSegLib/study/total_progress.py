"""How far a whole training is, from the events of its stages, and how long the rest takes."""

from __future__ import annotations

from collections.abc import Sequence

from .events import ALREADY_TRAINED, Event, starts_anew
from .stages import NumberedStage, Stage

Plan = Sequence[tuple[NumberedStage, float]]  # stages in their order, with how much of the whole work each is

_BESIDE = (Stage.SLICE_NETWORK, Stage.CROSS_FITTING, Stage.SUPERVISED)  # may learn beside the stages before them
_LEAST_SHARE, _LEAST_SECONDS = 0.02, 5.0  # before that the rest cannot be estimated


class TotalProgress:
    """How much of the planned work is done, and how long the rest takes at the speed since the last start.

    Example::

        >>> total = TotalProgress([(NumberedStage(Stage.TEACHER), 30.0), (NumberedStage(Stage.CALIBRATION), 10.0)])
        >>> total(Event("teacher", 1, 2))
        >>> total.share
        0.375

    Args:
        plan: stages in their order, with the share of each in the work, in any unit.
    """

    def __init__(self, plan: Plan) -> None:
        self.known = bool(plan)
        self._plan = dict(plan)
        self._done: dict[NumberedStage, float] = {}
        self._start: tuple[float, float] | None = None
        self._now = 0.0

    def __call__(self, event: Event) -> None:
        """Take an event up; earlier stages without events were done by an earlier start, or are not needed."""
        if starts_anew(event):
            self._done.clear()
            self._start = None
        found = event.numbered
        if event.stage == Stage.FINISHED:
            self._done = dict.fromkeys(self._plan, 1.0)
        elif found in self._plan:
            for stage in self._plan:
                if stage == found or found.stage in _BESIDE:
                    break
                self._done.setdefault(stage, 1.0)
            self._done[found] = min(1.0, event.step / max(event.of, 1))
        self._now = event.time
        if self._start is None or event.message == ALREADY_TRAINED:  # what is found done tells nothing of the speed
            self._start = (event.time, self.share)

    @property
    def share(self) -> float:
        """From 0 to 1."""
        weights = sum(self._plan.values()) or 1.0
        return sum(self._plan[stage] * done for stage, done in self._done.items()) / weights

    @property
    def seconds_left(self) -> float | None:
        """None as long as too little is done to tell."""
        if self._start is None:
            return None
        began, share = self._start
        seconds, gained = self._now - began, self.share - share
        if seconds < _LEAST_SECONDS or gained < _LEAST_SHARE:
            return None
        return seconds * (1 - self.share) / gained
