"""Fetal heads from 4, 8 and 40 labelled images, split by subject: IDL's UNeXt beside a U-Net on the labels alone.

    python benchmarks/fetal_head.py DATA --fractions 0.005,0.01,0.05 --seeds 0,1,2 --seconds 1800 --output DIR
    python benchmarks/fetal_head.py DATA --fractions 0.01 --seeds 0 --seconds 900 --ablation --output DIR

DATA holds `images`, filled `labels` and `cases.csv` with the columns `file`, `subject`, `pixel_width_mm`,
`pixel_height_mm` and `head_circumference_mm`. Both methods get the same images, augmentation, moving average and
wall-clock: seconds a step are measured first, and give the steps of the learning-rate schedule. A fraction is one of
all images of DATA. Settings are tuned with `--validation`, which never looks at the held-out subjects.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import training_options
from fetal_head_data import Head, few_labels, read_heads, split
from fetal_head_training import Train, train_for, train_unet, train_unext
from scipy.ndimage import binary_fill_holes
from scipy.ndimage import label as connected_components
from torch import nn

from USLabelEfficientSegLib.command_line.options import parse_changes
from USLabelEfficientSegLib.divergence.images import network_input
from USLabelEfficientSegLib.divergence.prediction import predict_images
from USLabelEfficientSegLib.divergence.unext import UNeXt
from USLabelEfficientSegLib.evaluation.metrics import dice, surface_distances
from USLabelEfficientSegLib.measurement.planar import fitted_ellipse
from USLabelEfficientSegLib.segmentation.model import choose_device
from USLabelEfficientSegLib.study.settings import DivergenceSettings, changed, preset

#: rows of the ablation table: what is switched off
ABLATIONS: dict[str, dict[str, object]] = {
    "all terms": {},
    "no cross supervision": {"divergence.cross_supervision": 0},
    "no information divergence": {"divergence.information_divergence": 0},
    "no interpolation": {"divergence.interpolation": 0},
    "no strong views": {"divergence.strong_views": False},
    "labels alone": {
        "divergence.cross_supervision": 0,
        "divergence.information_divergence": 0,
        "divergence.interpolation": 0,
    },
}


@dataclass(frozen=True)
class HeadResult:
    """One held-out image under one trained network."""

    fraction: float
    seed: int
    method: str
    name: str
    dice: float
    hausdorff_95_mm: float
    average_surface_distance_mm: float
    circumference_mm: float
    reference_circumference_mm: float

    @property
    def circumference_error_mm(self) -> float:
        """Absolute error; an empty mask has circumference 0."""
        return abs(self.circumference_mm - self.reference_circumference_mm)


def evaluate(
    network: nn.Module, heads: Sequence[Head], image_size: int, fraction: float, seed: int, method: str
) -> Iterator[HeadResult]:
    """Every held-out image at its own pixels; the mask is the largest component, without holes."""
    for head in heads:
        probability = predict_images(network, head.image[None], head.pixel_size, image_size, mirrored=True)
        mask, reference = one_body((probability[0, 1] > 0.5).numpy()), head.mask.numpy()
        distances = surface_distances(mask, reference, head.pixel_size)
        yield HeadResult(
            fraction,
            seed,
            method,
            head.name,
            dice(mask, reference),
            distances.hausdorff_95,
            distances.average,
            fitted_ellipse(mask, head.pixel_size).circumference_mm if mask.any() else 0.0,
            head.circumference_mm,
        )


def one_body(mask: np.ndarray) -> np.ndarray:
    """The largest connected component with its holes filled."""
    components, count = connected_components(mask)
    if count == 0:
        return mask
    sizes = np.bincount(components.ravel())[1:]
    return binary_fill_holes(components == 1 + sizes.argmax())


def summary(results: Sequence[HeadResult]) -> str:
    """Mean over images and seeds; the spread is that of the seeds' means."""
    seeds = sorted({result.seed for result in results})
    means = [statistics.fmean(r.dice for r in results if r.seed == seed) for seed in seeds]
    spread = f" ({min(means):.4f} to {max(means):.4f})" if len(means) > 1 else ""
    return (
        f"Dice {statistics.fmean(means):.4f}{spread}, circumference error "
        f"{statistics.fmean(r.circumference_error_mm for r in results):.2f} mm, HD95 "
        f"{np.nanmean([r.hausdorff_95_mm for r in results]):.2f} mm, ASD "
        f"{np.nanmean([r.average_surface_distance_mm for r in results]):.2f} mm"
    )


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
    print(f"{len(training)} training images, {len(held_out)} {part} images of other subjects, {device}", flush=True)
    print(f"UNeXt, one 320 x 216 image, one core: {1000 * inference_seconds(UNeXt(2)):.0f} ms", flush=True)

    base = changed(preset(arguments.preset), parse_changes(arguments.set))
    arms: dict[str, tuple[Train, DivergenceSettings]] = {}
    if arguments.ablation:
        arms = {name: (train_unext, changed(base, off).divergence) for name, off in ABLATIONS.items()}
    else:
        known: dict[str, Train] = {"information divergence": train_unext, "labelled u-net": train_unet}
        arms = {name: (known[name], base.divergence) for name in arguments.methods}
    results: list[HeadResult] = []
    for fraction in arguments.fractions:
        count = max(1, round(fraction * len(heads)))
        for name, (train, settings) in arms.items():
            for seed in arguments.seeds:
                images = few_labels(training, count, seed, settings.image_size)
                network, steps, seconds = train_for(arguments.seconds, train, images, settings, seed, device)
                now = list(evaluate(network, held_out, settings.image_size, fraction, seed, name))
                results += now
                write_results(arguments.output / f"{part}-cases.csv", results)
                took = f"{steps} steps in {seconds:.0f} s"
                print(f"{count} labels, {name}, seed {seed}: {summary(now)}; {took}", flush=True)
    print(f"\n{part}, mean of {len(arguments.seeds)} seeds:")
    for fraction in arguments.fractions:
        for name in arms:
            chosen = [r for r in results if r.fraction == fraction and r.method == name]
            print(f"{fraction:.2%}, {name}: {summary(chosen)}")


def write_results(path: Path, results: Sequence[HeadResult]) -> None:
    """One line an image and network."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, asdict(results[0]))
        writer.writeheader()
        writer.writerows(asdict(result) for result in results)


def main() -> None:
    """Parse the command line and run."""
    parser = training_options.training_parser(__doc__)
    parser.add_argument("--fractions", type=training_options.list_of(float), default=[0.005, 0.01, 0.05])
    parser.add_argument("--seconds", type=float, default=1800, help="wall-clock of each training")
    parser.add_argument(
        "--methods",
        type=training_options.list_of(str),
        default=["information divergence", "labelled u-net"],
        help="'information divergence', 'labelled u-net' or both, separated by a comma",
    )
    parser.add_argument("--ablation", action="store_true", help="IDL with each of its parts switched off instead")
    training_options.main(parser, run)


if __name__ == "__main__":
    main()
