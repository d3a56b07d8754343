"""The end of the commands of `results`, for volumes and 2-D images: results are printed, a model is stored."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .console import console, shell

if TYPE_CHECKING:
    from ..imaging.dimension import Dimension
    from ..imaging.pixel_sizes import PixelSizes
    from ..measurement.quantities import Measurement
    from ..segmentation.loading import TrainedModel


def print_flags(rows: Sequence["Measurement"]) -> None:
    """Reasons for caution, a line each."""
    from ..measurement.flags import sentence_of

    for row in rows:
        for flag in row.flags:
            console.caution(f"  caution, {row.case}, {row.organ}: {sentence_of(flag, [row])}")


def refuse_pixel_sizes_of_volumes(sizes: "PixelSizes", dimension: "Dimension") -> None:
    """Refuse pixel sizes for volumes, which need none, rather than ignore them."""
    from ..imaging.pixel_sizes import UNKNOWN_PIXEL_SIZES

    if dimension == 3 and sizes != UNKNOWN_PIXEL_SIZES:
        raise InputError(
            "--pixel-sizes and --pixel-size", "are for 2-D images, and these are volumes", "leave them out"
        )


def next_report(segmentations: Sequence[Path], images: Path | None = None, references: Path | None = None) -> str:
    """The command that reports segmentations, as far as its options are known."""
    folder = shell(segmentations[0]) if len(segmentations) == 1 and segmentations[0].is_dir() else "SEGMENTATIONS"
    compared = "" if references is None else f" --references {shell(references)}"
    shown = "IMAGES" if images is None else shell(images)
    return f"uslabelseg report {folder} --images {shown}{compared} --output report.html"


def model_file(path: Path) -> Path:
    """The model file of a path: the path itself, or the model of a study."""
    from ..disk.study_layout import MODEL_NAME, run_file

    return run_file(path, MODEL_NAME) if path.is_dir() else path


def checksum_of_model(path: Path) -> str:
    """SHA-256 of the file of a model, "" where there is none."""
    from ..disk.files import sha256_of

    file = model_file(path)
    return sha256_of(file) if file.is_file() else ""


def save_model(path: Path, model: "TrainedModel", was: str) -> Path:
    """Store a model where it was loaded from, a model file or a study; returns the file.

    Args:
        path: the model file, or the folder of a trained study.
        model: to be stored.
        was: checksum of the file when the model was loaded.

    Raises:
        InputError: the file has changed since, as after a training, and stays; or another program writes the study.
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
