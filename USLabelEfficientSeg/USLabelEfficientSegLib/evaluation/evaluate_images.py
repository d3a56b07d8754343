"""Evaluation of segmented 2-D images against references: one row a case and organ, and a summary over the cases.

What is undefined, and what *missed* means, is as in `evaluate`. Distances run between the outlines' pixel centres.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..annotation.segments import LabelFile
from ..disk.failures import Failures
from ..errors import InputError
from ..imaging.pixel_sizes import UNKNOWN_PIXEL_SIZES, PixelSizes
from ..imaging.scan import LabelMap
from ..measurement.planar_files import measure_labels, read_image_segmentation
from ..measurement.segmentation_files import organs_of_labels
from ..text.counting import counted
from .evaluate import CasePair, MetricSummary, pair_folders, summarised, write_tables
from .metrics import dice, surface_distances, volume_error_percent


@dataclass(frozen=True)
class ImageMetrics:
    """Agreement of one organ in one image with its reference; undefined values are nan."""

    case: str
    organ: str
    dice: float
    hausdorff_95_mm: float
    average_surface_distance_mm: float
    predicted_outline_area_mm2: float
    reference_area_mm2: float
    outline_area_error_percent: float
    predicted_circumference_mm: float
    reference_circumference_mm: float

    @property
    def circumference_error_mm(self) -> float:
        """Signed error of the fitted ellipse's circumference; nan when one of both lacks the organ."""
        if self.missed:
            return float("nan")
        return self.predicted_circumference_mm - self.reference_circumference_mm

    @property
    def missed(self) -> bool:
        """Whether just one of prediction and reference holds the organ."""
        return (self.predicted_outline_area_mm2 == 0) != (self.reference_area_mm2 == 0)


_CASE_COLUMNS = (
    "dice", "hausdorff_95_mm", "average_surface_distance_mm", "predicted_outline_area_mm2", "reference_area_mm2",
    "outline_area_error_percent", "predicted_circumference_mm", "reference_circumference_mm", "circumference_error_mm",
)  # fmt: skip
_SUMMARISED: dict[str, Callable[[ImageMetrics], float]] = {
    "dice": lambda row: row.dice,
    "hausdorff_95_mm": lambda row: row.hausdorff_95_mm,
    "average_surface_distance_mm": lambda row: row.average_surface_distance_mm,
    "outline_area_error_percent": lambda row: row.outline_area_error_percent,
    "absolute_outline_area_error_percent": lambda row: abs(row.outline_area_error_percent),
    "circumference_error_mm": lambda row: row.circumference_error_mm,
    "absolute_circumference_error_mm": lambda row: abs(row.circumference_error_mm),
}


def evaluate_image(prediction: LabelMap, reference: LabelMap, organs: Sequence[str]) -> list[ImageMetrics]:
    """Metrics of every organ of one image, named after the reference.

    Raises:
        InputError: the grids differ, or a label belongs to no organ.
    """
    if not prediction.geometry.same_grid(reference.geometry):
        problem = f"has other pixels than its reference: it {prediction.geometry.difference(reference.geometry)}"
        raise InputError(prediction.name, problem, "give both at the pixels of the same image")
    spacing = reference.geometry.spacing[:2]
    rows = []
    for predicted, true in zip(measure_labels(prediction, organs), measure_labels(reference, organs), strict=True):
        masks = prediction.voxels[..., 0] == true.label, reference.voxels[..., 0] == true.label
        distances = surface_distances(*masks, spacing)
        rows.append(
            ImageMetrics(
                case=reference.name,
                organ=true.organ,
                dice=dice(*masks),
                hausdorff_95_mm=distances.hausdorff_95,
                average_surface_distance_mm=distances.average,
                predicted_outline_area_mm2=predicted.outline_area_mm2,
                reference_area_mm2=true.outline_area_mm2,
                outline_area_error_percent=volume_error_percent(predicted.outline_area_mm2, true.outline_area_mm2),
                predicted_circumference_mm=predicted.circumference_mm,
                reference_circumference_mm=true.circumference_mm,
            )
        )
    return rows


def evaluate_image_folders(
    predictions: Path,
    references: Path,
    organs: Sequence[str] | None = None,
    sizes: PixelSizes = UNKNOWN_PIXEL_SIZES,
    failures: Failures | None = None,
) -> tuple[list[ImageMetrics], list[str]]:
    """Metrics of all predictions of a folder, and the names of the references without one.

    Files are paired by name. References in formats without pixel size have that of their prediction. Without `organs`
    their names are those of `organs_of_labels`.

    Raises:
        InputError: a prediction has no reference, or a case cannot be evaluated, unless `failures` takes that up.
    """
    files, left_out = pair_folders(predictions, references, pictures=True)
    failures = failures or Failures()
    failures.of = len(files)

    def read(pair: CasePair, names: Sequence[str] | None) -> tuple[LabelMap, LabelMap]:
        prediction = read_image_segmentation(pair.prediction, sizes=sizes, organs=names)
        return prediction, read_image_segmentation(pair.reference, prediction.geometry, sizes, names)

    if organs is None:
        found: dict[CasePair, tuple[LabelFile, LabelFile]] = {}
        for pair in counted(files, "reading"):
            with failures.of_one(pair.prediction):
                prediction, reference = read(pair, None)
                found[pair] = LabelFile.of(pair.prediction, prediction), LabelFile.of(pair.reference, reference)
        files = list(found)
        predicted, referred = ([both[number] for both in found.values()] for number in (0, 1))
        organs = organs_of_labels(predicted, referred) if found else []
    rows: list[ImageMetrics] = []
    for pair in counted(files, "comparing"):
        with failures.of_one(pair.prediction):
            prediction, reference = read(pair, organs)
            rows += evaluate_image(prediction, reference, organs)
    return rows, left_out


def summarise_images(rows: Sequence[ImageMetrics]) -> list[MetricSummary]:
    """Mean, sample SD and median of every metric, by organ and, if there are several, for all together."""
    return summarised(rows, _SUMMARISED)


def write_image_metrics_csv(path: Path, rows: Sequence[ImageMetrics]) -> Path:
    """Write the rows to `path` and their summary to `*_summary.csv` beside it; returns its path."""
    return write_tables(path, rows, _CASE_COLUMNS, summarise_images(rows))
