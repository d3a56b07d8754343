"""One run of a benchmark: a study with the labels of the run, a trained method, its held-out cases judged."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..annotation.label_files import read_volume_labels
from ..disk.in_use import remove_file, remove_tree
from ..errors import Cancelled, InputError
from ..imaging.files import read_label_map
from ..imaging.scan import LabelMap
from ..method.run import Observer
from ..pipeline import train
from ..segmentation.model import SegmentationModel, choose_device
from ..study.events import Event, Listener
from ..study.settings import changed
from ..study.study import Study
from ..training.memory import tune_memory
from .clock import Stopwatch, read_minutes, stopwatch
from .curve import CurveRecorder
from .data import Dataset, read_dataset
from .design import Design
from .judging import evaluated, judged, mean_dice
from .methods import NNUNET, VARIANTS, uses_all_labels
from .peers import nnunet
from .peers.catalogue import PEERS
from .peers.training import Budget, Rival, train_peer
from .results import CaseResult, Job, JobResult, read_results, write_result
from .study import sparse_study
from .tasks import model_of, task_of

_WORK = "work"
_MINUTES, _CURVE = "minutes.json", "curve.json"
_SECONDS_BETWEEN_TIMES = 5.0


def never() -> bool:
    """Nobody asks to stop; other than a lambda it can be sent to another process."""
    return False


@dataclass(frozen=True)
class RunOptions:
    """What every run also does, and how the user hears of it.

    Attributes:
        degradations: segment degraded images as well.
        curve: measure Dice while the method is trained.
        listener: receives progress.
        cancelled: asked often.
    """

    degradations: bool = False
    curve: bool = False
    listener: Listener | None = None
    cancelled: Callable[[], bool] = never


def run_job(job: Job, *, output: Path, design: Design, device: str, options: RunOptions) -> JobResult | None:
    """Train a method and segment the held-out cases; the result is written to the benchmark's folder.

    Our own method continues where it was stopped or killed, a rival starts again.

    Returns:
        The result; None for nnU-Net as long as its predictions are missing.

    Raises:
        Cancelled: the user asked to stop.
        InputError: of the data, or of a stage of the training.
    """
    tune_memory()
    where, dataset = choose_device(device), read_dataset(design.data)
    split, work = design.split(dataset), output / _WORK / job.name
    study = sparse_study(work / "study", dataset, split.training, design, job)
    if options.listener is not None:
        study.events.listen(options.listener)
    if job.method == NNUNET:
        result = of_nnunet(job, study, dataset, design, work)
        if result is not None:
            write_result(output, result)
        return result

    if job.method not in VARIANTS:  # it starts again, and so does its time
        for name in (_MINUTES, _CURVE):
            remove_file(work / name, missing_ok=True)
    with stopwatch(work / _MINUTES) as watch:

        def dice_of(model: SegmentationModel) -> float:
            # A copy: what is being trained must stay in training mode.
            still = replace(model, networks=tuple(copy.deepcopy(network) for network in model.networks))
            return mean_dice(list(evaluated(still, dataset, split.held_out, design.organs, where)))

        recorder = CurveRecorder(work / _CURVE, watch, dice_of)
        model, steps = trained(job, study, design, output, where, options, watch, recorder if options.curve else None)
    minutes, processor_minutes = read_minutes(work / _MINUTES)
    cases = evaluated(
        model,
        dataset,
        split.held_out,
        design.organs,
        where,
        degradations=options.degradations,
        cancelled=options.cancelled,
    )
    labelled = study.summary()["labelled_slices"]
    result = JobResult(job, labelled, minutes, processor_minutes, steps, tuple(cases), tuple(recorder.points))
    write_result(output, result)
    remove_tree(work)
    return result


def of_nnunet(job: Job, study: Study, dataset: Dataset, design: Design, work: Path) -> JobResult | None:
    """Write nnU-Net's data set; judge its predictions once they are there, None until then."""
    images = {case: dataset.images[case] for case in design.split(dataset).held_out}
    if not (work / nnunet.SCRIPT).exists():
        nnunet.export(work, study, images)
    found = nnunet.predictions(work, images)
    if found is None:
        return None
    cases: list[CaseResult] = []
    for case, path in found.items():
        prediction = read_label_map(path)
        prediction = LabelMap(prediction.voxels, prediction.geometry, case)
        cases += judged(prediction, read_volume_labels(dataset.labels[case], design.organs), design.organs)
    labelled = study.summary()["labelled_slices"]
    return JobResult(job, labelled, float("nan"), float("nan"), None, tuple(cases))


def trained(
    job: Job,
    study: Study,
    design: Design,
    output: Path,
    device: torch.device,
    options: RunOptions,
    watch: Stopwatch,
    observer: Observer | None,
) -> tuple[SegmentationModel, int | None]:
    """The model that a run's method gives, and its number of steps if it counts them."""

    def cancelled() -> bool:
        watch.keep(at_most_every=_SECONDS_BETWEEN_TIMES)  # so that a killed run knows how long it took
        return options.cancelled()

    if job.method in VARIANTS:
        settings = changed(design.settings, {**VARIANTS[job.method].changes, "seed": job.seed})
        # Slices are drawn by chance: a run whose few show no part of an organ counts as it is, like its rivals'.
        model = train(study, settings, device, cancelled=cancelled, observer=observer, without_examples=True)
        assert model is not None
        return model, None

    entry = PEERS[job.method]
    task = task_of(study, design, device, entry)

    def on_step(spent: float) -> None:
        if cancelled():
            raise Cancelled(f"{job.name} stopped; it has to start again")
        if options.listener is not None:
            options.listener(Event(job.name, round(100 * spent), 100))

    def after_step(spent: float, peer: Rival) -> None:
        if observer is not None:
            observer("training", spent, lambda: model_of(peer.predictors(), task, design))

    budget = budget_of(job, design, output)
    networks, steps = train_peer(entry.make, task, budget, job.seed, on_step, after_step)
    return model_of(networks, task, design), steps


def budget_of(job: Job, design: Design, output: Path) -> Budget:
    """What a rival may spend.

    Raises:
        InputError: it has the time of a method that was not run with the same labels and seed.
    """
    if design.time_of is None:
        return Budget(design.seconds, design.steps)
    same = [
        result.minutes
        for result in read_results(output)
        if (result.job.method, result.job.seed) == (design.time_of, job.seed)
        # A method that uses all labels has no such run of its own: it gets the longest time.
        if uses_all_labels(job.method)
        or (result.job.label_fraction, result.job.choice) == (job.label_fraction, job.choice)
    ]
    if not same:
        raise InputError(f"run {job.name}", f"has the time of {design.time_of}, which was not run", "add that method")
    return Budget(seconds=60 * max(same))
