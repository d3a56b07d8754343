"""What a trained study is for: segment, measure, evaluate."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from ..text.numbers import three_digits
from . import image_results
from .console import console, shell
from .long_commands import Overwrite, end_batch, end_if_none_is_left, long_command, outputs_of, told_failures
from .options import DeviceName, OrganNames, PixelSize, PixelTable, parse_organs
from .result_output import (
    Column,
    checksum_of_model,
    next_report,
    print_flags,
    print_left_out,
    print_summary,
    save_model,
    tables_of,
)
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

_ERRORS = (
    Column(
        "|Outline volume error|, %",
        "absolute_outline_volume_error_percent",
        lambda summary: three_digits(summary.median, least_decimals=1),
    ),
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
    (3D Slicer shows them with --format seg.nrrd), and NAME_measurements.json: volumes with their
    90 % prediction intervals, and reasons for caution. Volume is the sum of an organ's probabilities, and with its
    interval it holds for the outline that the model has made: of an organ that is corrected later, the corrected
    outline counts and there is no interval; the other organs keep theirs.

    Earlier results of the same names are replaced, unless they were corrected since or are not of this program: see
    --overwrite. An image that cannot be segmented is told, the others are done, and the exit code is 2.

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
    image_results.refuse_pixel_sizes(sizes)
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
def measure(
    segmentations: Annotated[
        list[Path],
        typer.Argument(metavar="SEGMENTATION...", help="Files or folders of segmentations.", show_default=False),
    ],
    output: Annotated[Path, typer.Option(metavar="FILE", help="Table of volumes or areas (CSV).", show_default=False)],
    organs: OrganNames = None,
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the images, to see whether organs reach out of the sector."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help="Trained study or model file, to warn of organs unlike those it knows."),
    ] = None,
    pixel_sizes: PixelTable = None,
    pixel_size: PixelSize = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure the volume of every organ in millilitres, its shape and place, and reasons for caution.

    volume_ml is the number to report: what `segment` has measured, the sum of an organ's probabilities with its
    interval, for every organ that was not edited since (saving it unchanged is no edit); of an edited organ its
    outline, without an interval and with the flag "edited". outline_volume_ml is the counted voxels. A FILE that ends
    in .json is written for programs. Of segmented 2-D images areas, perimeters and fitted ellipses are measured.

    \b
    Examples:
      uslabelseg measure segmentations --output volumes.csv
      uslabelseg measure head-segmentations --output areas.csv
    """
    from ..imaging.files import find_images
    from ..imaging.image_files import dimension_of_files
    from ..imaging.pixel_sizes import read_pixel_sizes
    from ..measurement.segmentation_files import measure_files
    from ..measurement.tables import write_measurements, write_volumes_csv

    sizes = read_pixel_sizes(pixel_sizes, pixel_size)
    outputs = outputs_of(overwrite, [*segmentations, images, model, pixel_sizes], output, texts=True)
    if dimension_of_files(segmentations) == 2:
        for option, value in {"--images": images, "--model": model}.items():
            if value is not None:
                raise InputError(option, "is for volumes, and these are 2-D images", "leave it out")
        image_results.measure(segmentations, output, outputs, parse_organs(organs), sizes)
        return
    image_results.refuse_pixel_sizes(sizes)
    known = None if images is None else find_images(images)
    statistics = None
    if model is not None:
        from ..segmentation.segment_files import load_model

        statistics = load_model(model).statistics
        if statistics is None:
            raise InputError(model, "knows nothing of the volumes it was trained on", "train it with this version")
    failures = told_failures()
    rows = measure_files(segmentations, parse_organs(organs), images=known, statistics=statistics, failures=failures)
    end_if_none_is_left(failures)
    with outputs.written(output) as (file,):
        (write_measurements if output.suffix == ".json" else write_volumes_csv)(file, rows)
    console.say(f"{output}: {len(rows)} volumes of {len({row.case for row in rows})} segmentations")
    print_flags(rows)
    end_batch(failures)
    console.next(next_report(segmentations, images))


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

    Training calibrates them on the labelled slices, which is cautious. At least 9 volumes that the model was not
    trained on give intervals that are exact for volumes of their kind; from 19 on they correct a bias of the model,
    too. Training the study again calibrates on slices again. A model of 2-D images has no intervals without this.

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
    image_results.refuse_pixel_sizes(sizes)
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


@long_command
def evaluate(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="Folder of segmentations.", show_default=False)
    ],
    references: Annotated[
        Path, typer.Argument(metavar="REFERENCES", help="Folder of complete label maps.", show_default=False)
    ],
    output: Annotated[Path, typer.Option(metavar="FILE", help="Table of metrics (CSV).", show_default=False)],
    organs: OrganNames = None,
    pixel_sizes: PixelTable = None,
    pixel_size: PixelSize = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare segmentations with references that an expert has drawn.

    Writes Dice overlap, surface distances (HD95, average) and volume errors of each case and organ, and beside
    them a summary FILE_summary.csv; of 2-D images the errors of area and circumference. Files are paired by name;
    references without a segmentation are left out.

    \b
    Example:
      uslabelseg evaluate segmentations expert-labels --output metrics.csv
    """
    from ..evaluation.evaluate import (
        evaluate_pairs,
        organs_of,
        pair_folders,
        readable_pairs,
        summarise,
        write_metrics_csv,
    )
    from ..imaging.image_files import dimension_of_files
    from ..imaging.pixel_sizes import read_pixel_sizes

    sizes = read_pixel_sizes(pixel_sizes, pixel_size)
    if not predictions.is_dir() or not references.is_dir():
        missing = references if predictions.is_dir() else predictions
        raise InputError(missing, "is not a folder", "give the folder of the label maps")
    outputs = outputs_of(overwrite, [predictions, references, pixel_sizes], *tables_of(output), texts=True)
    if dimension_of_files([predictions]) == 2:
        image_results.evaluate(predictions, references, output, outputs, parse_organs(organs), sizes)
        return
    image_results.refuse_pixel_sizes(sizes)
    pairs, left_out = pair_folders(predictions, references)
    failures, names = told_failures(), parse_organs(organs)
    failures.of = len(pairs)
    if names is None:
        pairs = readable_pairs(pairs, failures)
        end_if_none_is_left(failures)
        names = organs_of(pairs)
    rows = evaluate_pairs(pairs, names, failures)
    end_if_none_is_left(failures)
    with outputs.written(*tables_of(output)) as files:
        write_metrics_csv(files[0], rows)
    print_left_out(len(left_out))
    print_summary(summarise(rows), _ERRORS)
    console.say("Mean over the cases; median for the error of the outline volume.")
    console.say(f"Wrote {' and '.join(map(str, tables_of(output)))}")
    end_batch(failures)
    console.next(next_report([predictions], references=references))
