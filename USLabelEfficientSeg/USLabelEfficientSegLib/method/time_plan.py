"""How many steps fit into the time that the user gives, on this computer.

Before a training starts, its networks are tried for a few seconds (`speeds`). The steps of all of them are then
multiplied by one factor, so that the whole training lasts as long as it may. If time is short, 2-D networks keep their
steps as far as half of it goes: they learn most in a minute, and undertrained ones would tell nothing about what works.
If the place of organs says so little that they are the whole model, they have the students' time as well. All factors
are kept in the run folder: a training that is resumed has the same steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from ..disk.files import atomic_write_json
from ..disk.json_files import read_json
from ..disk.study_layout import TEACHER_NAME, TIME_PLAN_NAME
from ..errors import InputError
from ..study.coverage import labelled_axes
from ..study.provenance import digest, image_checksums, label_checksums
from ..study.settings import Settings, changed
from ..study.stages import Stage
from ..study.study import Study
from ..training.loop import is_complete
from .cross_fitting import folds_of
from .plan import SHARE_OF_STEPS, labelled_slices
from .run import Run
from .speeds import Speeds, measured_speeds

P = TypeVar("P", bound=BaseModel)
FEWEST, MOST = 0.1, 10.0  # times the steps of the settings
_SCALED = (
    "slice_head.steps",
    "divergence.slice_steps",
    "student.steps",
    "student.steps_per_labelled_slice",
    "student.label_steps",
    "student.label_steps_per_labelled_slice",
)
_SHARE_OF_SLICES = 0.5  # of the time, for 2-D networks that would else have fewer steps than the settings say
_MOST_STEPS, _MOST_STEPS_A_SLICE = 10_000_000, 1_000_000.0  # that settings allow
_HALVINGS = 40
# Measured with the preset quick on one core of a server, where a step of a student takes `_STUDENT_STEP`; other
# computers and presets need as much more, or less, as such a step does.
_STUDENT_STEP, _ALIGNING, _PROPOSING, _CALIBRATING, _HEAD_STEP = 0.033, 0.08, 0.2, 0.1, 0.03
_STARTING = 10.0
_DISTILLED = 1.6  # steps of a supervised student that last as long as one with pseudo-labels and correlations


class TimePlan(BaseModel):
    """The factors of the steps of a training in limited time.

    Attributes:
        images: fingerprint of what the teacher learns from.
        labels: fingerprint of what all else depends on.
        teacher: factor of the ViT's steps, which it keeps when labels change.
        students: factor of the steps of students, and of all else that has no other one.
        slices: factor of the steps of 2-D networks.
        alone: factor of the steps of 2-D networks that are the whole model.
        seconds: that the training is expected to take with students.
        seconds_alone: likewise without.
        speeds: of this computer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    images: str
    labels: str
    teacher: float = Field(ge=FEWEST, le=MOST)
    students: float = Field(ge=FEWEST, le=MOST)
    slices: float = Field(ge=FEWEST, le=MOST)
    alone: float = Field(ge=FEWEST, le=MOST)
    seconds: float = Field(ge=0)
    seconds_alone: float = Field(ge=0)
    speeds: Speeds

    def told(self) -> str:
        """One sentence for events."""
        with_students = f"{self.students:.2g} times the usual steps, about {self.seconds / 60:.2g} min"
        alone = f"{self.alone:.2g} times, about {self.seconds_alone / 60:.2g} min, if 2-D networks suffice"
        return f"{with_students}; {alone}" if self.speeds.slice_step else with_students


@dataclass(frozen=True)
class Work:
    """What takes time in a run, besides the numbers of steps.

    Attributes:
        volumes: their number.
        axes: with a 2-D network each.
        folds: in which 2-D networks are tried on labels left out.
        slices: labelled ones.
        continues: whether students of an earlier model learn on.
    """

    volumes: int
    axes: int
    folds: int
    slices: int
    continues: bool

    @classmethod
    def of(cls, run: Run) -> Work:
        """That of a run."""
        axes = len(labelled_axes(run.study)) if run.settings.slice_network.steps else 0
        folds = len(folds_of(run)) if axes and run.settings.location_prior else 0
        return cls(len(run.volumes), axes, folds, labelled_slices(run.study), run.learnt.model is not None)


