"""The stages of a training and the time of each, for the line *Total* and an estimate beforehand.

The seconds were measured with the preset quick on one core of a server processor, see `training_time`. For other
presets they only tell how the time is shared between the stages. Imports nothing heavy: the panel plans, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from ..disk.study_layout import MODEL_NAME
from ..errors import InputError
from ..segmentation.model_header import read_voters
from ..study.coverage import labelled_axes, volumes_with_organs
from ..study.settings import MethodName, Settings
from ..study.stages import CONTINUED, NumberedStage, Stage
from ..study.study import Study
from ..study.training_time import SECONDS_A_SLICE_STEP, SECONDS_A_SLICE_VOTE, share_of_usual
from .plan import FOLDS, SHARE_OF_STEPS, labelled_slices, training_plan

_READING, _ALIGNING, _PROPOSING, _CALIBRATING = 0.4, 0.4, 0.3, 0.1  # a volume
_STUDENT_STEP, _VIT_STEP, _HEAD_STEP, _PAIR_STEP = 0.033, 0.15, 0.03, 0.3
_CONTINUED_IMAGES = 1 / 3  # of the steps of networks that learn on


def planned_stages(
    study: Study,
    settings: Settings,
    until: Stage = Stage.STUDENT,
    slice_pixels: Mapping[int, float] | None = None,
) -> list[tuple[NumberedStage, float]]:
    """Stages in their order with seconds, up to and including `until`.

    Args:
        study: its volumes, labelled slices, and whether it has a model that the training continues from.
        settings: of the training.
        until: the last stage, as of `uslabelseg train --stage`.
        slice_pixels: of a slice along each labelled axis, see `shown_slices`; as usual where it is not told.
    """
    count = len(study.cases)
    if study.dimension == 2:
        learns_on = (study.run_folder / MODEL_NAME).exists()  # or nothing is left to be done
        steps = settings.divergence.steps * (_CONTINUED_IMAGES if learns_on else 1)
        return [
            (NumberedStage(Stage.READING_IMAGES), 0.01 * count),
            (NumberedStage(Stage.DIVERGENCE), steps * _PAIR_STEP),
            (NumberedStage(Stage.MEASURING), 0.1 * count),
        ]
    reading = [
        (NumberedStage(Stage.READING_VOLUMES), _READING * count),
        (NumberedStage(Stage.ALIGNMENT), _ALIGNING * count),
    ]
    durations = _TEACHER_SECONDS[settings.method](settings)
    teacher = [(NumberedStage(stage), seconds) for stage, seconds in durations.items()]
    if until is Stage.TEACHER:
        return [*reading[:1], *teacher[:1]]
    if until is Stage.SLICE_HEAD:
        return [*reading, *teacher]
    on_slices = _slice_networks(study, settings, slice_pixels or {})
    if on_slices and not _location_may_help(study, settings):
        return [*reading, *on_slices, (NumberedStage(Stage.CALIBRATION), _CALIBRATING * count)]
    before = [*reading, *on_slices, *teacher]
    before.append((NumberedStage(Stage.PSEUDO_LABELS), _PROPOSING * count))
    if until is Stage.PSEUDO_LABELS:
        return before
    return [*before, *_students(study, settings), (NumberedStage(Stage.CALIBRATION), _CALIBRATING * count)]


def _seconds_of_vit(settings: Settings) -> dict[Stage, float]:
    return {Stage.TEACHER: _VIT_STEP * settings.teacher.steps, Stage.SLICE_HEAD: _HEAD_STEP * settings.slice_head.steps}


def _seconds_of_pair(settings: Settings) -> dict[Stage, float]:
    return {Stage.DIVERGENCE: _PAIR_STEP * settings.divergence.slice_steps}


_TEACHER_SECONDS: Mapping[MethodName, Callable[[Settings], dict[Stage, float]]] = {
    "cross-dimensional": _seconds_of_vit,
    "information-divergence": _seconds_of_pair,
}  # a further `SliceTeacher` has a line here, too


def _slice_networks(
    study: Study, settings: Settings, slice_pixels: Mapping[int, float]
) -> list[tuple[NumberedStage, float]]:
    """2-D networks that learn without some labels to tell what works, those that learn from all, and their votes."""
    steps = settings.slice_network.steps
    if not steps or not labelled_axes(study):
        return []
    shares = [share_of_usual(slice_pixels.get(axis)) for axis in sorted(labelled_axes(study))]

    def networks(stage: Stage, folds: int, steps: float) -> list[tuple[NumberedStage, float]]:
        each = shares * folds
        return [
            (NumberedStage(stage, member=member), steps * SECONDS_A_SLICE_STEP * share)
            for member, share in enumerate(each, start=1)
        ]

    return [
        *networks(Stage.CROSS_FITTING, _folds(study, settings), SHARE_OF_STEPS * steps),
        *networks(Stage.SLICE_NETWORK, 1, steps),
        (NumberedStage(Stage.SLICE_VOTES), SECONDS_A_SLICE_VOTE * sum(shares) * len(study.cases)),
    ]


def _folds(study: Study, settings: Settings) -> int:
    """How many parts of the labelled volumes are left out in turn."""
    showing = volumes_with_organs(study)
    return min(FOLDS, showing) if showing > 1 and settings.location_prior else 0


def _location_may_help(study: Study, settings: Settings) -> bool:
    """Whether there may be students beside 2-D networks: not if one of several volumes alone shows an organ."""
    return settings.location_prior and (volumes_with_organs(study) > 1 or len(study.cases) == 1)


def _students(study: Study, settings: Settings) -> list[tuple[NumberedStage, float]]:
    """The students, which learn only where it helps to know where organs lie."""
    student, on = settings.student, _has_students(study)  # or nothing is left to be done
    plan = training_plan(settings, labelled_slices(study), distilled_learn_on=on, supervised_learn_on=on)

    def members(stage: Stage, steps: int, round: int | None = None) -> list[tuple[NumberedStage, float]]:
        numbers = range(1, student.members + 1)
        return [(NumberedStage(stage, round, member), steps * _STUDENT_STEP) for member in numbers]

    stages = members(Stage.STUDENT, plan.distilled.steps, CONTINUED if on else 1)
    if plan.supervised is not None:
        stages += members(Stage.SUPERVISED, plan.supervised.steps)
    for number in range(2, 1 if on else student.rounds + 1):
        stages.append((NumberedStage(Stage.PSEUDO_LABELS, number), _PROPOSING * len(study.cases)))
        stages += members(Stage.STUDENT, plan.distilled.steps, number)
    return stages


def _has_students(study: Study) -> bool:
    """Whether the study has a model whose 3-D students learn on; of a damaged one the training itself will tell."""
    with suppress(InputError):
        voters = read_voters(study.run_folder / MODEL_NAME)
        return voters is not None and voters.students > 0
    return False
