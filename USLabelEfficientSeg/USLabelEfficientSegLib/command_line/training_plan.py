"""The stages of a training and the time of each, for the line *Total* and an estimate beforehand.

The seconds were measured with the preset quick on one core of a server processor, see `training_time`. For other
presets they only tell how the time is shared between the stages.
"""

from ..disk.study_layout import MODEL_NAME
from ..study.settings import Settings
from ..study.stages import CONTINUED, NumberedStage, Stage
from ..study.study import Study

_READING, _ALIGNING, _PROPOSING, _CALIBRATING = 0.4, 0.4, 0.3, 0.1  # a volume
_TEACHER_STEP, _HEAD_STEP, _PAIR_STEP, _STUDENT_STEP = 0.15, 0.03, 0.3, 0.033
_FEWEST_STUDENT_STEPS = 150
_CONTINUED, _CONTINUED_ALONE, _CONTINUED_IMAGES = 0.5, 0.125, 1 / 3  # of the steps of networks that learn on


def planned_stages(study: Study, settings: Settings, until: Stage = Stage.STUDENT) -> list[tuple[NumberedStage, float]]:
    """Stages in their order with seconds, up to and including `until`.

    Args:
        study: its volumes, labelled slices, and whether it has a model that the training continues from.
        settings: of the training.
        until: the last stage, as of `uslabelseg train --stage`.
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
    if settings.method == "cross-dimensional":
        teacher = [(NumberedStage(Stage.TEACHER), settings.teacher.steps * _TEACHER_STEP)]
        head = [(NumberedStage(Stage.SLICE_HEAD), settings.slice_head.steps * _HEAD_STEP)]
    else:
        teacher, head = [(NumberedStage(Stage.DIVERGENCE), settings.divergence.slice_steps * _PAIR_STEP)], []
    if until is Stage.TEACHER:
        return [*reading[:1], *teacher]
    before = [*reading, *teacher, *head]
    if until is Stage.SLICE_HEAD:
        return before
    before.append((NumberedStage(Stage.PSEUDO_LABELS), _PROPOSING * count))
    if until is Stage.PSEUDO_LABELS:
        return before
    return [*before, *_students(study, settings), (NumberedStage(Stage.CALIBRATION), _CALIBRATING * count)]


def _students(study: Study, settings: Settings) -> list[tuple[NumberedStage, float]]:
    student = settings.student
    slices = sum(len(case.labels.slices) for case in study.cases if case.labels is not None)

    def seconds(steps: int, per_slice: float) -> float:
        fewer = max(_FEWEST_STUDENT_STEPS, per_slice * slices) if per_slice else steps
        return min(steps, fewer) * _STUDENT_STEP

    def members(stage: Stage, seconds: float, round: int | None = None) -> list[tuple[NumberedStage, float]]:
        return [(NumberedStage(stage, round, member), seconds) for member in range(1, student.members + 1)]

    taught = seconds(student.steps, student.steps_per_labelled_slice)
    alone = seconds(student.label_steps, student.label_steps_per_labelled_slice)
    if (study.run_folder / MODEL_NAME).exists():  # it learns on, or nothing is left to be done
        on = members(Stage.STUDENT, taught * _CONTINUED, CONTINUED)
        return [*on, *members(Stage.LABELS_ALONE, alone * _CONTINUED_ALONE)]
    stages = members(Stage.STUDENT, taught, 1)
    if slices >= student.label_steps_from and student.label_steps:
        stages += members(Stage.LABELS_ALONE, alone)
    for number in range(2, student.rounds + 1):
        stages.append((NumberedStage(Stage.PSEUDO_LABELS, number), _PROPOSING * len(study.cases)))
        stages += members(Stage.STUDENT, taught, number)
    return stages