def in_time(run: Run) -> Run:
    """The run with the steps that fit into the time of its settings; the same run if these give no time.

    Its settings then hold these steps, and no time: they are what is trained.

    Raises:
        InputError: the plan of an earlier start is damaged.
    """
    if run.settings.minutes is None:
        return run
    plan = time_plan(run)
    run.study.events.emit(Stage.READING_VOLUMES, len(run.volumes), len(run.volumes), message=plan.told())
    settings, alone = (planned(run.settings, plan, students=students) for students in (True, False))
    learnt = run.learnt.plan(settings, labelled_slices(run.study))
    return replace(run, settings=settings, alone=alone, plan=learnt)


def trained_settings(study: Study, settings: Settings, *, students: bool) -> Settings:
    """What a study was trained with that was told `settings`: the same, or with the steps that fitted into their time.

    Args:
        study: its run folder holds the plan.
        settings: of the training.
        students: whether its model has any.

    Raises:
        InputError: the plan is damaged.
    """
    plan = None if settings.minutes is None else kept_plan(study.run_folder / TIME_PLAN_NAME, TimePlan)
    return settings if plan is None else planned(settings, plan, students=students)


def planned(settings: Settings, plan: TimePlan, *, students: bool) -> Settings:
    """Settings with the steps of a plan, with students or with 2-D networks alone."""
    slices = plan.slices if students else plan.alone
    return scaled(settings, students=plan.students, slices=slices, teacher=plan.teacher)


def time_plan(run: Run) -> TimePlan:
    """The plan in the run folder, or a new one for new labels or volumes, which is then kept there."""
    path = run.folder / TIME_PLAN_NAME
    stored = kept_plan(path, TimePlan)
    settings = run.settings.model_dump(mode="json")
    images = digest([settings, image_checksums(run.study)])
    labels = digest([label_checksums(run.study), None if run.learnt.model is None else run.learnt.model.sha256])
    if stored is not None and (stored.images, stored.labels) == (images, labels):
        return stored
    # What has learnt without labels does not learn anew when labels change.
    teacher = stored.teacher if stored is not None and stored.images == images else None
    checkpoint = run.folder / TEACHER_NAME
    speeds = measured_speeds(run, teacher_is_trained=checkpoint.exists() and is_complete(checkpoint))
    plan = fitted(run, speeds, teacher, {"images": images, "labels": labels})
    atomic_write_json(path, plan.model_dump(mode="json"))
    return plan


def fitted(run: Run, speeds: Speeds, teacher: float | None, data: dict[str, Any]) -> TimePlan:
    """The factors with which a run takes the time of its settings.

    Args:
        run: with the steps and the time of its settings.
        speeds: of this computer.
        teacher: factor of the ViT, None if it is that of the others.
        data: fingerprints of images and labels.
    """
    assert run.settings.minutes is not None
    work, given = Work.of(run), 60 * run.settings.minutes

    def with_factors(students: float, slices: float) -> Settings:
        return scaled(run.settings, students=students, slices=slices, teacher=teacher or students)

    def of_slices(factor: float, tried: float | None = None) -> float:
        settings = with_factors(factor, factor)
        return expected_seconds_alone(settings, with_factors(factor, tried or factor), work, speeds)

    assured = min(1.0, factor_for(of_slices, _SHARE_OF_SLICES * given))

    def of_all(factor: float) -> float:
        return expected_seconds(run, with_factors(factor, max(factor, assured)), work, speeds)

    students = factor_for(of_all, given)
    slices = max(students, assured)
    alone = factor_for(lambda factor: of_slices(factor, tried=slices), given)
    return TimePlan(
        **data,
        teacher=teacher or students,
        students=students,
        slices=slices,
        alone=alone,
        seconds=of_all(students),
        seconds_alone=of_slices(alone, tried=slices),
        speeds=speeds,
    )


