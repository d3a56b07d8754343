"""The method on one page: 2-D networks on slices, and 3-D students that start from where organs lie.

Labelled slices that are left out tell how much each counts. A 2-D teacher that learns from all slices guides the
students: the five stages of CDKD, "Learning 3-D Ultrasound Segmentation under Extreme Label Deficiency", Zhang, Qin,
Zhu, Ban, Anthony, Ultrasound in Medicine & Biology 2026, doi 10.1016/j.ultrasmedbio.2025.12.014; for its teacher see
`method.vit_teacher`. With the method `information-divergence` the teacher is IDL's, see `method.pair_teacher`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from .disk.study_layout import FIRST_MODEL_NAME, MODEL_NAME
from .method.calibrating import calibrated, scaled
from .method.candidates import with_slice_networks
from .method.cleaning import model_of_cleaned
from .method.opening import check_trainable, opened
from .method.pseudo_labelling import pseudo_labelled, renewed
from .method.run import Observer, Run, Stages, walk
from .method.slice_teacher import SLICE_TEACHERS
from .method.students import distilled_students, earlier_students, offer_supervised_students, supervised_students
from .method.voting import Students, voting_model
from .segmentation.model import SegmentationModel
from .study.settings import Settings
from .study.stages import CONTINUED, Stage
from .study.study import Study
from .study.waiting_labels import take_waiting
from .training.memory import computing_alike
from .training.processors import Processors


@computing_alike()
def train(
    study: Study,
    settings: Settings,
    device: torch.device,
    *,
    devices: int = 1,
    until: Stage | str = Stage.STUDENT,
    restart: bool = False,
    from_teacher: bool = False,
    cancelled: Callable[[], bool] | None = None,
    observer: Observer | None = None,
    without_examples: bool = False,
    processors: Processors | None = None,
) -> SegmentationModel | None:
    """Train a study, or go on with its training: every stage resumes from its files in the study's run folder.

    A study with a model continues from it if there are labels or volumes that the model has not seen.

    Args:
        study: volumes and sparse labels.
        settings: see `study.settings`.
        device: where networks are trained.
        devices: how many of them train the ViT, and each student, together, each with a share of every batch; with more
            than one a script needs `if __name__ == "__main__"`, and there is no live preview.
        until: the last stage to do: teacher, slice head, pseudo-labels or student.
        restart: forget what earlier runs left.
        from_teacher: forget what earlier runs have learnt from labels, instead of continuing from their model.
        cancelled: asked after every step; the stage saves its state and raises `Cancelled`.
        observer: called after every step of a student or final 2-D network with the stage, its finished share, and a
            function that gives the present model; it must not change the model. Only with one device.
        without_examples: train even if no labelled slice shows some organ, which then cannot be learnt.
        processors: tells how many processes there may be: independent students learn side by side on a CPU, with a
            thread each. None: all is done in this process. The weights are the same. An observer cannot follow other
            processes, and a script needs `if __name__ == "__main__"`.

    Returns:
        The model, which lies in the study as well; None if `until` is an earlier stage.

    Raises:
        InputError: no labelled slice, or none of an organ, a run with other settings, a damaged file, a full disk, or a
            stage that the method does not have; or several devices that are not available, see `check_devices`.
        ValueError: an observer of several devices.

    Examples:
        >>> from pathlib import Path
        >>> from USLabelEfficientSegLib.study.settings import changed, preset
        >>> from USLabelEfficientSegLib.study.study import Study
        >>> study = Study.create(
        ...     Path("new-study"), Path("images"), Path("labels"), organs=["solid", "fluid"], label_fraction=0.2
        ... )
        >>> steps = {"teacher.steps": 2, "slice_head.steps": 2, "student.steps": 2, "student.label_steps": 0}
        >>> in_seconds = {**steps, "slice_network.steps": 2, "teacher.slice_size": 32, "student.rounds": 1}
        >>> model = train(study, changed(preset("quick"), in_seconds), torch.device("cpu"))
        >>> model.organs
        ('solid', 'fluid')
    """
    last = Stage(until)
    take_waiting(study)
    check_trainable(study, settings, last)
    if last is Stage.STUDENT and not (restart or from_teacher):
        with study.lock():
            model = model_of_cleaned(study, settings)
        if isinstance(model, SegmentationModel):
            return model
    with opened(
        study,
        settings,
        device,
        last,
        devices=devices,
        restart=restart,
        from_teacher=from_teacher,
        cancelled=cancelled,
        observer=observer,
        without_examples=without_examples,
        processors=processors,
    ) as run:
        if last in SLICE_TEACHERS[settings.method].stages:
            return walk(taught_slices(run), last)
        before = earlier_students(run)
        return walk(new_model(run) if before is None else continued_model(run, before), last)


def taught_slices(run: Run) -> Stages:
    """The stages of the slice teacher alone."""
    yield from SLICE_TEACHERS[run.settings.method](run).learn()
    raise AssertionError("one of these stages is the last")


def new_model(run: Run) -> Stages:
    """From volumes, and labels of a few of their slices, to a model; a stage that is done is yielded."""
    run = with_slice_networks(run)
    if not run.shares.students_help:
        return finished_model(run, Students())
    offer_supervised_students(run)
    if run.slices is not None:
        saved(run, Students(), FIRST_MODEL_NAME, told=False)  # the training does not end with it
    teacher = SLICE_TEACHERS[run.settings.method](run)
    yield from teacher.learn()  # 1: all slices, without labels; 2: the labelled ones
    volumes = pseudo_labelled(run, teacher)  # 3: predictions of slices; 4: refined in 3-D
    yield Stage.PSEUDO_LABELS
    distilled = distilled_students(run, volumes, 1)  # 5
    students = Students(distilled, supervised_students(run, distilled))
    for number in range(2, run.settings.student.rounds + 1):  # what students see in 3-D is better than slices
        volumes = renewed(run, teacher, students, number)
        students = Students(distilled_students(run, volumes, number, students), students.supervised)
    return finished_model(run, students)


def continued_model(run: Run, before: Students) -> Stages:
    """One more round instead: an earlier model teaches, and its students learn on, each kind in its own way."""
    run = with_slice_networks(run)
    if not run.shares.students_help:
        return finished_model(run, Students())
    offer_supervised_students(run)
    teacher = SLICE_TEACHERS[run.settings.method](run)
    teacher.learn_features()
    yield Stage.TEACHER
    volumes = renewed(run, teacher, before, CONTINUED)
    yield Stage.PSEUDO_LABELS
    distilled = distilled_students(run, volumes, CONTINUED, before)
    return finished_model(run, Students(distilled, supervised_students(run, distilled, before)))


def finished_model(run: Run, students: Students) -> SegmentationModel:
    """The model that a training ends with."""
    model = saved(run, students, MODEL_NAME)
    run.study.events.emit(Stage.FINISHED, 1, 1, seconds_left=0.0)
    return model


def saved(run: Run, students: Students, name: str, *, told: bool = True) -> SegmentationModel:
    """Students, 2-D networks and location prior vote; their volumes are calibrated on the labelled slices."""
    model = calibrated(run, scaled(run, voting_model(run, students)), told=told)
    model.save(run.folder / name)
    return model
