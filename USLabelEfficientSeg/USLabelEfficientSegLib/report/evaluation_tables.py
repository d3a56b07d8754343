"""The summary of an evaluation as a table for people."""

from collections.abc import Sequence

import numpy as np

from ..evaluation.summary import MetricSummary
from .blocks import Table

_SHOWN = {
    "dice": ("Dice", 3),
    "hausdorff_95_mm": ("HD95, mm", 2),
    "average_surface_distance_mm": ("Average surface distance, mm", 2),
    "absolute_outline_volume_error_ml": ("Absolute error of the outline volume, ml", 2),
    "absolute_outline_volume_error_percent": ("Absolute error of the outline volume, %", 1),
    "outline_volume_error_percent": ("Signed error of the outline volume, %", 1),
}


def metrics_table(summaries: Sequence[MetricSummary]) -> Table:
    """Table of the summaries: a row for each organ and metric, units with the metric's name."""
    rows: list[list[str]] = []
    for summary in (s for s in summaries if s.metric in _SHOWN):
        metric, decimals = _SHOWN[summary.metric]
        numbers = [_number(value, decimals) for value in (summary.mean, summary.std, summary.median)]
        rows.append([summary.organ, metric, *numbers, str(summary.cases), str(summary.missed)])
    return Table(("Organ", "Metric", "Mean", "SD", "Median", "Cases", "Missed"), rows, text_columns=(0, 1))


def _number(value: float, decimals: int) -> str:
    return "–" if np.isnan(value) else f"{value:.{decimals}f}".replace("-", "\N{MINUS SIGN}")
