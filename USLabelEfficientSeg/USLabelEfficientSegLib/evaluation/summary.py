"""Tables of an evaluation: a row a case and organ, and a summary over the cases.

Undefined values are empty cells, left out of the summary's numbers; *missed* counts the cases in which just one of
prediction and reference holds the organ.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..disk.files import atomic_write_csv
from ..text.numbers import for_programs
from .case_metrics import CaseMetrics

ALL_ORGANS = "all organs"


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


def _summarise_values(organ: str, metric: str, values: np.ndarray, missed: int) -> MetricSummary:
    defined = values[~np.isnan(values)]
    mean, median = (float(np.mean(defined)), float(np.median(defined))) if len(defined) else (np.nan, np.nan)
    std = float(np.std(defined, ddof=1)) if len(defined) > 1 else np.nan
    return MetricSummary(organ, metric, mean, std, median, len(defined), missed)


def _cells(values: Iterable[float]) -> list[str]:
    return [for_programs(value) for value in values]
