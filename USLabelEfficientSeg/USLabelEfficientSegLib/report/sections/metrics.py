"""The summary of an evaluation for people."""

from collections.abc import Sequence

import numpy as np

from ...evaluation.summary import MetricSummary
from ..blocks import Block, Paragraph, Section, Table

_SHOWN = {
    "dice": ("Dice", 3),
    "hausdorff_95_mm": ("HD95, mm", 2),
    "average_surface_distance_mm": ("Average surface distance, mm", 2),
    "absolute_outline_volume_error_ml": ("Absolute error of the outline volume, ml", 2),
    "absolute_outline_volume_error_percent": ("Absolute error of the outline volume, %", 1),
    "outline_volume_error_percent": ("Signed error of the outline volume, %", 1),
}

_EXPLANATION = (
    "Dice: overlap, 1 is perfect. HD95: the larger one of the two directed 95th percentiles of the distances between "
    "the surfaces. Average surface distance: mean over both surfaces. SD: standard deviation over the cases. Missed: "
    "cases in which either the prediction or the reference holds the organ and the other one does not; their distances "
    "are undefined and left out."
)


def metrics_section(metrics: Table | None) -> Section:
    """The summary of an evaluation, explained; empty without one."""
    blocks: list[Block] = [] if metrics is None else [metrics, Paragraph(_EXPLANATION, quiet=True)]
    return Section("Overlap and surface distances", blocks)


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
