"""How long each network of a study is trained: the settings, cut to the labels and to earlier training.

Imports nothing heavy: the command line tells beforehand what a training will do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..study.setting_sections import StudentSettings, TeacherSettings
from ..study.settings import Settings
from ..study.study import Study

FEWEST_STUDENT_STEPS = 150
CONTINUED_SHARE = 0.5  # of the steps, where the weights are those of an earlier training
CONTINUED_SUPERVISED_SHARE = 0.125  # likewise, of supervised students, which learn long
FOLDS = 3  # of the labelled volumes, for cross-fitting
SHARE_OF_STEPS = 0.25  # of the final 2-D networks', in cross-fitting: enough to compare
CONTINUED_LEARNING_RATE = 0.3  # of the students', which a larger one would lead away from what they know


@dataclass(frozen=True)
class TrainingPlan:
    """Settings of the networks, with the steps that they are trained.

    Attributes:
        teacher: of the ViT.
        distilled: of each distilled student.
        supervised: of each supervised student; None: there are too few labels for any.
    """

    teacher: TeacherSettings
    distilled: StudentSettings
    supervised: StudentSettings | None


def training_plan(
    settings: Settings,
    slices: int,
    *,
    teacher_learns_on: bool = False,
    distilled_learn_on: bool = False,
    supervised_learn_on: bool = False,
) -> TrainingPlan:
    """The networks to train, and how long.

    Args:
        settings: of the training.
        slices: labelled ones in all volumes; with few, fewer steps prevent overfitting.
        teacher_learns_on, distilled_learn_on, supervised_learn_on: whether the networks were trained before.
    """
    teacher, student = settings.teacher, settings.student
    if teacher_learns_on:
        teacher = teacher.model_copy(update={"steps": _share_of(teacher.steps)})
    steps = _at_most(student.steps, student.steps_per_labelled_slice, slices)
    distilled = student.model_copy(update={"steps": steps})
    if distilled_learn_on:
        rate = CONTINUED_LEARNING_RATE * student.learning_rate
        distilled = student.model_copy(update={"steps": _share_of(steps), "learning_rate": rate})
    label_steps = _at_most(student.label_steps, student.label_steps_per_labelled_slice, slices)
    if slices < student.label_steps_from or not label_steps:
        return TrainingPlan(teacher, distilled, None)
    supervised = student
    if supervised_learn_on:
        supervised, label_steps = distilled, math.ceil(CONTINUED_SUPERVISED_SHARE * label_steps)
    return TrainingPlan(teacher, distilled, supervised.model_copy(update={"steps": label_steps}))


def labelled_slices(study: Study) -> int:
    """How many there are in all volumes."""
    return sum(len(case.labels.slices) for case in study.cases if case.labels is not None)


def _at_most(steps: int, per_labelled_slice: float, slices: int) -> int:
    if not per_labelled_slice:
        return steps
    return min(steps, max(FEWEST_STUDENT_STEPS, round(per_labelled_slice * slices)))


def _share_of(steps: int) -> int:
    return max(1, round(CONTINUED_SHARE * steps))
