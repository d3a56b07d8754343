"""Dice against training time: held-out cases are segmented a few times while a method is trained, off the clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ..disk.files import atomic_write_json
from ..segmentation.model import SegmentationModel
from .clock import Stopwatch
from .results import CurvePoint

SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)


class CurveRecorder:
    """Measures Dice each time that another of `SHARES` of a stage is done.

    Args:
        path: JSON, where the points are kept; a run that is continued goes on from there.
        watch: the run's time; it stands still while Dice is measured.
        dice_of: mean Dice of a model on the held-out cases.
    """

    def __init__(self, path: Path, watch: Stopwatch, dice_of: Callable[[SegmentationModel], float]) -> None:
        self._path, self._watch, self._dice_of = path, watch, dice_of
        self.points = read_curve(path)

    def __call__(self, stage: str, share: float, model: Callable[[], SegmentationModel]) -> None:
        """Call it after every step with the finished share of the stage and a function that gives the present model."""
        measured = max((point.share for point in self.points if point.stage == stage), default=0.0)
        due = [mark for mark in SHARES if measured < mark <= share]
        if not due:
            return
        seconds = self._watch.seconds
        with self._watch.paused():
            self.points.append(CurvePoint(stage, due[-1], seconds, self._dice_of(model())))
            atomic_write_json(self._path, [asdict(point) for point in self.points])


def read_curve(path: Path) -> list[CurvePoint]:
    """The points so far."""
    if not path.exists():
        return []
    return [CurvePoint(**point) for point in json.loads(path.read_text(encoding="utf-8"))]
