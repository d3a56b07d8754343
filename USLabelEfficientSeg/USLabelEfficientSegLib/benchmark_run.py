"""One run of a benchmark: a study with the labels of the run, a trained method, its held-out cases judged."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from .annotation.sparse_labels import SparseLabels
from .errors import Cancelled, InputError
from .evaluation.benchmark_data import Dataset, Split, read_dataset, split_by_subject
from .evaluation.benchmark_methods import NNUNET, VARIANTS
from .evaluation.benchmark_results import UNDEGRADED, CaseResult, Job, JobResult, write_result
from .evaluation.degradations import DEGRADATIONS, STRENGTHS, degrade
from .evaluation.evaluate import evaluate_case
from .evaluation.peers import nnunet
from .evaluation.peers.catalogue import PEERS
from .evaluation.peers.training import Budget, Task, train_peer
from .imaging.files import read_label_map, read_volume, write_label_map
from .imaging.volume import LabelMap
from .pipeline import train
from .segmentation.inference import predict
from .segmentation.model import SegmentationModel, choose_device
from .student.build import StudentDesign
from .student.symmetry import mirror_axes
from .study.events import Event, Listener
from .study.files import atomic_write_json
from .study.manifest import MANIFEST_NAME
from .study.memory import tune_memory
from .study.settings import Settings, changed, preset
from .study.study import Study
from .study.training_volumes import prepare_volume
from .suggesting import suggest

_WORK = "work"
_MINUTES = "minutes.json"


@dataclass(frozen=True)
class Design:
    """What all runs of a benchmark share; kept in its folder, since results of different designs do not compare.

    Attributes:
        data: folder of the data set.
        organs: names, in the order of the label values.
        seconds, steps: budget of the rivals, one of both.
        preset, changes: settings of our own method, whose time is that of its preset, and of grid and poses of all.
        slice_axis: array axis of the labelled slices.
        test_share: of all cases that is held out.
        validation: judge by a part of the training subjects, and leave the test subjects alone.

    Raises:
        InputError: settings that do not exist, or a seed among them.
    """

    data: Path
    organs: tuple[str, ...]
    seconds: float | None = None
    steps: int | None = None
    preset: str = "quick"
    changes: dict[str, Any] = field(default_factory=dict)
    slice_axis: int = 2
    test_share: float = 0.2
    validation: bool = False

    def __post_init__(self) -> None:
        if "seed" in self.changes:
            raise InputError("--set seed", "would be the same for all runs", "give --seeds")
        changed(preset(self.preset), self.changes)  # refuses wrong settings before anything is written

    @property
    def settings(self) -> Settings:
        """Of our own method, before a variant changes them."""
        return changed(preset(self.preset), self.changes)

    def split(self, dataset: Dataset) -> Split:
        """The cases to train on and those to judge by."""
        return split_by_subject(dataset.subjects, self.test_share, validation=self.validation)

    def record(self, dataset: Dataset) -> dict[str, Any]:
        """What decides about results, as JSON: the data by the names of its cases, wherever the folder lies."""
        content = {name: value for name, value in asdict(self).items() if name != "data"}
        return json.loads(json.dumps({**content, "cases": asdict(self.split(dataset))}))


def run_job(
    job: Job,
    *,
    output: Path,
    design: Design,
    device: str,
    degradations: bool,
    threads: int | None = None,
    listener: Listener | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> JobResult | None:
    """Train a method and segment the held-out cases; the result is written to the benchmark's folder.

    Our own method continues where it was stopped, a rival starts again.

    Returns:
        The result; None for nnU-Net as long as its predictions are missing.
    """
    tune_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    where, dataset = choose_device(device), read_dataset(design.data)
    split, work = design.split(dataset), output / _WORK / job.name
    study = sparse_study(work / "study", dataset, split.training, design, job)
    if listener is not None:
        study.events.listen(listener)
    images = {case: dataset.images[case] for case in split.held_out}
    labelled = study.summary()["labelled_slices"]

    if job.method == NNUNET:
        if not (work / nnunet.SCRIPT).exists():
            nnunet.export(work, study, images)
        found = nnunet.predictions(work, images)
        if found is None:
            return None
        cases = [
            row for case, path in found.items() for row in judged(_label_map(path, case), dataset.labels[case], design)
        ]
        result = JobResult(job, labelled, float("nan"), float("nan"), None, tuple(cases))
        write_result(output, result)
        return result

    if job.method not in VARIANTS:  # it starts again, and so does its time
        (work / _MINUTES).unlink(missing_ok=True)
    with stopwatch(work / _MINUTES):
        model, steps = trained(job, study, design, where, listener, cancelled)
    minutes, processor_minutes = read_minutes(work / _MINUTES)
    cases = list(evaluated(model, dataset, split.held_out, design, where, degradations, cancelled))
    result = JobResult(job, labelled, minutes, processor_minutes, steps, tuple(cases))
    write_result(output, result)
    shutil.rmtree(work)
    return result


def sparse_study(folder: Path, dataset: Dataset, cases: Sequence[str], design: Design, job: Job) -> Study:
    """The study of the training cases with the labels of a run; made once.

    At random, slices are chosen by the label protocol; suggested, they are those of `suggest` before any label.
    """
    if (folder / MANIFEST_NAME).exists():
        return Study.open(folder)
    with tempfile.TemporaryDirectory() as temporary:
        images, labels = Path(temporary) / "images", Path(temporary) / "labels"
        for target, paths in ((images, dataset.images), (labels, dataset.labels)):
            target.mkdir()
            for case in cases:
                copy = shutil.copytree if paths[case].is_dir() else shutil.copy
                copy(paths[case], target / paths[case].name)
        if job.choice == "suggested":
            bare = Study.create(Path(temporary) / "bare", images, organs=design.organs, slice_axis=design.slice_axis)
            labels = Path(temporary) / "suggested"
            write_suggested_labels(labels, bare, dataset, job)
        by_protocol = job.choice == "random" and job.label_fraction < 1
        return Study.create(
            folder,
            images,
            labels,
            organs=design.organs,
            slice_axis=design.slice_axis,
            label_fraction=job.label_fraction if by_protocol else None,
            seed=job.seed,
        )


def write_suggested_labels(folder: Path, bare: Study, dataset: Dataset, job: Job) -> None:
    """Label maps with the slices that are suggested in a study without labels, as many as the protocol would draw."""
    slices = sum(case.image.shape[bare.slice_axis] for case in bare.cases)
    chosen: dict[str, list[int]] = {}
    for suggestion in suggest(bare, max(1, round(job.label_fraction * slices)), seed=job.seed):
        chosen.setdefault(suggestion.volume, []).append(suggestion.index)
    folder.mkdir()
    for case, indices in chosen.items():
        label = read_label_map(dataset.labels[case])
        sparse = SparseLabels(label.voxels, label.geometry, bare.organs).keep_slices(bare.slice_axis, indices)
        write_label_map(folder / f"{case}.nrrd", LabelMap(sparse.voxels, label.geometry, case))


def trained(
    job: Job,
    study: Study,
    design: Design,
    device: torch.device,
    listener: Listener | None,
    cancelled: Callable[[], bool],
) -> tuple[SegmentationModel, int | None]:
    """The model that a run's method gives, and its number of steps if it counts them."""
    if job.method in VARIANTS:
        settings = changed(design.settings, {**VARIANTS[job.method].changes, "seed": job.seed})
        model = train(study, settings, device, cancelled=cancelled)
        assert model is not None
        return model, None

    settings = design.settings
    volumes = [
        prepare_volume(study.read_volume(case.name), study.read_labels(case.name), settings.working_grid.max_voxels)
        for case in study.cases
    ]
    mirrored = mirror_axes([volume.grey for volume in volumes])
    task = Task(volumes, len(design.organs) + 1, design.slice_axis, settings.student, mirrored, device)

    def on_step(spent: float) -> None:
        if cancelled():
            raise Cancelled(f"{job.name} stopped; it has to start again")
        if listener is not None:
            listener(Event(job.name, round(100 * spent), 100))

    networks, steps = train_peer(PEERS[job.method].make, task, Budget(design.seconds, design.steps), job.seed, on_step)
    model = SegmentationModel(
        networks=networks,
        # Only read to build a network from a file, which a rival's never is.
        design=StudentDesign(
            network="residual",
            classes=task.classes,
            spacing=volumes[0].spacing,
            slice_axis=design.slice_axis,
            widths=settings.student.widths,
        ),
        organs=design.organs,
        max_voxels=settings.working_grid.max_voxels,
        window=settings.student.window,
        overlap=settings.segmentation.overlap,
        mirrored_axes=mirrored,
    )
    return model, steps


