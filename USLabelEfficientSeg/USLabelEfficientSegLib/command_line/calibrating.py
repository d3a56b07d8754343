"""The command `calibrate`: prediction intervals from held-out scans."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from ..imaging.dimension import words_of
from .console import console, shell
from .long_commands import long_command
from .options import DeviceName, PixelSize, PixelTable
from .result_output import checksum_of_model, refuse_pixel_sizes_of_volumes, save_model


@long_command
def calibrate(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Folder of a trained study, or a model file.", show_default=False)
    ],
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="Folder of held-out images.", show_default=False)],
    references: Annotated[
        Path, typer.Argument(metavar="REFERENCES", help="Folder of their complete label maps.", show_default=False)
    ],
    device: DeviceName = "auto",
    pixel_sizes: PixelTable = None,
    pixel_size: PixelSize = None,
) -> None:
    """Calibrate the intervals of a model on held-out volumes or 2-D images that are labelled completely.

    Training calibrates them on the labelled slices, which is cautious. At least 9 held-out volumes give exact intervals
    for volumes of their kind; from 19 on they correct a bias of the model, too. Training the study again calibrates on
    slices again. A model of 2-D images has no intervals without this command.

    \b
    Example:
      uslabelseg calibrate my-study held-out/images held-out/labels
    """
    console.getting_ready()

    from ..disk.kinds import check_order, is_export
    from ..imaging.files import find_images
    from ..imaging.pixel_sizes import read_pixel_sizes
    from ..method.held_out_calibration import calibrated_on_scans
    from ..segmentation.loading import load_model
    from ..segmentation.model import choose_device
    from ..training.memory import tune_memory

    check_order("calibrate", model, [images, references])
    if is_export(model):
        problem = "is an exported model, whose card tells how its intervals are calibrated"
        raise InputError(model, problem, "calibrate the study that it was exported from, and export it again")
    where, sizes = choose_device(device), read_pixel_sizes(pixel_sizes, pixel_size)
    was = checksum_of_model(model)
    trained = load_model(model)
    refuse_pixel_sizes_of_volumes(sizes, trained.dimension)
    dimension = trained.dimension
    found, labels = find_images(images, dimension), find_images(references, dimension, labels=True)
    tune_memory()
    better = calibrated_on_scans(trained, found, labels, where, sizes)
    file = save_model(model, better, was)
    assert better.calibration is not None
    for label, organ in enumerate(better.organs):
        factors = {name: of_all[label] for name, of_all in better.calibration.factors.items()}
        ranges = ", ".join(f"{name} is {one[0]:.2f} to {one[1]:.2f} times" for name, one in factors.items() if one)
        console.say(f"{organ}: the true {ranges} the measured one (90 %)")
    scans = words_of(dimension).scans
    console.say(f"{file}: calibrated on {len(found)} {scans}; it replaces the model with its earlier intervals")
    console.next(f"uslabelseg segment {shell(model)} IMAGE... --output segmentations")
