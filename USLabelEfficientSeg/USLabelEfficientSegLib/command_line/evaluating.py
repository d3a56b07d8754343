"""The command `evaluate`: compare segmentations with references."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from ..text.numbers import three_digits
from .console import console
from .long_commands import Overwrite, end_batch, end_if_none_is_left, long_command, outputs_of, told_failures
from .options import OrganNames, PixelSize, PixelTable, parse_organs
from .result_output import next_report, refuse_pixel_sizes_of_volumes

if TYPE_CHECKING:
    from ..evaluation.summary import MetricSummary


@dataclass(frozen=True)
class Column:
    """A metric in the table of an evaluation."""

    heading: str
    metric: str
    text: Callable[["MetricSummary"], str]


_COLUMNS = (
    Column("Dice", "dice", lambda summary: f"{summary.mean:.3f}"),
    Column("HD95, mm", "hausdorff_95_mm", lambda summary: three_digits(summary.mean, least_decimals=2)),
    Column("ASD, mm", "average_surface_distance_mm", lambda summary: three_digits(summary.mean, least_decimals=2)),
    Column(
        "|Outline volume error|, %",
        "absolute_outline_volume_error_percent",
        lambda summary: three_digits(summary.median, least_decimals=1),
    ),
    Column(
        "|Outline area error|, %",
        "absolute_outline_area_error_percent",
        lambda summary: three_digits(summary.median, least_decimals=1),
    ),
    Column(
        "|Circumf. error|, mm",
        "absolute_circumference_error_mm",
        lambda summary: three_digits(summary.mean, least_decimals=2),
    ),
)


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

    Writes Dice overlap, surface distances (HD95, average) and volume errors of each case and organ, and a summary
    FILE_summary.csv; for 2-D images, errors of area and circumference. Files are paired by name; references without a
    segmentation are left out.

    \b
    Example:
      uslabelseg evaluate segmentations expert-labels --output metrics.csv
    """
    from ..evaluation.evaluate import evaluate_pairs, organs_of, pair_folders
    from ..evaluation.summary import summarise, write_metrics_csv
    from ..imaging.pixel_sizes import read_pixel_sizes
    from ..imaging.scan_files import dimension_of_files

    sizes = read_pixel_sizes(pixel_sizes, pixel_size)
    if not predictions.is_dir() or not references.is_dir():
        missing = references if predictions.is_dir() else predictions
        raise InputError(missing, "is not a folder", "give the folder of the label maps")
    tables = tables_of(output)
    outputs = outputs_of(overwrite, [predictions, references, pixel_sizes], *tables, texts=True)
    refuse_pixel_sizes_of_volumes(sizes, dimension_of_files([predictions]))
    pairs, left_out = pair_folders(predictions, references)
    failures, names = told_failures(), parse_organs(organs)
    failures.of = len(pairs)
    if names is None:
        names, pairs = organs_of(pairs, failures, sizes)
        end_if_none_is_left(failures)
    rows = evaluate_pairs(pairs, names, failures, sizes)
    end_if_none_is_left(failures)
    with outputs.written(*tables) as files:
        write_metrics_csv(files[0], rows)
    print_left_out(len(left_out))
    print_summary(summarise(rows))
    console.say(f"Mean over the cases; median for the error of the outline {rows[0].size.quantity}.")
    console.say(f"Wrote {' and '.join(map(str, tables))}")
    end_batch(failures)
    console.next(next_report([predictions], references=references))


def tables_of(output: Path) -> list[Path]:
    """The tables of an evaluation: of the cases and, unless it is a stream, `*_summary` beside it."""
    from ..disk.outputs import is_stream

    summary = output.with_name(f"{output.stem}_summary{output.suffix}")
    return [output] if is_stream(output) else [output, summary]


def print_summary(summaries: Sequence["MetricSummary"]) -> None:
    """Overlap, surface distances and errors, a row an organ."""
    values = {(summary.organ, summary.metric): summary for summary in summaries}
    told = {summary.metric for summary in summaries}
    columns = [column for column in _COLUMNS if column.metric in told]
    rows = []
    for organ in dict.fromkeys(summary.organ for summary in summaries):
        cells = [column.text(values[organ, column.metric]) for column in columns]
        dice = values[organ, "dice"]
        rows.append([organ, *cells, str(dice.cases), str(dice.missed)])
    console.table(["Organ", *(column.heading for column in columns), "Cases", "Missed"], rows)


def print_left_out(count: int) -> None:
    """Number of references without a prediction."""
    if count:
        have = "reference has" if count == 1 else "references have"
        console.say(f"{count} {have} no prediction and {'is' if count == 1 else 'are'} left out.")
