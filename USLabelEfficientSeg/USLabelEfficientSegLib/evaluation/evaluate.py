"""Evaluation of segmentations, of volumes and 2-D images: one row a case and organ, and a summary over the cases.

References must be dense. A sparse label, which holds 255 for unlabelled, is refused: leaving out voxels would
cut the organ's surface and its volume where nobody drew a boundary.

*Missed* counts the cases in which just one of prediction and reference holds the organ. Their Dice is 0;
surface distances are undefined, and so are an error in percent of an absent reference and that of the ellipse of an
absent organ: empty cells, left out of the summary's numbers. Distances run between voxel or pixel centres.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..annotation.segments import LabelFile
from ..disk.failures import Failures
from ..disk.files import atomic_write_csv
from ..errors import InputError
from ..imaging.file_formats.segmentation import fitted
from ..imaging.pixel_sizes import UNKNOWN_PIXEL_SIZES, PixelSizes
from ..imaging.scan import LabelMap
from ..measurement.measuring import outline_quantities
from ..measurement.quantities import Quantity
from ..measurement.segmentation_files import find_segmentations, organs_of_labels, read_segmentation
from ..text.counting import counted
from ..text.numbers import for_programs
from .metrics import dice, surface_distances, volume_error_percent

ALL_ORGANS = "all organs"
_PERCENT = "percent"
_ERRORS = {
    "volume": ("ml", _PERCENT),
    "area": (_PERCENT,),
    "circumference": ("mm",),
}  # the units in which they are told


@dataclass(frozen=True)
class QuantityPair:
    """A quantity of an organ as it was predicted, and that of the reference.

    Attributes:
        quantity: name and unit, such as "volume" and "ml".
        unit: of both values.
        predicted, reference: values of the outlines; 0 of an absent organ.
        of_outline: whether a prediction may have another value by its probabilities, which is not compared.
    """

    quantity: str
    unit: str
    predicted: float
    reference: float
    of_outline: bool

    @classmethod
    def of(cls, predicted: Quantity, reference: Quantity) -> "QuantityPair":
        """The values of two outlines."""
        first, second = (one.value if one.outline is None else one.outline for one in (predicted, reference))
        assert first is not None and second is not None
        return cls(predicted.name, predicted.unit, first, second, predicted.outline is not None)

    @property
    def error(self) -> float:
        """Signed: predicted minus reference; nan for the circumference of an ellipse that just one of both has."""
        undefined = not self.of_outline and (self.predicted == 0) != (self.reference == 0)
        return float("nan") if undefined else self.predicted - self.reference

    @property
    def error_percent(self) -> float:
        """Signed, in percent of the reference; nan where only the reference is empty."""
        return volume_error_percent(self.predicted, self.reference)

    def values(self) -> dict[str, float]:
        """Both values by the names of their columns."""
        return {
            f"predicted_{self._name}_{self.unit}": self.predicted,
            f"reference_{self.quantity}_{self.unit}": self.reference,
        }

    def errors(self) -> dict[str, float]:
        """The errors that are told, by the names of their columns."""
        return {
            f"{self._name}_error_{unit}": self.error_percent if unit == _PERCENT else self.error
            for unit in _ERRORS[self.quantity]
        }

    @property
    def _name(self) -> str:
        return f"outline_{self.quantity}" if self.of_outline else self.quantity


@dataclass(frozen=True)
class CaseMetrics:
    """Agreement of one organ in one case with its reference; undefined values are nan.

    Attributes:
        case, organ: names.
        dice, hausdorff_95_mm, average_surface_distance_mm: see `metrics`.
        quantities: those to report: volume; or area and circumference.
    """

    case: str
    organ: str
    dice: float
    hausdorff_95_mm: float
    average_surface_distance_mm: float
    quantities: tuple[QuantityPair, ...]

    @property
    def size(self) -> QuantityPair:
        """Volume or area."""
        return self.quantities[0]

    @property
    def missed(self) -> bool:
        """Whether just one of prediction and reference holds the organ."""
        return (self.size.predicted == 0) != (self.size.reference == 0)

    def columns(self) -> dict[str, float]:
        """What a table of cases tells, by heading."""
        columns = self._agreement()
        for pair in self.quantities:
            columns |= pair.values() | pair.errors()
        return columns

    def summarised(self) -> dict[str, float]:
        """What a summary over cases tells, by the name of the metric."""
        metrics = self._agreement()
        for pair in self.quantities:
            for name, error in pair.errors().items():
                metrics |= {name: error, f"absolute_{name}": abs(error)}
        return metrics

    def _agreement(self) -> dict[str, float]:
        names = ("dice", "hausdorff_95_mm", "average_surface_distance_mm")
        return {name: getattr(self, name) for name in names}


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
    rows = []
    pairs = zip(outline_quantities(prediction, organs), outline_quantities(reference, organs), strict=True)
    for label, (organ, (predicted, referred)) in enumerate(zip(organs, pairs, strict=True), start=1):
        masks = _mask(prediction, label), _mask(reference, label)
        distances = surface_distances(*masks, reference.geometry.spacing[: masks[0].ndim])
        quantities = tuple(map(QuantityPair.of, predicted, referred))
        rows.append(
            CaseMetrics(
                reference.name, organ, dice(*masks), distances.hausdorff_95, distances.average, quantities=quantities
            )
        )
    return rows


def pair_folders(predictions: Path, references: Path) -> tuple[list[CasePair], list[str]]:
    """Pairs of two folders by image name (`NAME.ext` or `NAME_segmentation.ext`), and the references left over.

    Raises:
        InputError: a prediction has no reference. The other way round is normal: a part was held out.
    """
    predicted, referred = (find_segmentations(folder) for folder in (predictions, references))
    for name, path in predicted.items():
        if name not in referred:
            raise InputError(path, f"has no reference in {references}", "add it or remove the prediction")
    pairs = [CasePair(path, referred[name]) for name, path in predicted.items()]
    return pairs, [name for name in referred if name not in predicted]


def evaluate_pairs(
    pairs: Sequence[CasePair],
    organs: Sequence[str],
    failures: Failures | None = None,
    sizes: PixelSizes = UNKNOWN_PIXEL_SIZES,
) -> list[CaseMetrics]:
    """Metrics of all pairs.

    Args:
        pairs: files.
        organs: names of the organs.
        failures: takes up what is wrong with one pair, so that the others are evaluated.
        sizes: tells the pixel sizes of 2-D images whose files do not; a reference has that of its prediction.

    Raises:
        InputError: a case cannot be evaluated, unless `failures` takes that up.
    """
    failures = failures or Failures()
    rows: list[CaseMetrics] = []
    for pair in counted(pairs, "comparing"):
        with failures.of_one(pair.prediction):
            rows += evaluate_case(*_read(pair, sizes, organs), organs)
    return rows


def organs_of(
    pairs: Sequence[CasePair], failures: Failures | None = None, sizes: PixelSizes = UNKNOWN_PIXEL_SIZES
) -> tuple[list[str], list[CasePair]]:
    """Organ names that predictions hold, or else references, or else `organ 1`, ...; and the pairs that can be read.

    Raises:
        InputError: the files are of different organs, or no file holds any organ; a file cannot be read, unless
            `failures` takes that up.
    """
    failures = failures or Failures()
    read: dict[CasePair, tuple[LabelFile, LabelFile]] = {}
    for pair in counted(pairs, "reading"):
        with failures.of_one(pair.prediction):
            prediction, reference = _read(pair, sizes)
            read[pair] = LabelFile.of(pair.prediction, prediction), LabelFile.of(pair.reference, reference)
    if not read:
        return [], []
    predictions, references = ([files[side] for files in read.values()] for side in (0, 1))
    if not any(file.present or file.names for file in (*predictions, *references)):
        raise InputError(pairs[0].reference, "and all other files hold no organ", "give label maps of organs")
    return organs_of_labels(predictions, references), list(read)


def evaluate_folders(predictions: Path, references: Path, organs: Sequence[str]) -> list[CaseMetrics]:
    """Metrics of all predictions of a folder; references without a prediction are left out.

    Raises:
        InputError: a prediction has no reference, or a case cannot be evaluated.
    """
    return evaluate_pairs(pair_folders(predictions, references)[0], organs)


def summarise(rows: Sequence[CaseMetrics]) -> list[MetricSummary]:
    """Mean, sample SD and median of every metric, by organ and, if there are several, for all together."""
    organs = list(dict.fromkeys(row.organ for row in rows))
    groups = {organ: [row for row in rows if row.organ == organ] for organ in organs}
    if len(organs) > 1:
        groups[ALL_ORGANS] = list(rows)
    summaries = []
    for organ, group in groups.items():
        values, missed = [row.summarised() for row in group], sum(row.missed for row in group)
        summaries += [
            _summarise_values(organ, metric, np.array([of_row[metric] for of_row in values]), missed)
            for metric in values[0]
        ]
    return summaries


def write_metrics_csv(path: Path, rows: Sequence[CaseMetrics]) -> Path:
    """Write rows, at least one, to `path` and their summary to `*_summary.csv` beside it; returns its path."""
    cells = [[row.case, row.organ, *_cells(row.columns().values())] for row in rows]
    atomic_write_csv(path, [["case", "organ", *rows[0].columns()], *cells])
    summary_path = path.with_name(f"{path.stem}_summary{path.suffix}")
    summary_cells = [
        [s.organ, s.metric, *_cells([s.mean, s.std, s.median]), str(s.cases), str(s.missed)] for s in summarise(rows)
    ]
    headings = ["organ", "metric", "mean", "std", "median", "cases", "missed"]
    atomic_write_csv(summary_path, [headings, *summary_cells])
    return summary_path


def _read(pair: CasePair, sizes: PixelSizes, organs: Sequence[str] | None = None) -> tuple[LabelMap, LabelMap]:
    prediction = read_segmentation(pair.prediction, organs, sizes=sizes)
    return prediction, read_segmentation(pair.reference, organs, geometry=prediction.geometry, sizes=sizes)


def _mask(label_map: LabelMap, label: int) -> NDArray[np.bool_]:
    """Voxels (I, J, K), or pixels (I, J), of an organ."""
    mask = label_map.voxels == label
    return mask[..., 0] if mask.shape[2] == 1 else mask


def _summarise_values(organ: str, metric: str, values: np.ndarray, missed: int) -> MetricSummary:
    defined = values[~np.isnan(values)]
    mean, median = (float(np.mean(defined)), float(np.median(defined))) if len(defined) else (np.nan, np.nan)
    std = float(np.std(defined, ddof=1)) if len(defined) > 1 else np.nan
    return MetricSummary(organ, metric, mean, std, median, len(defined), missed)


def _cells(values: Iterable[float]) -> list[str]:
    return [for_programs(value) for value in values]