def factor_for(seconds: Callable[[float], float], given: float) -> float:
    """The largest factor between `FEWEST` and `MOST` with which it takes no longer than given, or `FEWEST`.

    Args:
        seconds: that a training takes with a factor; never fewer with a larger one.
        given: seconds.
    """
    if seconds(MOST) <= given:
        return MOST
    low, high = FEWEST, MOST
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if seconds(middle) <= given else (low, middle)
    return low


def scaled(settings: Settings, *, students: float, slices: float, teacher: float) -> Settings:
    """Settings with as many times the steps, and without a time.

    Args:
        settings: to start from.
        students: factor of the steps of all networks but those below.
        slices: of 2-D networks.
        teacher: of the ViT.
    """
    values: dict[str, Any] = {}
    for name in _SCALED:
        section, field = name.split(".")
        before = getattr(getattr(settings, section), field)
        is_count = isinstance(before, int)
        values[name] = _times(before, students) if is_count else min(_MOST_STEPS_A_SLICE, students * before)
    values["slice_network.steps"] = _times(settings.slice_network.steps, slices)
    values["teacher.steps"] = _times(settings.teacher.steps, teacher)
    return changed(settings, {**values, "minutes": None})


def expected_seconds(run: Run, settings: Settings, work: Work, speeds: Speeds) -> float:
    """What a training takes in which students learn."""
    plan, student = run.learnt.plan(settings, work.slices), settings.student
    rounds = 1 if work.continues else student.rounds
    distilled = _DISTILLED * rounds * plan.distilled.steps
    steps = student.members * (distilled + (plan.supervised.steps if plan.supervised else 0))
    of_teacher = plan.teacher.steps if settings.method == "cross-dimensional" else settings.divergence.slice_steps
    head = 0 if work.continues else settings.slice_head.steps
    return (
        _seconds_of_slices(settings, settings, work, speeds)
        + _pace(settings, speeds) * ((_CALIBRATING + _PROPOSING * rounds) * work.volumes + _HEAD_STEP * head)
        + speeds.teacher_step * of_teacher
        + speeds.student_step * steps
    )


def expected_seconds_alone(settings: Settings, tried: Settings, work: Work, speeds: Speeds) -> float:
    """What a training takes in which 2-D networks are the whole model, after they were `tried` on labels left out."""
    return _seconds_of_slices(settings, tried, work, speeds)


def _seconds_of_slices(settings: Settings, tried: Settings, work: Work, speeds: Speeds) -> float:
    """Reading, alignment, 2-D networks, their votes and the calibration."""
    aligning = _ALIGNING * (1 + work.folds) if settings.location_prior and settings.alignment else 0
    steps = settings.slice_network.steps + work.folds * math.ceil(SHARE_OF_STEPS * tried.slice_network.steps)
    readings = 1 + (2 * work.axes + 1 if work.axes else 0)  # sizes, slices; votes
    of_volume = readings * speeds.reading + speeds.slice_vote + _pace(settings, speeds) * (aligning + _CALIBRATING)
    return _STARTING + work.volumes * of_volume + steps * speeds.slice_step


def _pace(settings: Settings, speeds: Speeds) -> float:
    """How much longer than `_STUDENT_STEP` a student's step takes for each volume that it sees."""
    return speeds.student_step / settings.student.batch_size / _STUDENT_STEP


def _times(steps: int, factor: float) -> int:
    return min(_MOST_STEPS, math.ceil(factor * steps))


def kept_plan(path: Path, kind: type[P]) -> P | None:
    """The plan in a file, None if there is none.

    Raises:
        InputError: it is damaged, and with other steps nothing could be resumed.
    """
    try:
        return kind.model_validate(read_json(path))
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise InputError(
            path, "is damaged", "use --restart to train anew", in_panel="train it anew with another preset"
        ) from error
