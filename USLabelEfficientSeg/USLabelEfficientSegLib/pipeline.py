"""The method on one page: a 2-D teacher that learns without labels guides a 3-D student that sees few of them.

CDKD, "Learning 3-D Ultrasound Segmentation under Extreme Label Deficiency", Zhang, Qin, Zhu, Ban, Anthony,
Ultrasound in Medicine & Biology 2026, doi 10.1016/j.ultrasmedbio.2025.12.014. Each function is one stage, the
last one and its rounds are in `student_rounds`; each resumes from what it left in the study's run folder. With the
method `information-divergence` another teacher takes the place of the first stages, see `divergence_teacher`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from .anatomy.training_volumes import TrainingVolume
from .disk.study_layout import FEATURES, MODEL_NAME, SLICE_HEAD_NAME, TEACHER_NAME
from .errors import InputError
from .method.calibrating import calibrated, scaled
from .method.divergence_teacher import pseudo_labelled_by_pair, slice_pair
from .method.rounds import (
    Students,
    distilled_students,
    offer_students_of_labels_alone,
    renewed,
    students_of_labels_alone,
    trained_model,
)
from .method.run import Observer, Run, aligned, forget_run, open_run
from .pseudolabels.teacher_labels import teacher_pseudo_label
from .segmentation.model import SegmentationModel
from .study.coverage import check_every_organ_is_shown
from .study.settings import Settings
from .study.stages import CONTINUED, Stage
from .study.study import Study
from .teacher.features import FeatureCache, encode_slices
from .teacher.labelled_slices import ViewRanges, encode_views, labelled_slices, of_equal_shape
from .teacher.pretraining import pretrain_teacher
from .teacher.slice_head import SliceHead, predict_slices, slice_boxes
from .teacher.slice_head_training import train_slice_head
from .teacher.slices import SliceSource, in_slice_axes
from .teacher.vit import VisionTransformer
from .training.memory import computing_alike
from .training.processors import Processors
from .training.several_devices import check_devices, on_devices
from .training.side_by_side import SideBySide


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
    """Train a study, or go on with its training: teacher -> slice head -> pseudo-labels -> students.

    The teacher of the method `information-divergence` learns from the labelled slices itself: it has no slice head.
    A study that has a model, and labels or volumes which that has not seen, continues from it: its students learn on.

    Args:
        study: volumes and sparse labels.
        settings: see `study.settings`.
        device: where networks are trained.
        devices: how many of them train the teacher, and each student, together, each with a share of every batch; with
            more than one a script needs `if __name__ == "__main__"`, and there is no live preview. The teacher of
            `information-divergence` and the slice head are trained on one.
        until: the last stage to do: teacher, slice head, pseudo-labels or student.
        restart: forget what earlier runs left.
        from_teacher: forget what earlier runs have learnt from labels, instead of continuing from their model.
        cancelled: asked after every step; the stage saves its state and raises `Cancelled`.
        observer: told after every step of a student the stage, the share of it that is done, and what gives the model
            that it and the students of the other kind would be now; it must not change the model. Only with one device.
        without_examples: train even where no labelled slice shows some organ, which then cannot be learnt.
        processors: tells how many processes there may be, for students that do not need each other learn side by side
            on a CPU, with a thread each; None: all is done in this process. The weights are the same. Nobody can
            observe other processes, and a script needs `if __name__ == "__main__"`.

    Returns:
        The model, which lies in the study as well; None if `until` is an earlier stage.

    Raises:
        InputError: no labelled slice, or none of an organ, a run with other settings, a damaged file, a full disk, or a
            stage that the method does not have; or several devices that cannot be had, see `check_devices`.
        ValueError: an observer of several devices.
    """
    if study.dimension == 2:
        raise InputError(study.folder, "is a study of 2-D images", "train it with `uslabelseg train`")
    until = Stage(until)
    of_pair = settings.method == "information-divergence"
    if of_pair and until is Stage.SLICE_HEAD:
        raise InputError(f"stage {until.option}", f"is no part of the method {settings.method}", "choose another stage")
    if observer is not None and devices > 1:
        raise ValueError("an observer cannot follow students that are trained in other processes")
    check_devices(device, devices, batch_sizes(settings, until))
    alone = device.type != "cpu" or devices > 1 or observer is not None or torch.get_num_threads() > 1
    with study.lock(), SideBySide(study.events, None if alone else processors, cancelled) as beside:
        if (of_pair or until is not Stage.TEACHER) and all(case.labels is None for case in study.cases):
            raise InputError(
                study.folder, "has no labelled slice", "label one or train only the teacher of cross-dimensional"
            )
        if (of_pair or until is not Stage.TEACHER) and not without_examples:
            check_every_organ_is_shown(study)
        if restart:
            forget_run(study)
        run = open_run(study, settings, device, beside.asked_to_stop, from_teacher, devices)
        run = replace(run, observer=observer, beside=beside)
        if until is not Stage.TEACHER:
            run = aligned(run)
        students = (
            new_students(run, until) if run.earlier is None else continued_students(run, run.earlier.model, until)
        )
        if students is None:
            return None
        model = calibrated(run, scaled(run, trained_model(run, students)))
        model.save(study.run_folder / MODEL_NAME)
        study.events.emit(Stage.FINISHED, 1, 1, seconds_left=0.0)
        return model


def batch_sizes(settings: Settings, until: Stage) -> dict[str, int]:
    """Batches that several devices would share, by the name of their setting."""
    sizes = {} if settings.method == "information-divergence" else {"teacher.batch_size": settings.teacher.batch_size}
    return {**sizes, "student.batch_size": settings.student.batch_size} if until is Stage.STUDENT else sizes


def new_students(run: Run, until: Stage) -> Students | None:
    """From the volumes and the labels to students; None if `until` comes before them."""
    if until is Stage.STUDENT:
        offer_students_of_labels_alone(run)
    of_pair = run.settings.method == "information-divergence"
    volumes = taught_by_pair(run, until) if of_pair else taught_by_vit(run, until)
    if volumes is None or until is Stage.PSEUDO_LABELS:
        return None
    taught = distilled_students(run, volumes, 1)
    alone = students_of_labels_alone(run, beside=taught)
    for round_number in range(2, run.settings.student.rounds + 1):
        volumes = renewed(run, volumes, Students(taught, alone), round_number)
        taught = distilled_students(run, volumes, round_number, taught, beside=alone)
    return Students(taught, alone)


def continued_students(run: Run, earlier: SegmentationModel, until: Stage) -> Students | None:
    """One more round instead: an earlier model is the teacher, and its students learn on, each kind in its own way.

    None if `until` comes before the students.
    """
    if until is Stage.SLICE_HEAD:
        remedy = "choose another stage or --from-teacher"
        raise InputError(f"stage {until.option}", "is no part of a training that continues from a model", remedy)
    networks = [network.to(run.device) for network in earlier.networks]
    taught, alone = networks[: run.settings.student.members], networks[run.settings.student.members :]
    if until is Stage.STUDENT:
        offer_students_of_labels_alone(run, alone or None)
    teacher = pretrained_teacher(run) if run.settings.method == "cross-dimensional" else None
    if until is Stage.TEACHER:
        return None
    volumes = renewed(run, run.volumes, Students(taught, alone), CONTINUED)
    if teacher is not None:
        cache, axis = feature_cache(run, teacher), run.study.slice_axis
        volumes = [replace(v, features=cache.features(v.grey, v.spacing, axis)) for v in volumes]
    if until is Stage.PSEUDO_LABELS:
        return None
    taught = distilled_students(run, volumes, CONTINUED, taught, beside=alone)
    return Students(taught, students_of_labels_alone(run, alone or None, beside=taught))


def taught_by_vit(run: Run, until: Stage) -> list[TrainingVolume] | None:
    """Stages 1 to 4 of CDKD; None if `until` comes before the pseudo-labels."""
    teacher = pretrained_teacher(run)
    if until is Stage.TEACHER:
        return None
    head = slice_head(run, teacher)
    if until is Stage.SLICE_HEAD:
        return None
    return pseudo_labelled(run, teacher, head)


def taught_by_pair(run: Run, until: Stage) -> list[TrainingVolume] | None:
    """What IDL has in their place; None if `until` comes before the pseudo-labels."""
    pair = slice_pair(run)
    return None if until is Stage.TEACHER else pseudo_labelled_by_pair(run, pair)


def pretrained_teacher(run: Run) -> VisionTransformer:
    """Stage 1: a ViT learns from all slices of all volumes, without labels."""
    settings = run.teacher_settings
    source = SliceSource(
        [volume.grey for volume in run.volumes],
        [volume.spacing for volume in run.volumes],
        settings.slice_size,
        axes=(0, 1, 2) if settings.axes == "all" else (run.study.slice_axis,),
    )
    start = None if run.earlier_teacher is None else run.earlier_teacher.path
    train = partial(pretrain_teacher, source, settings, initial_weights=run.initial_teacher, start=start)
    return on_devices(run.devices, train, run.context(Stage.TEACHER, TEACHER_NAME))


def slice_head(run: Run, teacher: VisionTransformer) -> SliceHead:
    """Stage 2: a small head on the teacher's frozen features learns from the labelled slices."""
    settings = run.settings.slice_head
    samples = [
        encode_views(
            teacher,
            slices,
            run.settings.teacher.slice_size,
            settings.views,
            ViewRanges(rotation_degrees=settings.rotation_degrees, shift=settings.shift),
            run.generator(f"views of {volume.name} along {axis}"),
        )
        for volume in run.volumes
        if volume.labels is not None
        for axis in range(3)
        if len(slices := labelled_slices(volume, axis))
    ]
    return train_slice_head(
        of_equal_shape(samples),
        teacher.patch_size,
        settings,
        run.context(Stage.SLICE_HEAD, SLICE_HEAD_NAME),
        prior=run.location_prior,
    )


