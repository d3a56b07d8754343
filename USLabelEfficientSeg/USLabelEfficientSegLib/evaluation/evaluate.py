"""Evaluation of segmentations against references: one row a case and organ, and a summary over the cases.

References must be dense. A sparse label, which holds 255 for unlabelled, is refused: leaving out voxels would
cut the organ's surface and its volume where nobody drew a boundary.

*Missed* counts the cases in which just one of prediction and reference holds the organ. Their Dice is 0;
surface distances are undefined, and so is a volume error in percent of an absent reference: empty cells, left
out of the summary's numbers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from ..annotation.segments import LabelFile
from ..disk.failures import Failures
from ..disk.files import atomic_write_csv
from ..errors import InputError
from ..imaging.file_formats.segmentation import fitted
from ..imaging.scan import LabelMap
from ..measurement.segmentation_files import find_segmentations, organs_of_labels, read_segmentation
from ..measurement.volumes import organ_volumes
from ..text.counting import counted
from ..text.numbers import for_programs
from .metrics import dice, surface_distances, volume_error_percent

ALL_ORGANS = "all organs"


@dataclass(frozen=True)
class CaseMetrics:
    """Agreement of one organ in one case with its reference; undefined values are nan."""

    case: str
    organ: str
    dice: float
    hausdorff_95_mm: float
    average_surface_distance_mm: float
    predicted_outline_volume_ml: float
    reference_volume_ml: float
    outline_volume_error_percent: float

    @property
    def outline_volume_error_ml(self) -> float:
        """Signed volume error: predicted minus reference."""
        return self.predicted_outline_volume_ml - self.reference_volume_ml

    @property
    def missed(self) -> bool:
        """Whether just one of prediction and reference holds the organ."""
        return (self.predicted_outline_volume_ml == 0) != (self.reference_volume_ml == 0)


@dataclass(frozen=True)
class CasePair:
    """The files of a predicted segmentation and of its reference."""

    prediction: Path
    reference: Path


@dataclass(frozen=True)
class MetricSummary:
    """One metric of one organ over the `cases` in which it is defined; `std` is nan for a single case."""

    organ: str
    metric: str
    mean: float
    std: float
    median: float
    cases: int
    missed: int


_CASE_COLUMNS = (
    "dice",
    "hausdorff_95_mm",
    "average_surface_distance_mm",
    "predicted_outline_volume_ml",
    "reference_volume_ml",
    "outline_volume_error_ml",
    "outline_volume_error_percent",
)
_SUMMARISED: dict[str, Callable[[CaseMetrics], float]] = {
    "dice": lambda row: row.dice,
    "hausdorff_95_mm": lambda row: row.hausdorff_95_mm,
    "average_surface_distance_mm": lambda row: row.average_surface_distance_mm,
    "outline_volume_error_ml": lambda row: row.outline_volume_error_ml,
    "absolute_outline_volume_error_ml": lambda row: abs(row.outline_volume_error_ml),
    "outline_volume_error_percent": lambda row: row.outline_volume_error_percent,
    "absolute_outline_volume_error_percent": lambda row: abs(row.outline_volume_error_percent),
}


def evaluate_case(prediction: LabelMap, reference: LabelMap, organs: Sequence[str]) -> list[CaseMetrics]:
    """Metrics of every organ of one case, named after the reference.

    Raises:
        InputError: the grids differ, or a label is unlabelled (255) or belongs to no organ.
    """
    if prediction.voxels.size < reference.voxels.size:
        prediction = fitted(prediction, reference.geometry)
    else:
        reference = fitted(reference, prediction.geometry)
    if not prediction.geometry.same_grid(reference.geometry):
        difference = prediction.geometry.difference(reference.geometry)
        problem = f"has another geometry than its reference: it {difference}"
        raise InputError(prediction.name, problem, "give both on the grid of the same image")
    measured = organ_volumes(prediction, organs)
    true = organ_volumes(reference, organs)
    rows = []
    for label, (predicted, referred) in enumerate(zip(measured, true, strict=True), start=1):
        masks = prediction.voxels == label, reference.voxels == label
        distances = surface_distances(*masks, reference.geometry.spacing)
        rows.append(
            CaseMetrics(
                case=reference.name,
                organ=referred.organ,
                dice=dice(*masks),
                hausdorff_95_mm=distances.hausdorff_95,
                average_surface_distance_mm=distances.average,
                predicted_outline_volume_ml=predicted.outline_volume_ml,
                reference_volume_ml=referred.outline_volume_ml,
                outline_volume_error_percent=volume_error_percent(
                    predicted.outline_volume_ml, referred.outline_volume_ml
                ),
            )
        )
    return rows


def pair_folders(predictions: Path, references: Path, *, pictures: bool = False) -> tuple[list[CasePair], list[str]]:
    """Pairs of two folders by image name (`NAME.ext` or `NAME_segmentation.ext`), and the references left over.

    PNG and the like count only if `pictures` asks for them.

    Raises:
        InputError: a prediction has no reference. The other way round is normal: a part was held out.
    """
    predicted, referred = (find_segmentations(folder, pictures=pictures) for folder in (predictions, references))
    for name, path in predicted.items():
        if name not in referred:
            raise InputError(path, f"has no reference in {references}", "add it or remove the prediction")
    pairs = [CasePair(path, referred[name]) for name, path in predicted.items()]
    return pairs, [name for name in referred if name not in predicted]


def evaluate_pairs(
    pairs: Sequence[CasePair], organs: Sequence[str], failures: Failures | None = None
) -> list[CaseMetrics]:
    """Metrics of all pairs.

    Raises `InputError` when a case cannot be evaluated, unless `failures` takes that up and the others are evaluated.
    """
    failures = failures or Failures()
    rows: list[CaseMetrics] = []
    for pair in counted(pairs, "comparing"):
        with failures.of_one(pair.prediction):
            prediction = read_segmentation(pair.prediction, organs)
            rows += evaluate_case(prediction, read_segmentation(pair.reference, organs), organs)
    return rows


def readable_pairs(pairs: Sequence[CasePair], failures: Failures) -> list[CasePair]:
    """The pairs of which both files can be read; `failures` takes up the others."""
    found = []
    for pair in counted(pairs, "reading"):
        with failures.of_one(pair.prediction):
            for path in (pair.prediction, pair.reference):
                read_segmentation(path)
            found.append(pair)
    return found


def evaluate_folders(predictions: Path, references: Path, organs: Sequence[str]) -> list[CaseMetrics]:
    """Metrics of all predictions of a folder; references without a prediction are left out.

    Raises:
        InputError: a prediction has no reference, or a case cannot be evaluated.
    """
    return evaluate_pairs(pair_folders(predictions, references)[0], organs)


def organs_of(pairs: Sequence[CasePair]) -> list[str]:
    """Organ names that the predictions hold, or else the references, or else `organ 1`, ... up to the highest label.

    Raises:
        InputError: the files are of different organs, or no file holds any organ.
    """
    predictions, references = (
        [LabelFile.of(path, read_segmentation(path)) for path in paths]
        for paths in ([pair.prediction for pair in pairs], [pair.reference for pair in pairs])
    )
    if not any(file.present or file.names for file in (*predictions, *references)):
        raise InputError(pairs[0].reference, "and all other files hold no organ", "give label maps of organs")
    return organs_of_labels(predictions, references)


def summarise(rows: Sequence[CaseMetrics]) -> list[MetricSummary]:
    """Mean, sample SD and median of every metric, by organ and, if there are several, for all together."""
    return summarised(rows, _SUMMARISED)


class Row(Protocol):
    """One organ in one case."""

    @property
    def case(self) -> str:
        """Its name."""

    @property
    def organ(self) -> str:
        """Its name."""

    @property
    def missed(self) -> bool:
        """Whether just one of prediction and reference holds the organ."""


AnyRow = TypeVar("AnyRow", bound=Row)


def summarised(rows: Sequence[AnyRow], metrics: Mapping[str, Callable[[AnyRow], float]]) -> list[MetricSummary]:
    """Mean, sample SD and median of metrics, by organ and, if there are several, for all together."""
    organs = list(dict.fromkeys(row.organ for row in rows))
    groups = {organ: [row for row in rows if row.organ == organ] for organ in organs}
    if len(organs) > 1:
        groups[ALL_ORGANS] = list(rows)
    return [
        _summarise_values(organ, metric, np.array([value_of(row) for row in group]), sum(row.missed for row in group))
        for organ, group in groups.items()
        for metric, value_of in metrics.items()
    ]


def write_metrics_csv(path: Path, rows: Sequence[CaseMetrics]) -> Path:
    """Write the rows to `path` and their summary to `*_summary.csv` beside it; returns its path."""
    return write_tables(path, rows, _CASE_COLUMNS, summarise(rows))


def write_tables(path: Path, rows: Sequence[Row], columns: Sequence[str], summaries: Sequence[MetricSummary]) -> Path:
    """Write the attributes `columns` of rows to `path`, summaries to `*_summary.csv` beside it; returns its path."""
    case_cells = [[row.case, row.organ, *_cells(getattr(row, name) for name in columns)] for row in rows]
    atomic_write_csv(path, [["case", "organ", *columns], *case_cells])
    summary_path = path.with_name(f"{path.stem}_summary{path.suffix}")
    summary_cells = [
        [s.organ, s.metric, *_cells([s.mean, s.std, s.median]), str(s.cases), str(s.missed)] for s in summaries
    ]
    headings = ["organ", "metric", "mean", "std", "median", "cases", "missed"]
    atomic_write_csv(summary_path, [headings, *summary_cells])
    return summary_path


def _summarise_values(organ: str, metric: str, values: np.ndarray, missed: int) -> MetricSummary:
    defined = values[~np.isnan(values)]
    mean, median = (float(np.mean(defined)), float(np.median(defined))) if len(defined) else (np.nan, np.nan)
    std = float(np.std(defined, ddof=1)) if len(defined) > 1 else np.nan
    return MetricSummary(organ, metric, mean, std, median, len(defined), missed)


def _cells(values: Iterable[float]) -> list[str]:
    return [for_programs(value) for value in values]
