"""The stages of a training and the time of each, for the line *Total* and an estimate beforehand.

The seconds were measured with the preset quick on one core of a server processor, see `training_time`. For other
presets they only tell how the time is shared between the stages.
"""

from ..disk.study_layout import MODEL_NAME
from ..method.pair_teacher import SECONDS_A_STEP
from ..method.plan import labelled_slices, training_plan
from ..method.slice_teacher import SLICE_TEACHERS
from ..study.settings import Settings
from ..study.stages import CONTINUED, NumberedStage, Stage
from ..study.study import Study

_READING, _ALIGNING, _PROPOSING, _CALIBRATING = 0.4, 0.4, 0.3, 0.1  # a volume
_STUDENT_STEP = 0.033
_CONTINUED_IMAGES = 1 / 3  # of the steps of networks that learn on


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
            (NumberedStage(Stage.DIVERGENCE), steps * SECONDS_A_STEP),
            (NumberedStage(Stage.MEASURING), 0.1 * count),
        ]
    reading = [
        (NumberedStage(Stage.READING_VOLUMES), _READING * count),
        (NumberedStage(Stage.ALIGNMENT), _ALIGNING * count),
    ]
    durations = SLICE_TEACHERS[settings.method].seconds(settings)
    teacher = [(NumberedStage(stage), seconds) for stage, seconds in durations.items()]
    if until is Stage.TEACHER:
        return [*reading[:1], *teacher[:1]]
    before = [*reading, *teacher]
    if until is Stage.SLICE_HEAD:
        return before
    before.append((NumberedStage(Stage.PSEUDO_LABELS), _PROPOSING * count))
    if until is Stage.PSEUDO_LABELS:
        return before
    return [*before, *_students(study, settings), (NumberedStage(Stage.CALIBRATION), _CALIBRATING * count)]


def _students(study: Study, settings: Settings) -> list[tuple[NumberedStage, float]]:
    student, on = settings.student, (study.run_folder / MODEL_NAME).exists()  # or nothing is left to be done
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
