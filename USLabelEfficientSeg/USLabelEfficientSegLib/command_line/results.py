"""A trained model and new images: segment them, or calibrate the model on held-out ones."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from . import image_results
from .console import console, shell
from .long_commands import Overwrite, long_command, outputs_of
from .options import DeviceName, PixelSize, PixelTable
from .result_output import checksum_of_model, refuse_pixel_sizes, save_model
from .segmenting import (
    AsJson,
    Images,
    LabelFormat,
    Probability,
    Results,
    Uncertainty,
    idle_processors,
    segment_volumes,
)


@long_command
def segment(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Folder of a trained study, or a model file.", show_default=False)
    ],
    images: Images,
    output: Results,
    probability: Probability = False,
    uncertainty: Uncertainty = False,
    label_format: LabelFormat = "nrrd",
    device: DeviceName = "auto",
    as_json: AsJson = False,
    pixel_sizes: PixelTable = None,
    pixel_size: PixelSize = None,
    overwrite: Overwrite = False,
) -> None:
    """Find the organs in ultrasound volumes or 2-D images.

    Each volume NAME gives NAME.nrrd, a label map on exactly the grid of the volume, with the names of the organs
    (3D Slicer shows them with --format seg.nrrd), and NAME_measurements.json: volumes with their 90 % prediction
    intervals, and reasons for caution. A volume is the sum of an organ's probabilities. It holds, with its interval,
    for the model's own outline: once you correct an organ, the corrected outline counts, without an interval. The
    other organs keep theirs.

    Earlier results of the same names are replaced, unless they were corrected or are of another program: see
    --overwrite. If an image cannot be segmented, the others are done all the same, and the exit code is 2.

    With the model of a study of 2-D images, areas and the circumferences of the fitted ellipses are measured. PNG,
    JPEG and other files without pixel size need --pixel-sizes or --pixel-size.

    \b
    Examples:
      uslabelseg segment my-study patient7.nii.gz --output segmentations
      uslabelseg segment my-study new-volumes --output segmentations --probability --uncertainty
      uslabelseg segment heads new-png --pixel-sizes sizes.csv --output segmentations
    """
    console.getting_ready()

    from ..disk.kinds import check_order
    from ..imaging.pixel_sizes import read_pixel_sizes
    from ..segmentation.model import choose_device
    from ..segmentation.segment_files import images_by_name, load_model
    from ..segmentation.segment_images import model_dimension
    from ..training.memory import tune_memory

    check_order("segment", model, images)
    where, sizes = choose_device(device), read_pixel_sizes(pixel_sizes, pixel_size)
    console.results_elsewhere = as_json
    if model_dimension(model) == 2:
        if label_format != "nrrd":
            raise InputError(f"--format {label_format}", "is for volumes, not for 2-D images", "leave it out")
        image_results.segment(
            model,
            images,
            output,
            where,
            sizes,
            probability=probability,
            uncertainty=uncertainty,
            overwrite=overwrite,
            as_json=as_json,
        )
        return
    refuse_pixel_sizes(sizes)
    processors = idle_processors(where)
    found = images_by_name(images)
    trained = load_model(model)
    tune_memory()
    segment_volumes(
        trained,
        found,
        output,
        where,
        processors,
        outputs_of(overwrite, [model, *images]),
        probability=probability,
        uncertainty=uncertainty,
        label_format=label_format,
        as_json=as_json,
    )
    console.next(f"uslabelseg measure {shell(output)} --output volumes.csv")


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

    from ..disk.kinds import check_order
    from ..imaging.files import find_images
    from ..imaging.pixel_sizes import read_pixel_sizes
    from ..method.calibrating import calibrated_on_volumes
    from ..segmentation.model import choose_device
    from ..segmentation.segment_files import load_model
    from ..segmentation.segment_images import model_dimension
    from ..training.memory import tune_memory

    check_order("calibrate", model, [images, references])
    where, sizes = choose_device(device), read_pixel_sizes(pixel_sizes, pixel_size)
    if model_dimension(model) == 2:
        image_results.calibrate(model, images, references, where, sizes)
        return
    refuse_pixel_sizes(sizes)
    was = checksum_of_model(model)
    trained, found, labels = load_model(model), find_images(images), find_images(references, labels=True)
    tune_memory()
    better = calibrated_on_volumes(trained, found, labels, where)
    file = save_model(model, better, was)
    assert better.calibration is not None
    for organ, factors in zip(better.organs, better.calibration.factors, strict=True):
        assert factors is not None
        console.say(f"{organ}: the true volume is {factors[0]:.2f} to {factors[1]:.2f} times the measured one (90 %)")
    console.say(f"{file}: calibrated on {len(found)} volumes; it replaces the model with its earlier intervals")
    console.next(f"uslabelseg segment {shell(model)} IMAGE... --output segmentations")
