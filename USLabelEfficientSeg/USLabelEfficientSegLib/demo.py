"""The method on a simulated study, from nothing to a report: every number in it can be checked against the truth."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from .disk.files import atomic_write_json, writing
from .disk.study_layout import MANIFEST_NAME, PDF_NAME, REPORT_NAME
from .errors import Cancelled, InputError
from .evaluation.evaluate import evaluate_folders
from .evaluation.summary import summarise, write_metrics_csv
from .imaging.files import find_images
from .imaging.simulator import SimulatedCase, simulate_volume
from .imaging.simulator.files import write_case
from .measurement.measuring import measure_files, of_kind
from .measurement.organ import OrganMeasurement
from .measurement.segmenting import segment_and_measure
from .measurement.tables import write_measurements_csv
from .method.suggesting import write_suggested_labels
from .pipeline import train
from .report.cases_of_files import content_of, open_segmentations
from .report.cases_of_study import with_training
from .report.sections.metrics import metrics_table
from .report.writing import write_report
from .segmentation.loading import load_model
from .study.coverage import share_in_words
from .study.events import Event, Listener
from .study.settings import Settings
from .study.study import Study
from .training.processors import Processors

RECORD_NAME = "demo.json"
_SUBJECTS_PER_SEED = 1000
_FIRST_HELD_OUT = 700
_SIMULATED_AT_ONCE = 4

TrueVolumes = dict[str, dict[str, float]]  # in ml, by case and organ


@dataclass(frozen=True)
class DemoDesign:
    """The simulated study. 40 of 8000 slices are labelled: 0.5 %."""

    training_volumes: int = 125
    held_out_volumes: int = 8
    shape: tuple[int, int, int] = (80, 80, 64)
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    probes: tuple[str, ...] = ("good", "medium", "low-cost")
    label_fraction: float = 0.005


@dataclass(frozen=True)
class DemoResult:
    """Where the report is, and its main numbers on the held-out volumes."""

    report: Path
    labelled_slices: int
    labelled_share: str
    mean_dice: float
    median_volume_error_percent: float


def run_demo(
    output: Path,
    *,
    seed: int,
    settings: Settings,
    device: torch.device,
    listener: Listener,
    cancelled: Callable[[], bool],
    design: DemoDesign | None = None,
    processors: Processors | None = None,
) -> DemoResult:
    """Simulate a study, train on it, segment and measure held-out volumes, write the report.

    A demo that was stopped goes on where it was; a finished one is reported again.

    Args:
        output: the folder of the demo, new or empty or left by the same demo.
        seed: of the simulated subjects and of the choice of the labelled slices.
        settings: of the training.
        device: where to compute.
        listener: receives progress.
        cancelled: asked after every step; raises `Cancelled` after saving.
        design: what is simulated, by default the demo that the documentation shows.
        processors: how many processes there may be, see `pipeline.train`.

    Raises:
        InputError: the folder holds something else, or the demo with another seed or other settings.
    """
    design = design or DemoDesign()
    open_demo(output, seed, settings, design)
    training, held_out = output / "simulated" / "training", output / "simulated" / "held-out"
    subjects = range(_SUBJECTS_PER_SEED * seed, _SUBJECTS_PER_SEED * (seed + 1))
    simulate_folder(training, subjects[: design.training_volumes], design, listener, cancelled)
    tested = subjects[_FIRST_HELD_OUT : _FIRST_HELD_OUT + design.held_out_volumes]
    true_volumes = simulate_folder(held_out, tested, design, listener, cancelled)

    study = sparse_study(output / "study", training, list(next(iter(true_volumes.values()))), design, seed)
    study.events.listen(listener)
    train(study, settings, device, cancelled=cancelled, processors=processors)

    segmentations, images = output / "segmentations", find_images(held_out / "images")
    threads = processors.threads if processors is not None and device.type == "cpu" else lambda: 1
    model = load_model(study.folder)
    results = segment_and_measure(model, images, segmentations, device, probability=True, threads=threads)
    for number, _ in enumerate(results, start=1):
        listener(Event("segmenting held-out volumes", number, len(images)))
    volumes = of_kind(measure_files([segmentations]), OrganMeasurement)
    write_measurements_csv(output / "volumes.csv", volumes, true_volumes)
    metrics = evaluate_folders(segmentations, held_out / "labels", study.organs)
    write_metrics_csv(output / "metrics.csv", metrics)

    mean_dice = float(np.mean([row.dice for row in metrics]))
    errors = [abs(row.volume_ml / true_volumes[row.case][row.organ] - 1) * 100 for row in volumes]
    files = open_segmentations(segmentations, held_out / "images", references=held_out / "labels")
    exact = {case: {organ: {"volume": ml} for organ, ml in of.items()} for case, of in true_volumes.items()}
    # The names are made up: no patient is behind them.
    content = content_of(replace(files, reference_values=exact), "Simulated demo study", show_names=True)
    content = replace(with_training(content, study), metrics=metrics_table(summarise(metrics)))
    write_report(output / REPORT_NAME, content, pdf=output / PDF_NAME)
    return DemoResult(
        output / REPORT_NAME,
        study.summary()["labelled_slices"],
        share_in_words(study),
        mean_dice,
        float(np.median(errors)),
    )


def open_demo(output: Path, seed: int, settings: Settings, design: DemoDesign) -> None:
    """Make the folder of a demo, or check that it holds the same one."""
    path = output / RECORD_NAME
    record = {"seed": seed, "settings": settings.model_dump(mode="json"), "design": asdict(design)}
    with writing(output):
        if not output.exists() or (output.is_dir() and not any(output.iterdir())):
            atomic_write_json(path, record)
            return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(output, "holds something else than a demo", "choose a new folder") from None
    if found != json.loads(json.dumps(record)):
        problem = "holds a demo with another seed or other settings"
        raise InputError(output, problem, "choose a new folder or repeat the command that made it")


def simulate_folder(
    folder: Path, subjects: Sequence[int], design: DemoDesign, listener: Listener, cancelled: Callable[[], bool]
) -> TrueVolumes:
    """Simulate a volume of each subject into `images` and `labels`, once; returns the exact organ volumes."""
    done = folder / "true_volumes_ml.json"  # written last: where it is, everything is
    if done.exists():
        found: TrueVolumes = json.loads(done.read_text(encoding="utf-8"))
        return found
    for name in ("images", "labels"):
        with writing(folder / name):
            (folder / name).mkdir(parents=True, exist_ok=True)
    true_volumes: TrueVolumes = {}

    def simulate(number: int) -> SimulatedCase:
        probe = design.probes[(number + 1) % len(design.probes)]
        case = simulate_volume(subjects[number], shape=design.shape, spacing=design.spacing, probe=probe)
        write_case(folder, case)
        return case

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # NumPy lets other threads work while it calculates
        for first in range(0, len(subjects), _SIMULATED_AT_ONCE):
            if cancelled():
                raise Cancelled(f"simulation stopped after {first} of {len(subjects)} volumes")
            numbers = range(first, min(first + _SIMULATED_AT_ONCE, len(subjects)))
            true_volumes |= {case.volume.name: case.volumes_ml for case in pool.map(simulate, numbers)}
            listener(Event(f"simulating {folder.name} volumes", len(true_volumes), len(subjects)))
    atomic_write_json(done, true_volumes)
    return true_volumes


def sparse_study(folder: Path, training: Path, organs: Sequence[str], design: DemoDesign, seed: int) -> Study:
    """The study of the training volumes; all labels are hidden except on the slices suggested first."""
    if (folder / MANIFEST_NAME).exists():
        return Study.open(folder)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        images, chosen = training / "images", Path(temporary) / "labels"
        unlabelled = Study.create(Path(temporary) / "unlabelled", images, organs=organs)
        write_suggested_labels(chosen, unlabelled, find_images(training / "labels"), design.label_fraction, seed)
        return Study.create(folder, images, chosen, organs=organs)
