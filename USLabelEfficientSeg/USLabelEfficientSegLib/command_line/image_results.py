"""The commands of `results` for 2-D images."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..text.counting import counted_of
from ..text.durations import duration
from .console import console, shell
from .long_commands import end_batch, outputs_of, told_failures
from .result_lines import result_line, result_text
from .result_output import checksum_of_model, print_flags, save_model

if TYPE_CHECKING:
    import torch

    from ..imaging.pixel_sizes import PixelSizes


def segment(
    model: Path,
    images: Sequence[Path],
    output: Path,
    device: "torch.device",
    sizes: "PixelSizes",
    *,
    probability: bool,
    uncertainty: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Segment and measure images, and print a line for each."""
    from ..measurement.measured_images import segment_and_measure_images
    from ..segmentation.segment_files import images_by_name
    from ..segmentation.segment_images import load_image_model
    from ..training.memory import tune_memory

    found, trained = images_by_name(images, dimension=2), load_image_model(model)
    tune_memory()
    failures = told_failures()
    started = time.monotonic()
    results = segment_and_measure_images(
        trained,
        found,
        output,
        device,
        pixel_sizes=sizes,
        probability=probability,
        uncertainty=uncertainty,
        outputs=outputs_of(overwrite, [model, *images]),
        failures=failures,
    )
    for result in counted_of(results, len(found), "segmenting"):
        if as_json:
            print(result_line(result.path, result.rows), flush=True)
            continue
        console.say(f"{result.path}: {result_text(result.rows)} ({duration(time.monotonic() - started)})")
        print_flags(result.rows)
        started = time.monotonic()
    end_batch(failures)
    console.next(f"uslabelseg measure {shell(output)} --output areas.csv")


def calibrate(model: Path, images: Path, references: Path, device: "torch.device", sizes: "PixelSizes") -> None:
    """Calibrate a model on held-out labelled images, and store it."""
    from ..imaging.files import find_images
    from ..method.image_calibrating import calibrated_on_images
    from ..segmentation.segment_images import load_image_model
    from ..training.memory import tune_memory

    was = checksum_of_model(model)
    trained = load_image_model(model)
    found, labels = find_images(images, pictures=True), find_images(references, pictures=True, labels=True)
    tune_memory()
    better = calibrated_on_images(trained, found, labels, device, sizes)
    file = save_model(model, better, was)
    assert better.calibration is not None
    for organ, area, length in zip(
        better.organs, better.calibration.area, better.calibration.circumference, strict=True
    ):
        ranges = f"area is {area[0]:.2f} to {area[1]:.2f} times, circumference {length[0]:.2f} to {length[1]:.2f} times"
        console.say(f"{organ}: the true {ranges} the measured one (90 %)")
    console.say(f"{file}: calibrated on {len(found)} images; it replaces the model with its earlier intervals")
    console.next(f"uslabelseg segment {shell(model)} IMAGE... --output segmentations")
