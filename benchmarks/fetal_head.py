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
import copy
import csv
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import training_options
from monai.networks.nets import UNet
from scipy.ndimage import binary_fill_holes
from scipy.ndimage import label as connected_components
from torch import Tensor, nn
from trus import TEST_SPLIT, VALIDATION_SPLIT, held_out_cases

from USLabelEfficientSegLib.command_line.options import parse_changes
from USLabelEfficientSegLib.divergence.averaging import update_average
from USLabelEfficientSegLib.divergence.images import TrainingImages, image_pixel_size, network_input, prepare_images
from USLabelEfficientSegLib.divergence.losses import supervised_loss
from USLabelEfficientSegLib.divergence.prediction import predict_images
from USLabelEfficientSegLib.divergence.training import (
    AVERAGE_DECAY,
    GRADIENT_NORM,
    draw_batch,
    make_optimizer,
    set_learning_rates,
    train_pair,
)
from USLabelEfficientSegLib.divergence.unext import UNeXt
from USLabelEfficientSegLib.evaluation.metrics import dice, surface_distances
from USLabelEfficientSegLib.imaging.image_files import read_image, read_image_labels
from USLabelEfficientSegLib.imaging.pixel_sizes import read_pixel_sizes
from USLabelEfficientSegLib.measurement.planar import fitted_ellipse
from USLabelEfficientSegLib.segmentation.model import choose_device
from USLabelEfficientSegLib.study.events import EventLog
from USLabelEfficientSegLib.study.loop import TrainingState, run_training
from USLabelEfficientSegLib.study.settings import DivergenceSettings, changed, preset

CALIBRATION_STEPS = 8
UNET_LEARNING_RATE = 1e-3
TEST_SHARE = 0.2
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

Train = Callable[[TrainingImages, DivergenceSettings, Path, int, torch.device], nn.Module]


@dataclass(frozen=True)
class Head:
    """One image (h, w) in [0, 1] with its mask, pixel size in mm (rows, columns) and head circumference."""

    name: str
    subject: str
    image: Tensor
    mask: Tensor
    pixel_size: tuple[float, float]
    circumference_mm: float


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


def read_heads(data: Path) -> list[Head]:
    """All images of the folder."""
    heads, sizes = [], read_pixel_sizes(data / "cases.csv")
    with (data / "cases.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            image = read_image(data / "images" / row["file"], sizes)
            mask = read_image_labels(data / "labels" / row["file"], image.geometry)
            heads.append(
                Head(
                    row["file"],
                    row["subject"],
                    torch.from_numpy(image.voxels[..., 0].T.astype(np.float32) / 255),
                    torch.from_numpy(mask.voxels[..., 0].T > 0),
                    image_pixel_size(image.geometry),
                    float(row["head_circumference_mm"]),
                )
            )
    return heads


def few_labels(heads: Sequence[Head], count: int, seed: int, image_size: int) -> TrainingImages:
    """All images, with the labels of `count` random ones."""
    labelled = set(np.random.default_rng(seed).choice(len(heads), count, replace=False).tolist())
    return prepare_images(
        [head.image for head in heads],
        [head.mask.long() if number in labelled else None for number, head in enumerate(heads)],
        [head.pixel_size for head in heads],
        classes=2,
        image_size=image_size,
    )


def train_unext(
    images: TrainingImages, settings: DivergenceSettings, folder: Path, seed: int, device: torch.device
) -> nn.Module:
    """IDL: both networks are trained, UNeXt is kept."""
    pair = train_pair(
        images,
        settings,
        checkpoint_path=folder / "pair.safetensors",
        seed=seed,
        events=EventLog(folder / "events.jsonl"),
        device=device,
    )
    return pair.unext


def train_unet(
    images: TrainingImages, settings: DivergenceSettings, folder: Path, seed: int, device: torch.device
) -> nn.Module:
    """The rival: MONAI's residual U-Net on the labelled images alone, everything else alike."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = UNet(2, 3, images.classes, channels=(16, 32, 64, 128, 256), strides=(2, 2, 2, 2), num_res_units=2)
    padded = PaddedToWholeCells(network, 16).to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(padded).eval().requires_grad_(False)
    optimizer = make_optimizer({padded: UNET_LEARNING_RATE}, settings)

    def step_function(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        set_learning_rates(optimizer, step, settings)
        batch = draw_batch(images, settings, 0, generator).to(device)
        loss = supervised_loss(padded(network_input(batch.strong)), batch.target, batch.weight)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(padded.parameters(), GRADIENT_NORM)
        optimizer.step()
        update_average(average, padded, step, AVERAGE_DECAY)
        return {"loss": loss}

    run_training(
        stage="u-net",
        steps=settings.steps,
        state=TrainingState({"network": padded, "average": average}, optimizer),
        step_function=step_function,
        checkpoint_path=folder / "unet.safetensors",
        seed=seed,
        events=EventLog(folder / "events.jsonl"),
        settings={**settings.model_dump(mode="json"), "images": images.digest()},
    )
    return average


class PaddedToWholeCells(nn.Module):
    """Pads images to multiples of `side`, as a network with pooling wants, and crops its output."""

    def __init__(self, network: nn.Module, side: int) -> None:
        super().__init__()
        self.network = network
        self.side = side

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the size of the images."""
        height, width = images.shape[2:]
        padded = nn.functional.pad(images, (0, -width % self.side, 0, -height % self.side))
        return self.network(padded)[:, :, :height, :width]


def train_for(
    seconds: float, train: Train, images: TrainingImages, settings: DivergenceSettings, seed: int, device: torch.device
) -> tuple[nn.Module, int, float]:
    """Train with as many steps as fit into the wall-clock, by the measured time of a few: network, steps, seconds."""
    with tempfile.TemporaryDirectory() as temporary:

        def timed(name: str, steps: int) -> tuple[nn.Module, float]:
            started = time.monotonic()
            # Every term from the first step on, or the first steps would be too fast to judge by.
            early = {"interpolation_start": 0.0} if name != "run" else {}
            chosen = settings.model_copy(update={"steps": steps, **early})
            return train(images, chosen, Path(temporary) / name, seed, device), time.monotonic() - started

        timed("warm-up", 2)
        start = timed("start", 2)[1]
        step_seconds = (timed("calibration", 2 + CALIBRATION_STEPS)[1] - start) / CALIBRATION_STEPS
        steps = max(1, round((seconds - start) / step_seconds))
        network, taken = timed("run", steps)
        return network, steps, taken


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


def split(heads: Sequence[Head], validation: bool) -> tuple[list[Head], list[Head]]:
    """Training and held-out images, of different subjects; with `validation` neither is of the test subjects."""
    groups: Mapping[str, str] = {head.name: head.subject for head in heads}
    held_out = held_out_cases(groups, TEST_SHARE, TEST_SPLIT)
    if validation:
        groups = {name: subject for name, subject in groups.items() if name not in held_out}
        held_out = held_out_cases(groups, TEST_SHARE, VALIDATION_SPLIT)
    return (
        [head for head in heads if head.name in groups and head.name not in held_out],
        [head for head in heads if head.name in held_out],
    )


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
