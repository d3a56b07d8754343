"""Few labelled slices on real volumes, split by subject: Dice, volume error and time of one preset over several seeds.

    python benchmarks/trus.py DATA --seeds 0,1,2 --preset quick --output DIR

DATA holds `images`, dense `labels` and `cases.csv` with the columns `case` and `subject_group`. A killed run
continues from where it was.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import training_options

from USLabelEfficientSegLib.benchmark.clock import read_minutes, stopwatch
from USLabelEfficientSegLib.benchmark.data import split_by_subject
from USLabelEfficientSegLib.command_line.options import parse_changes
from USLabelEfficientSegLib.disk.files import atomic_write_json
from USLabelEfficientSegLib.disk.study_layout import MANIFEST_NAME
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.evaluation.case_metrics import CaseMetrics, evaluate_case
from USLabelEfficientSegLib.evaluation.metrics import volume_error_percent
from USLabelEfficientSegLib.imaging.files import find_images, read_label_map, read_volume
from USLabelEfficientSegLib.method.suggesting import write_suggested_labels
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.segmentation.inference import predict
from USLabelEfficientSegLib.segmentation.model import SegmentationModel, choose_device
from USLabelEfficientSegLib.study.events import Event
from USLabelEfficientSegLib.study.settings import changed, preset
from USLabelEfficientSegLib.study.study import Study

ORGANS = ("prostate",)
SLICE_AXIS = 2


@dataclass(frozen=True)
class Result:
    """One organ of one held-out case: its metrics, and its volume as the sum of probabilities."""

    metrics: CaseMetrics
    expected_volume_ml: float

    @property
    def expected_volume_error_percent(self) -> float:
        """Signed error of the sum of probabilities."""
        return volume_error_percent(self.expected_volume_ml, self.metrics.size.reference)


@dataclass(frozen=True)
class SeedSummary:
    """Of one training: means and medians over the held-out cases, time with and without waiting for a processor."""

    seed: int
    dice_mean: float
    dice_min: float
    volume_error_percent_median: float
    expected_volume_error_percent_median: float
    minutes: float
    processor_minutes: float


def read_groups(path: Path) -> dict[str, str]:
    """Subject group of each case."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["case"]: row["subject_group"] for row in csv.DictReader(file)}


def sparse_study(folder: Path, data: Path, cases: set[str], fraction: float, seed: int, choice: str) -> Study:
    """The study of some cases with all labels hidden but those of a few slices, random or suggested; made once."""
    if not (folder / MANIFEST_NAME).exists():
        with tempfile.TemporaryDirectory() as temporary:
            images, labels, chosen = (Path(temporary) / kind for kind in ("images", "labels", "chosen"))
            for part in (images, labels):
                part.mkdir()
                for case, path in find_images(data / part.name).items():
                    if case in cases:
                        shutil.copy(path, part)
            if choice == "suggested":
                unlabelled = Study.create(Path(temporary) / "study", images, organs=ORGANS, slice_axis=SLICE_AXIS)
                write_suggested_labels(chosen, unlabelled, find_images(labels), fraction, seed)
                Study.create(folder, images, chosen, organs=ORGANS, slice_axis=SLICE_AXIS)
            else:
                Study.create(
                    folder, images, labels, organs=ORGANS, slice_axis=SLICE_AXIS, label_fraction=fraction, seed=seed
                )
    study = Study.open(folder)
    if {case.name for case in study.cases} != cases:
        raise InputError(folder, "is a study of other cases", "choose another --output")
    return study


def evaluate(model: SegmentationModel, data: Path, cases: set[str], device: torch.device) -> Iterator[Result]:
    """Segment held-out cases and compare them with their labels."""
    images, labels = find_images(data / "images"), find_images(data / "labels")
    for case in sorted(cases):
        prediction = predict(model, read_volume(images[case]), device)
        rows = evaluate_case(prediction.labels(), read_label_map(labels[case]), ORGANS)
        yield from (Result(*both) for both in zip(rows, prediction.volumes_ml(), strict=True))


def progress_printer() -> Callable[[Event], None]:
    """A listener that prints a line at the end of each stage and once a minute."""
    last_stage, last_time = "", 0.0

    def show(event: Event) -> None:
        nonlocal last_stage, last_time
        if event.stage != last_stage or event.step == event.of or event.time > last_time + 60:
            losses = ", ".join(f"{name} {value:.4f}" for name, value in event.losses.items())
            print(f"  {time.strftime('%H:%M:%S')} {event.stage} {event.step}/{event.of} {losses}", flush=True)
            last_stage, last_time = event.stage, event.time

    return show


