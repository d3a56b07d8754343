"""Opens a study for training: the request is checked, the study locked, its volumes read and aligned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from ..anatomy.kept import LATEST, OnDemand
from ..anatomy.training_volumes import prepare_volume
from ..disk.files import writing
from ..disk.in_use import remove_tree
from ..disk.names import safe_stems
from ..disk.study_layout import VOLUMES
from ..errors import InputError
from ..student.symmetry import mirror_axes
from ..study.coverage import check_every_organ_is_shown
from ..study.provenance import start_run
from ..study.settings import Settings
from ..study.stages import Stage
from ..study.study import Study
from ..training.processors import Processors
from ..training.several_devices import check_devices, device_name
from ..training.side_by_side import SideBySide
from .aligning import aligned
from .earlier_training import Learnt, set_aside
from .plan import labelled_slices
from .run import Computing, Observer, Run, forget_run, stop_if
from .slice_teacher import SLICE_TEACHERS
from .time_plan import in_time


@contextmanager
def opened(
    study: Study,
    settings: Settings,
    device: torch.device,
    until: Stage,
    *,
    devices: int,
    restart: bool,
    from_teacher: bool,
    cancelled: Callable[[], bool] | None,
    observer: Observer | None,
    without_examples: bool,
    processors: Processors | None,
) -> Iterator[Run]:
    """The run of a training up to `until`, while the study is locked; for the rest see `pipeline.train`.

    What cannot be trained is refused before, see `check_trainable`.
    """
    if observer is not None and devices > 1:
        raise ValueError("an observer cannot follow students that are trained in other processes")
    check_devices(device, devices, batch_sizes(settings, until))
    alone = device.type != "cpu" or devices > 1 or observer is not None or torch.get_num_threads() > 1
    with (
        study.lock(),
        volumes_on_disk(study),
        SideBySide(study.events, None if alone else processors, cancelled) as beside,
    ):
        if until not in SLICE_TEACHERS[settings.method].without_labels and not without_examples:
            check_every_organ_is_shown(study)
        if restart:
            forget_run(study)
        run = open_run(study, settings, Computing(device, devices, beside, observer), from_teacher)
        if until is not Stage.TEACHER:
            run = aligned(run)
        if run.learnt.model is not None and until is Stage.SLICE_HEAD:
            remedy = "choose another stage or --from-teacher"
            problem = "is no part of a training that continues from a model"
            raise InputError(f"stage {until.option}", problem, remedy, in_panel="tick Start anew")
        yield run


@contextmanager
def volumes_on_disk(study: Study) -> Iterator[None]:
    """A place for what does not fit into memory, while a training runs."""
    folder = study.run_folder / VOLUMES
    try:
        yield
    finally:
        LATEST.clear()
        if folder.exists():
            with writing(folder):
                remove_tree(folder)


def check_trainable(study: Study, settings: Settings, until: Stage) -> None:
    """Refuse what the method cannot train. Raises `InputError`."""
    teacher = SLICE_TEACHERS[settings.method]
    if study.dimension == 2:
        raise InputError(
            study.folder,
            "is a study of 2-D images",
            "train it with `uslabelseg train`",
            in_panel="open it in step 1 and train it",
        )
    if until not in (*teacher.stages, Stage.PSEUDO_LABELS, Stage.STUDENT):
        raise InputError(f"stage {until.option}", f"is no part of the method {settings.method}", "choose another stage")
    if settings.minutes is not None and not labelled_slices(study):
        raise InputError(
            "A training of given minutes", "needs a labelled slice to know what is to be learnt", "label one"
        )
    if until not in teacher.without_labels and not labelled_slices(study):
        instead = ", or train the teacher alone with --stage teacher" if teacher.without_labels else ""
        raise InputError(
            study.folder,
            "has no labelled slice",
            f"label a slice of a volume{instead}",
            in_panel="label a slice of a volume",
        )


def batch_sizes(settings: Settings, until: Stage) -> dict[str, int]:
    """Batches that several devices would share, by the name of their setting."""
    sizes = SLICE_TEACHERS[settings.method].shared_batches(settings)
    return {**sizes, "student.batch_size": settings.student.batch_size} if until is Stage.STUDENT else sizes


def open_run(study: Study, settings: Settings, computing: Computing, from_teacher: bool = False) -> Run:
    """Record the run, and bring the study's volumes and sparse labels to the working grid; see `pipeline.train`."""
    study.check_files()
    for teacher in SLICE_TEACHERS.values():  # before anything is written: a file of weights may be a wrong one
        teacher.check(settings)
    set_aside(study, settings, from_teacher)
    learnt, where = Learnt.of(study), device_name(computing.device, computing.devices)
    start_run(study, settings, where, continued_from=None if learnt.model is None else learnt.model.record)
    volumes, stems = [], safe_stems(case.name for case in study.cases)
    for number, case in enumerate(study.cases, start=1):
        stop_if(computing.cancelled, f"reading stopped after {number - 1} of {len(study.cases)} volumes")
        labels = study.read_labels(case.name)
        volume = prepare_volume(study.read_scan(case.name), labels, settings.working_grid.max_voxels)
        volumes.append(volume.on_disk(study.run_folder / VOLUMES, stems[number - 1]))
        study.events.emit(Stage.READING_VOLUMES, number, len(study.cases))
    mirrored = mirror_axes(OnDemand(volumes, lambda volume: volume.grey))
    plan = learnt.plan(settings, labelled_slices(study))
    return in_time(Run(study, settings, volumes, mirrored, computing, learnt, plan))
