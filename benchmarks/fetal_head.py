"""Fetal heads from few labelled images, split by subject: IDL's UNeXt beside networks that learn from the labels alone.

    python benchmarks/fetal_head.py DATA --fractions 0.005,0.01,0.05,1 --seeds 0,1,2 --seconds 1800 --output DIR
    python benchmarks/fetal_head.py DATA --fractions 0.01 --seeds 0 --seconds 900 --ablation --output DIR

DATA holds `images`, filled `labels` and `cases.csv` with the columns `file`, `subject`, `pixel_width_mm`,
`pixel_height_mm` and `head_circumference_mm`. All methods get the same images, augmentation, moving average and
wall-clock: seconds a step are measured first, and give the steps of the learning-rate schedule. A fraction is one of
all images of DATA, except that 1 means all images that are there to train on. Settings are tuned with `--validation`,
which never looks at the held-out subjects.

A method's name with ` on low-cost probes` after it trains on every image twice: as it is, and under one of the
library's degradations at random. `--robustness` measures all networks on the held-out images under each of them.

The same command again skips the trainings that DIR holds; several processes may share DIR if their methods, fractions
or seeds differ. Tables are made from everything in DIR: `*-cases.csv`, `*-summary.csv`, `*-degraded.csv` and its PNG.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
import training_options
from fetal_head_data import Head, few_labels, label_count, read_heads, split
from fetal_head_results import HeadResult, evaluate, summaries, summarise
from fetal_head_robustness import (
    DegradedResult,
    degraded_line,
    degraded_means,
    evaluate_degraded,
    robustness_png,
    views,
)
from fetal_head_store import (
    Training,
    check_settings,
    is_trained,
    load_network,
    read_rows,
    save_network,
    write_rows,
)
from fetal_head_training import ABLATIONS, METHODS, Arm, train_for
from torch import nn

from USLabelEfficientSegLib.command_line.options import parse_changes
from USLabelEfficientSegLib.disk.files import atomic_write_bytes, sha256_of
from USLabelEfficientSegLib.divergence.images import network_input
from USLabelEfficientSegLib.divergence.unext import UNeXt
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.segmentation.model import choose_device
from USLabelEfficientSegLib.study.setting_sections import DivergenceSettings
from USLabelEfficientSegLib.study.settings import changed, preset


def inference_seconds(network: nn.Module, repeats: int = 20) -> float:
    """Median seconds of the network on one image of 320 x 216 pixels, on one core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    network = network.eval().cpu().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    grey = torch.rand(1, 1, 216, 320)
    seconds = []
    with torch.inference_mode():
        for _ in range(repeats):
            started = time.perf_counter()
            network(network_input(grey)).softmax(dim=1)
            seconds.append(time.perf_counter() - started)
    torch.set_num_threads(threads)
    return statistics.median(seconds)


def run(arguments: argparse.Namespace) -> None:
    """Train and evaluate every arm at every fraction and seed; print and store the numbers."""
    heads = read_heads(arguments.data)
    training, held_out = split(heads, arguments.validation)
    device = choose_device(arguments.device)
    part = "validation" if arguments.validation else "test"
    base = changed(preset(arguments.preset), parse_changes(arguments.set))
    arms = ABLATIONS if arguments.ablation else chosen_methods(arguments.methods)
    settings = {name: changed(base, arm.changes).divergence for name, arm in arms.items()}
    counts = {fraction: label_count(fraction, len(heads), len(training)) for fraction in arguments.fractions}
    jobs = [
        Training(arguments.output, part, name, fraction, seed)
        for fraction in arguments.fractions
        for name in arms
        for seed in arguments.seeds
    ]
    common = {"seconds": arguments.seconds, "data": sha256_of(arguments.data / "cases.csv")}
    check_settings(arguments.output, common | _named(base.divergence))
    trained = [is_trained(job, _named(settings[job.method])) for job in jobs]

    print(f"{len(training)} training images, {len(held_out)} {part} images of other subjects, {device}", flush=True)
    print(f"{sum(trained)} of {len(jobs)} trainings are there already", flush=True)
    print(f"UNeXt, one 320 x 216 image, one core: {1000 * inference_seconds(UNeXt(2)):.0f} ms", flush=True)

    @cache
    def degraded_views() -> list[tuple[str, float, list[Head]]]:
        return list(views(held_out))

    for job, is_done in zip(jobs, trained, strict=True):
        arm, chosen, count = arms[job.method], settings[job.method], counts[job.fraction]
        if not is_done:
            train_and_keep(job, arm, training, count, chosen, arguments.seconds, device)
        network = arm.network()
        about = load_network(job, network)
        network = network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        which = chosen.image_size, job.fraction, job.seed, job.method
        if not job.cases.exists():
            write_rows(job.cases, list(evaluate(network, held_out, *which)))
        if arguments.robustness and not job.degraded.exists():
            write_rows(job.degraded, list(evaluate_degraded(network, degraded_views(), *which)))
        summary = summarise(read_rows(HeadResult, [job.cases]))
        took = f"{about['steps']} steps in {about['seconds']:.0f} s"
        print(f"{count} labels, {job.method}, seed {job.seed}: {summary}; {took}", flush=True)
    write_tables(arguments.output, part)