def write_cases(path: Path, results: Sequence[Result]) -> None:
    """One line a case and organ."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = [
            {
                **asdict(result.metrics),
                "expected_volume_ml": result.expected_volume_ml,
                "expected_volume_error_percent": result.expected_volume_error_percent,
            }
            for result in results
        ]
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def summarise(seed: int, results: Sequence[Result], minutes: float, processor_minutes: float) -> SeedSummary:
    """Means and medians over cases and organs."""
    dice = [result.metrics.dice for result in results]
    return SeedSummary(
        seed,
        float(np.mean(dice)),
        min(dice),
        float(np.median([abs(result.metrics.size.error_percent) for result in results])),
        float(np.median([abs(result.expected_volume_error_percent) for result in results])),
        minutes,
        processor_minutes,
    )


def run(arguments: argparse.Namespace) -> None:
    """Train, segment and evaluate once a seed; print and store the numbers."""
    groups = read_groups(arguments.data / "cases.csv")
    split = split_by_subject(groups, arguments.test_share, validation=arguments.validation)
    training, held_out = set(split.training), set(split.held_out)
    part = "validation" if arguments.validation else "test"
    device = choose_device(arguments.device)
    print(f"{len(training)} training cases, {len(held_out)} {part} cases, {device}", flush=True)

    summaries = []
    for seed in arguments.seeds:
        folder = arguments.output / f"{part}-{arguments.slices}-seed-{seed}"
        settings = changed(preset(arguments.preset), {**parse_changes(arguments.set), "seed": seed})
        study = sparse_study(
            folder / "study", arguments.data, training, arguments.label_fraction, seed, arguments.slices
        )
        slices = study.summary()["labelled_slices"]
        print(f"seed {seed}: {slices} labelled slices, {study.label_fraction():.3%}", flush=True)
        study.events.listen(progress_printer())
        with stopwatch(folder / "minutes.json"):
            model = train(study, settings, device)
        assert model is not None
        results = list(evaluate(model, arguments.data, held_out, device))
        write_cases(folder / "cases.csv", results)
        summary = summarise(seed, results, *read_minutes(folder / "minutes.json"))
        summaries.append(summary)
        print(line(summary), flush=True)

    atomic_write_json(
        arguments.output / f"{part}-{arguments.slices}-summary.json",
        {
            "preset": arguments.preset,
            "changes": parse_changes(arguments.set),
            "label_fraction": arguments.label_fraction,
            "slices": arguments.slices,
            "device": str(device),
            "cases": {"training": sorted(training), part: sorted(held_out)},
            "seeds": [asdict(summary) for summary in summaries],
        },
    )
    dice = np.array([summary.dice_mean for summary in summaries])
    of_mask, expected, minutes = (
        np.mean([getattr(summary, name) for summary in summaries])
        for name in ("volume_error_percent_median", "expected_volume_error_percent_median", "minutes")
    )
    spread = f" (sd {dice.std(ddof=1):.3f}, {dice.min():.3f} to {dice.max():.3f})" if len(dice) > 1 else ""
    print(
        f"{part}, {len(dice)} seeds: Dice {dice.mean():.3f}{spread}, median volume error of masks {of_mask:.1f} %, "
        f"of probabilities {expected:.1f} %, {minutes:.1f} minutes a run"
    )


def line(summary: SeedSummary) -> str:
    """One seed for people."""
    return (
        f"seed {summary.seed}: Dice {summary.dice_mean:.3f} (min {summary.dice_min:.3f}), median volume error of "
        f"masks {summary.volume_error_percent_median:.1f} %, of probabilities "
        f"{summary.expected_volume_error_percent_median:.1f} %, {summary.minutes:.1f} minutes "
        f"({summary.processor_minutes:.1f} of processors)"
    )


def main() -> None:
    """Parse the command line and run."""
    parser = training_options.training_parser(__doc__)
    parser.add_argument("--label-fraction", type=float, default=0.005)
    parser.add_argument("--slices", choices=["random", "suggested"], default="random", help="which ones are labelled")
    parser.add_argument("--test-share", type=float, default=0.2, help="of the cases that are held out")
    training_options.main(parser, run)


if __name__ == "__main__":
    main()