def pseudo_labelled(run: Run, teacher: VisionTransformer, head: SliceHead) -> list[TrainingVolume]:
    """Stages 3 and 4: the teacher's slice predictions, refined in 3-D, and its features for distillation."""
    axis, slice_size = run.study.slice_axis, run.settings.teacher.slice_size
    rows, columns = in_slice_axes(axis)
    cache = feature_cache(run, teacher)

    def taught(volume: TrainingVolume) -> TrainingVolume:
        boxes = slice_boxes(volume.shape[axis], axis, volume.frame)

        def predict(slices: Tensor, numbers: Tensor) -> Tensor:
            pixel_size = volume.spacing[rows], volume.spacing[columns]
            features = encode_slices(teacher, slices[:, 0], pixel_size, slice_size)
            return predict_slices(head, features, slices.shape[2:], boxes[numbers])

        prediction = run.stored_prediction(
            "teacher",
            volume,
            lambda: teacher_pseudo_label(
                volume.grey,
                volume.sector,
                volume.spacing,
                {axis: [predict]},
                run.settings.pseudo_labels,
                run.generator(f"pseudo-label of {volume.name}"),
                volume.known,
            ),
        )
        return volume.taught(
            prediction.probability, prediction.weight, cache.features(volume.grey, volume.spacing, axis)
        )

    return run.each_volume(Stage.PSEUDO_LABELS, taught)


def feature_cache(run: Run, teacher: VisionTransformer) -> FeatureCache:
    """The teacher's features of whole volumes, computed once and kept in the run folder."""
    return FeatureCache(run.folder / FEATURES, teacher, run.settings.teacher.slice_size)
