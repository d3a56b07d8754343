"""The command `measure`: segmentations become a table of volumes or areas."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from .cohorts import ClusterAddress, Workers, where_of
from .console import console
from .long_commands import Overwrite, end_batch, end_if_none_is_left, long_command, outputs_of, told_failures
from .options import OrganNames, PixelSize, PixelTable, parse_organs
from .result_output import next_report, print_flags, refuse_pixel_sizes_of_volumes

if TYPE_CHECKING:
    from ..segmentation.loading import TrainedModel


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
        typer.Option(
            metavar="DIR|FILE",
            help="The images by name, to see whether organs reach out of the sector of a volume; 2-D images tell "
            "the pixel sizes of their segmentations.",
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help="Trained study or model file, to warn of organs unlike those it knows."),
    ] = None,
    pixel_sizes: PixelTable = None,
    pixel_size: PixelSize = None,
    workers: Workers = None,
    cluster: ClusterAddress = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure the volume of every organ in millilitres, its shape and place, and reasons for caution.

    volume_ml is the number to report. For an organ as `segment` left it (saving it unchanged is no edit), it is the
    sum of its probabilities, with an interval. For an edited organ it is the volume of the outline, without an
    interval and with the flag "edited". outline_volume_ml is the volume of the counted voxels. A FILE that ends in
    .json is written for programs. Segmented 2-D images give areas, perimeters and fitted ellipses.

    \b
    Examples:
      uslabelseg measure segmentations --output volumes.csv
      uslabelseg measure segmentations --output volumes.csv --workers 8
      uslabelseg measure head-segmentations --output areas.csv
    """
    from ..imaging.pixel_sizes import read_pixel_sizes
    from ..imaging.scan_files import dimension_of_files

    sizes = read_pixel_sizes(pixel_sizes, pixel_size)
    outputs = outputs_of(overwrite, [*segmentations, images, model, pixel_sizes], output, texts=True)
    dimension = dimension_of_files(segmentations)
    refuse_pixel_sizes_of_volumes(sizes, dimension)
    names = parse_organs(organs)
    if (cohort := where_of(workers, cluster)) is not None:
        from .cohort_measuring import Measuring, measure_cohort

        named = tuple(names) if names else None
        work = Measuring(dimension, named, images is not None, model, "", pixel_sizes, pixel_size)
        measure_cohort(cohort, work, segmentations, images, output, outputs)
        console.next(next_report(segmentations, images))
        return
    from ..measurement.measuring import measure_files
    from ..measurement.record import write_measurements
    from ..measurement.segmentation_files import images_in
    from ..measurement.tables import write_measurements_csv

    known = None if model is None else _model(model)
    failures = told_failures()
    rows = measure_files(
        segmentations,
        names if names or known is None else known.organs,
        images=None if images is None else images_in(images, segmentations),
        statistics=None if known is None else known.statistics,
        sizes=sizes,
        failures=failures,
    )
    end_if_none_is_left(failures)
    with outputs.written(output) as (file,):
        (write_measurements if output.suffix == ".json" else write_measurements_csv)(file, rows)
    measured = f"{rows[0].headline[0].name}s"
    console.say(f"{output}: {len(rows)} {measured} of {len({row.case for row in rows})} segmentations")
    print_flags(rows)
    end_batch(failures)
    console.next(next_report(segmentations, images))


def _model(path: Path) -> "TrainedModel":
    """A model that knows its training images."""
    from ..segmentation.loading import load_model

    model = load_model(path)
    if model.statistics is None:
        raise InputError(path, "knows nothing of the images that it was trained on", "train it with this version")
    return model
