"""The stages of a training, with how much of its time each takes, for the line *Total* and an estimate beforehand.

The seconds are those of the preset quick on one core of a server processor, see `training_time`. For other presets they
only tell how the time is shared between the stages.
"""

from ..study.settings import Settings
from ..study.study import MODEL_NAME, Study

_READING, _ALIGNING, _PROPOSING, _CALIBRATING = 0.4, 0.4, 0.3, 0.1  # a volume
_TEACHER_STEP, _HEAD_STEP, _PAIR_STEP, _STUDENT_STEP = 0.15, 0.03, 0.3, 0.033
_FEWEST_STUDENT_STEPS = 150
_CONTINUED, _CONTINUED_ALONE = 0.5, 0.125  # of the steps of students that learn on


def planned_stages(study: Study, settings: Settings, until: str = "student") -> list[tuple[str, float]]:
    """Stages in their order with seconds, under the names of their events; of those that come before `until` or are it.

    Args:
        study: its volumes, labelled slices, and whether it has a model that the training continues from.
        settings: of the training.
        until: the last stage, as of `uslabelseg train --stage`.
    """
    count = len(study.cases)
    if study.dimension == 2:
        rounds = settings.divergence.steps * settings.divergence.rounds * _PAIR_STEP
        return [("reading images", 0.01 * count), ("divergence", rounds), ("measuring", 0.1 * count)]
    reading = [("reading volumes", _READING * count), ("alignment", _ALIGNING * count)]
    if settings.method == "cross-dimensional":
        teacher = [("teacher", settings.teacher.steps * _TEACHER_STEP)]
        head = [("slice head", settings.slice_head.steps * _HEAD_STEP)]
    else:
        teacher, head = [("divergence", settings.divergence.slice_steps * _PAIR_STEP)], []
    if until == "teacher":
        return [*reading[:1], *teacher]
    before = [*reading, *teacher, *head]
    if until == "slice-head":
        return before
    before.append(("pseudo-labels", _PROPOSING * count))
    return before if until == "pseudo-labels" else [*before, *_students(study, settings), _calibration(count)]


def _students(study: Study, settings: Settings) -> list[tuple[str, float]]:
    student = settings.student
    slices = sum(len(case.labels.slices) for case in study.cases if case.labels is not None)
    members = range(1, student.members + 1)

    def seconds(steps: int, per_slice: float) -> float:
        fewer = max(_FEWEST_STUDENT_STEPS, per_slice * slices) if per_slice else steps
        return min(steps, fewer) * _STUDENT_STEP

    taught = seconds(student.steps, student.steps_per_labelled_slice)
    alone = seconds(student.label_steps, student.label_steps_per_labelled_slice)
    if (study.run_folder / MODEL_NAME).exists():  # it learns on, or nothing is left to be done
        on = [(f"student continued.{member}", taught * _CONTINUED) for member in members]
        return [*on, *((f"labels alone {member}", alone * _CONTINUED_ALONE) for member in members)]
    stages = [(f"student 1.{member}", taught) for member in members]
    if slices >= student.label_steps_from and student.label_steps:
        stages += [(f"labels alone {member}", alone) for member in members]
    for number in range(2, student.rounds + 1):
        stages.append((f"pseudo-labels {number}", _PROPOSING * len(study.cases)))
        stages += [(f"student {number}.{member}", taught) for member in members]
    return stages


def _calibration(count: int) -> tuple[str, float]:
    return "calibration", _CALIBRATING * count
