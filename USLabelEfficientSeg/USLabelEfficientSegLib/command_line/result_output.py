"""Where the commands of `results` end, with volumes and 2-D images alike: what is printed, and the model is stored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..text.numbers import three_digits
from .console import console, shell

if TYPE_CHECKING:
    from ..evaluation.evaluate import MetricSummary
    from ..measurement.quantities import Measurement
    from ..segmentation.image_model import ImageModel
    from ..segmentation.model import SegmentationModel


@dataclass(frozen=True)
class Column:
    """A metric in the table of an evaluation."""

    heading: str
    metric: str
    text: Callable[["MetricSummary"], str]


_AGREEMENT = (
    Column("Dice", "dice", lambda summary: f"{summary.mean:.3f}"),
    Column("HD95, mm", "hausdorff_95_mm", lambda summary: three_digits(summary.mean, least_decimals=2)),
    Column("ASD, mm", "average_surface_distance_mm", lambda summary: three_digits(summary.mean, least_decimals=2)),
)


def print_summary(summaries: Sequence["MetricSummary"], errors: Sequence[Column]) -> None:
    """Overlap, surface distances and the columns of `errors`, a row an organ."""
    values = {(summary.organ, summary.metric): summary for summary in summaries}
    columns = (*_AGREEMENT, *errors)
    rows = []
    for organ in dict.fromkeys(summary.organ for summary in summaries):
        cells = [column.text(values[organ, column.metric]) for column in columns]
        dice = values[organ, "dice"]
        rows.append([organ, *cells, str(dice.cases), str(dice.missed)])
    console.table(["Organ", *(column.heading for column in columns), "Cases", "Missed"], rows)


def print_left_out(count: int) -> None:
    """How many references have no prediction."""
    if count:
        have = "reference has" if count == 1 else "references have"
        console.say(f"{count} {have} no prediction and {'is' if count == 1 else 'are'} left out.")


def print_flags(rows: Sequence["Measurement"]) -> None:
    """Reasons for caution, a line each."""
    from ..measurement.flags import sentence_of

    for row in rows:
        for flag in row.flags:
            console.caution(f"  caution, {row.case}, {row.organ}: {sentence_of(flag, rows)}")


def tables_of(output: Path) -> list[Path]:
    """The tables of an evaluation: of the cases and, unless it is a stream, `*_summary` beside it."""
    from ..disk.outputs import is_stream

    summary = output.with_name(f"{output.stem}_summary{output.suffix}")
    return [output] if is_stream(output) else [output, summary]


def next_report(segmentations: Sequence[Path], images: Path | None = None, references: Path | None = None) -> str:
    """The command that reports segmentations, with what is known of it."""
    folder = shell(segmentations[0]) if len(segmentations) == 1 and segmentations[0].is_dir() else "SEGMENTATIONS"
    compared = "" if references is None else f" --references {shell(references)}"
    shown = "IMAGES" if images is None else shell(images)
    return f"uslabelseg report {folder} --images {shown}{compared} --output report.html"


def model_file(path: Path) -> Path:
    """The model file that a model file or the folder of a study stands for."""
    from ..disk.study_layout import MODEL_NAME, run_file

    return run_file(path, MODEL_NAME) if path.is_dir() else path


def checksum_of_model(path: Path) -> str:
    """SHA-256 of the file of a model, "" where there is none."""
    from ..disk.files import sha256_of

    file = model_file(path)
    return sha256_of(file) if file.is_file() else ""


def save_model(path: Path, model: "SegmentationModel | ImageModel", was: str) -> Path:
    """Store a model where it was loaded from, a model file or a study; returns the file.

    Args:
        path: the model file, or the folder of a trained study.
        model: to be stored.
        was: checksum of the file when the model was loaded, before it was changed.

    Raises:
        InputError: the file is another one by now, as after a training; it stays. Or another writes the study.
    """
    from contextlib import nullcontext

    from ..study.study import Study

    file = model_file(path)
    with Study.open(path).lock() if path.is_dir() else nullcontext():
        if checksum_of_model(path) != was:
            problem = "was replaced by another program, such as a training, while it was being calibrated"
            raise InputError(file, problem, "calibrate it again")
        model.save(file)
    return file