def evaluated(
    model: SegmentationModel,
    dataset: Dataset,
    cases: Sequence[str],
    design: Design,
    device: torch.device,
    degradations: bool,
    cancelled: Callable[[], bool],
) -> Iterator[CaseResult]:
    """Results of the held-out cases as they are and, if asked for, under every degradation and strength."""
    conditions = [(UNDEGRADED, 0.0)]
    if degradations:
        conditions += [(name, strength) for name in DEGRADATIONS for strength in STRENGTHS]
    for number, case in enumerate(cases):
        image = read_volume(dataset.images[case])
        for name, strength in conditions:
            if cancelled():
                raise Cancelled("evaluation stopped; the same command repeats it")
            shown = image if name == UNDEGRADED else degrade(image, name, strength, seed=number)
            prediction = predict(model, shown, device)
            expected = prediction.volumes_ml()
            yield from judged(
                LabelMap(prediction.label_map().voxels, image.geometry, case),
                dataset.labels[case],
                design,
                expected,
                name,
                strength,
            )


def judged(
    prediction: LabelMap,
    reference: Path,
    design: Design,
    expected_ml: Sequence[float] | None = None,
    degradation: str = UNDEGRADED,
    strength: float = 0.0,
) -> Iterator[CaseResult]:
    """A result for each organ of a segmentation; without expected volumes those of the mask stand for them."""
    rows = evaluate_case(prediction, read_label_map(reference), design.organs)
    volumes = [row.predicted_volume_ml for row in rows] if expected_ml is None else expected_ml
    for row, expected in zip(rows, volumes, strict=True):
        yield CaseResult(
            prediction.name,
            row.organ,
            row.dice,
            row.hausdorff_95_mm,
            row.average_surface_distance_mm,
            row.reference_volume_ml,
            row.predicted_volume_ml,
            expected,
            degradation,
            strength,
        )


@contextmanager
def stopwatch(path: Path) -> Iterator[None]:
    """Add the minutes that the block takes, on the clock and of all cores, to those in `path`, also when it is left."""
    wall, processor = time.monotonic(), time.process_time()
    try:
        yield
    finally:
        minutes, processor_minutes = read_minutes(path)
        minutes += (time.monotonic() - wall) / 60
        processor_minutes += (time.process_time() - processor) / 60
        atomic_write_json(path, [minutes, processor_minutes])


def read_minutes(path: Path) -> tuple[float, float]:
    """Minutes and processor minutes so far."""
    if not path.exists():
        return 0.0, 0.0
    minutes, processor_minutes = json.loads(path.read_text(encoding="utf-8"))
    return minutes, processor_minutes


def _label_map(path: Path, case: str) -> LabelMap:
    found = read_label_map(path)
    return LabelMap(found.voxels, found.geometry, case)
