"""The stages of a training: their names in files, on the command line and for people.

A stage that is done several times has numbers: "student 2.1" is the first student of the second round. Events and
checkpoints hold these names, and random numbers follow from them: they never change.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

CONTINUED = 0  # the round of students that learn on from an earlier model
_CONTINUED_NAME = "continued"


class Stage(StrEnum):
    """The stages of a training in their order; the value is the name in files."""

    CONTINUING = "continuing"
    READING_VOLUMES = "reading volumes"
    READING_IMAGES = "reading images"
    ALIGNMENT = "alignment"
    CROSS_FITTING = "cross-fitting"
    SLICE_NETWORK = "slice network"
    SLICE_VOTES = "slice votes"
    TEACHER = "teacher"
    SLICE_HEAD = "slice head"
    DIVERGENCE = "divergence"
    PSEUDO_LABELS = "pseudo-labels"
    STUDENT = "student"
    SUPERVISED = "labels alone"
    CALIBRATION = "calibration"
    MEASURING = "measuring"
    FINISHED = "finished"

    @property
    def display_name(self) -> str:
        """What is done, in words of the user."""
        return _TITLES[self]

    @classmethod
    def _missing_(cls, value: object) -> Stage | None:
        """The stage of an option."""
        return next((stage for stage in cls if stage.option == value), None)

    @property
    def option(self) -> str:
        """Its name on the command line."""
        return self.replace(" ", "-")


_TITLES = {
    Stage.CONTINUING: "Continuing from the current model",
    Stage.READING_VOLUMES: "Reading the volumes",
    Stage.READING_IMAGES: "Reading the images",
    Stage.ALIGNMENT: "Lining the volumes up",
    Stage.CROSS_FITTING: "Testing on slices left out",
    Stage.SLICE_NETWORK: "Learning in 2-D",
    Stage.SLICE_VOTES: "Segmenting all slices",
    Stage.TEACHER: "Studying all slices, without labels",
    Stage.SLICE_HEAD: "Learning from your labels",
    Stage.DIVERGENCE: "A network and its partner teach each other",
    Stage.PSEUDO_LABELS: "Proposing labels for all slices",
    Stage.STUDENT: "Learning in 3-D",
    Stage.SUPERVISED: "Learning in 3-D from your labels alone",
    Stage.CALIBRATION: "Checking how sure it may be",
    Stage.MEASURING: "Measuring",
    Stage.FINISHED: "Finished",
}
_NUMBERED = re.compile(r"(.+?) (?:(\d{1,9}|continued)(?:\.(\d{1,9}))?)")


class NumberedStage(NamedTuple):
    """A stage, and which of several: its `round`, `CONTINUED` where students learn on, and its `member`, from 1.

    Example::

        >>> str(NumberedStage(Stage.STUDENT, round=2, member=1))
        'student 2.1'
        >>> NumberedStage.named("student 2.1").round
        2
        >>> NumberedStage.named("student 2.1").display_name()
        'Learning in 3-D, round 2'
    """

    stage: Stage
    round: int | None = None
    member: int | None = None

    @classmethod
    def named(cls, name: str) -> NumberedStage | None:
        """What a name in an event means; None where it is no stage of a training."""
        if name in set(Stage):
            return cls(Stage(name))
        found = _NUMBERED.fullmatch(name)
        if found is None or found[1] not in set(Stage):
            return None
        stage = Stage(found[1])
        if stage in (Stage.SUPERVISED, Stage.SLICE_NETWORK, Stage.CROSS_FITTING):
            return cls(stage, member=int(found[2])) if found[2].isdigit() and found[3] is None else None
        return cls(stage, _round(found[2]), None if found[3] is None else int(found[3]))

    def __str__(self) -> str:
        """The name in events."""
        numbers = "" if self.round is None else round_name(self.round)
        if self.member is not None:
            numbers += f".{self.member}" if numbers else f"{self.member}"
        return f"{self.stage} {numbers}" if numbers else str(self.stage)

    def display_name(self, translated: Callable[[str], str] = str) -> str:
        """What is done, in words of the user."""
        words = translated(self.stage.display_name)
        if self.stage is Stage.PSEUDO_LABELS and self.round is not None:
            words = translated("Improving the proposals")
        elif self.stage is Stage.STUDENT and self.round == CONTINUED:
            words = translated("Learning on in 3-D")
        elif self.stage is Stage.STUDENT and self.round is not None:
            words += translated(", round {number}").format(number=self.round)
        several = self.member is not None and self.member > 1
        return words + translated(", network {number}").format(number=self.member) if several else words


def stage_title(name: str, translated: Callable[[str], str] = str) -> str:
    """The title of an event's work in words of the user; work outside a training keeps its name."""
    found = NumberedStage.named(name)
    return name[:1].upper() + name[1:] if found is None else found.display_name(translated)


def round_name(number: int) -> str:
    """A round as names of stages, files and random numbers have it."""
    return _CONTINUED_NAME if number == CONTINUED else f"{number}"


def _round(name: str) -> int:
    return CONTINUED if name == _CONTINUED_NAME else int(name)