def chosen_methods(names: Sequence[str]) -> dict[str, Arm]:
    """The arms of `METHODS` by name. Raises `InputError` for another name."""
    for name in names:
        if name not in METHODS:
            raise InputError(f"method '{name}'", "is not known", f"choose from {', '.join(METHODS)}")
    return {name: METHODS[name] for name in names}


def train_and_keep(
    job: Training,
    arm: Arm,
    heads: Sequence[Head],
    count: int,
    settings: DivergenceSettings,
    seconds: float,
    device: torch.device,
) -> None:
    """One training from its images to its file; results of a network that was deleted go, too."""
    for old in (job.cases, job.degraded):
        old.unlink(missing_ok=True)
    images = few_labels(heads, count, job.seed, settings.image_size, low_cost=arm.low_cost)
    network, steps, taken = train_for(seconds, arm.train, images, settings, job.seed, device)
    save_network(job, network, _named(settings), labels=count, steps=steps, seconds=taken, device=str(device))


def write_tables(output: Path, part: str) -> None:
    """Tables and figure of all trainings of a part that the folder holds; prints their means."""
    results = read_rows(HeadResult, sorted((output / "cases").glob(f"{part}-*.csv")))
    write_rows(output / f"{part}-cases.csv", results)
    rows = summaries(results)
    write_rows(output / f"{part}-summary.csv", rows)
    print(f"\n{part}, means of all that is in {output}:")
    for row in rows:
        print(f"{row.fraction:.2%}, {row.method}, {row.seeds} seeds: {row}")

    means = degraded_means(read_rows(DegradedResult, sorted((output / "degraded").glob(f"{part}-*.csv"))))
    if not means:
        return
    write_rows(output / f"{part}-degraded.csv", means)
    atomic_write_bytes(output / f"{part}-degraded.png", robustness_png(means))
    print(f"\n{part}, Dice on degraded images, by rising strength:")
    for fraction, method in sorted({(mean.fraction, mean.method) for mean in means}):
        line = degraded_line([mean for mean in means if (mean.fraction, mean.method) == (fraction, method)])
        print(f"{fraction:.2%}, {method}: {line}")


def _named(settings: DivergenceSettings) -> dict[str, object]:
    return {f"divergence.{name}": value for name, value in settings.model_dump(mode="json").items()}


def command_line() -> argparse.ArgumentParser:
    """The options."""
    parser = training_options.training_parser(__doc__)
    parser.add_argument("--fractions", type=training_options.list_of(float), default=[0.005, 0.01, 0.05])
    parser.add_argument("--seconds", type=float, default=1800, help="wall-clock of each training")
    parser.add_argument(
        "--methods",
        type=training_options.list_of(str),
        default=["information divergence", "labelled u-net"],
        help=f"separated by commas: {', '.join(METHODS)}",
    )
    parser.add_argument("--ablation", action="store_true", help="IDL with each of its parts switched off instead")
    parser.add_argument("--robustness", action="store_true", help="measure also on degraded held-out images")
    return parser


if __name__ == "__main__":
    training_options.main(command_line(), run)
