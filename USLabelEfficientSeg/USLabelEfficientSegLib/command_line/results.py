"""What a trained study is for: segment, measure, evaluate."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..errors import InputError
from .options import DeviceName, OrganNames, StudyFolder, parse_organs
from .progress import duration

if TYPE_CHECKING:
    from ..evaluation.evaluate import MetricSummary


def segment(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Folder of a trained study, or a model file.", show_default=False)
    ],
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE...", help="Files, DICOM folders or folders of images.", show_default=False),
    ],
    output: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the results.", show_default=False)],
    probability: Annotated[
        bool, typer.Option("--probability", help="Write NAME_probability.nrrd, too: the probability of each class.")
    ] = False,
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Write NAME_uncertainty.nrrd, too: 0 certain to 1 unknown.")
    ] = False,
    device: DeviceName = "auto",
) -> None:
    """Find the organs in ultrasound volumes.

    Each volume NAME gives NAME.nrrd, a label map on exactly the grid of the volume, with the names of the organs
    (3D Slicer shows them when the file is renamed to NAME.seg.nrrd). With --probability the volume of an organ can
    be measured more exactly than by counting voxels.

    \b
    Examples:
      uslabelseg segment my-study patient7.nii.gz --output segmentations
      uslabelseg segment my-study new-volumes --output segmentations --probability --uncertainty
    """
    from ..segmentation.model import choose_device
    from ..segmentation.segment_files import images_by_name, load_model, segment_files
    from ..study.memory import tune_memory

    where = choose_device(device)
    found = images_by_name(images)
    trained = load_model(model)
    tune_memory()
    started = time.monotonic()
    for result in segment_files(trained, found, output, where, probability=probability, uncertainty=uncertainty):
        volumes = ", ".join(f"{organ} {ml:.1f} ml" for organ, ml in result.volumes_ml.items())
        print(f"{result.path}: {volumes} ({duration(time.monotonic() - started)})", flush=True)
        started = time.monotonic()


def measure(
    segmentations: Annotated[
        list[Path],
        typer.Argument(metavar="SEGMENTATION...", help="Files or folders of segmentations.", show_default=False),
    ],
    output: Annotated[Path, typer.Option(metavar="FILE", help="Table of volumes (CSV).", show_default=False)],
    organs: OrganNames = None,
) -> None:
    """Measure the volume of every organ in millilitres.

    Counts the voxels of each organ. Where NAME_probability.nrrd lies beside a segmentation, the sum of the
    probabilities is given as well, which is less biased at uncertain boundaries.

    \b
    Example:
      uslabelseg measure segmentations --output volumes.csv
    """
    from ..measurement.segmentation_files import measure_files
    from ..measurement.volumes import write_volumes_csv

    rows = measure_files(segmentations, parse_organs(organs))
    write_volumes_csv(output, rows)
    print(f"{output}: {len(rows)} volumes of {len({row.case for row in rows})} segmentations")


def report(
    study: StudyFolder,
    output: Annotated[Path, typer.Option(metavar="FILE", help="The report (HTML).", show_default=False)],
    show_names: Annotated[
        bool, typer.Option("--show-names", help="Call volumes by their names, which may identify patients.")
    ] = False,
    device: DeviceName = "auto",
) -> None:
    """Write a report of a trained study: pictures, organ volumes, training, settings.

    Segments the volumes of the study itself. The report is one file that any browser shows without a network;
    in it volumes are numbered in the order of `uslabelseg study show`.

    \b
    Example:
      uslabelseg report my-study --output report.html
    """
    from ..measurement.report import write_report
    from ..segmentation.model import choose_device
    from ..segmentation.segment_files import load_model
    from ..study.memory import tune_memory
    from ..study.study import Study
    from ..study_report import report_content, segmented_cases

    where = choose_device(device)
    opened, model = Study.open(study), load_model(study)
    tune_memory()
    content = report_content(opened, "Segmentation study", segmented_cases(opened, model, where))
    names = write_report(output, content, show_names=show_names)
    print(f"Report of {len(names)} volumes: {output}")


def evaluate(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="Folder of segmentations.", show_default=False)
    ],
    references: Annotated[
        Path, typer.Argument(metavar="REFERENCES", help="Folder of complete label maps.", show_default=False)
    ],
    output: Annotated[Path, typer.Option(metavar="FILE", help="Table of metrics (CSV).", show_default=False)],
    organs: OrganNames = None,
) -> None:
    """Compare segmentations with references that an expert has drawn.

    Writes Dice overlap, surface distances (HD95, average) and volume errors of each case and organ, and beside
    them a summary FILE_summary.csv. Files are paired by name; references without a segmentation are left out.

    \b
    Example:
      uslabelseg evaluate segmentations expert-labels --output metrics.csv
    """
    from ..evaluation.evaluate import evaluate_pairs, organs_of, pair_folders, summarise, write_metrics_csv

    if not predictions.is_dir() or not references.is_dir():
        missing = references if predictions.is_dir() else predictions
        raise InputError(missing, "is not a folder", "give the folder of the label maps")
    pairs, left_out = pair_folders(predictions, references)
    rows = evaluate_pairs(pairs, parse_organs(organs) or organs_of(pairs))
    summary_path = write_metrics_csv(output, rows)
    if left_out:
        have = "reference has" if len(left_out) == 1 else "references have"
        print(f"{len(left_out)} {have} no prediction and {'is' if len(left_out) == 1 else 'are'} left out.")
    print_summary(summarise(rows))
    print(f"Wrote {output} and {summary_path}")


def print_summary(summaries: Sequence["MetricSummary"]) -> None:
    """The main metrics, a row an organ."""
    values = {(summary.organ, summary.metric): summary for summary in summaries}
    table = Table("Organ", "Dice", "HD95, mm", "ASD, mm", "|Volume error|, %", "Cases", "Missed")
    for organ in dict.fromkeys(summary.organ for summary in summaries):
        dice = values[organ, "dice"]
        table.add_row(
            organ,
            f"{dice.mean:.3f}",
            f"{values[organ, 'hausdorff_95_mm'].mean:.2f}",
            f"{values[organ, 'average_surface_distance_mm'].mean:.2f}",
            f"{values[organ, 'absolute_volume_error_percent'].median:.1f}",
            str(dice.cases),
            str(dice.missed),
        )
    Console().print(table)
    print("Mean over the cases; median for the volume error.")
