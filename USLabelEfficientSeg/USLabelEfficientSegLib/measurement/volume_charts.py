"""Charts of organ volumes: with their intervals, against references, and over repeated scans of a subject."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..imaging.organ_colours import organ_colour
from .chart_style import DOTS_PER_INCH, INK, QUIET, marker, plain, png
from .measurements import OrganMeasurement

_WIDTH_INCH, _PANELS = 7.2, 3
NAMED_LINES = 8  # more names would cover each other


@dataclass(frozen=True)
class VolumePoint:
    """A measured volume in ml of the organ `label`, with what else is known of it."""

    label: int
    measured_ml: float
    interval_ml: tuple[float, float] | None = None
    true_ml: float | None = None

    @classmethod
    def of(cls, row: OrganMeasurement, true_ml: float | None = None) -> "VolumePoint":
        """The best volume of a measurement and its interval."""
        return cls(row.label, row.volume_ml, row.interval_ml, true_ml)


def volumes_png(cases: Sequence[Sequence[VolumePoint]]) -> bytes:
    """Volumes of every case (from 1, in the order of the table) with intervals as bars; a short line is the truth."""
    figure, axes = _chart(_WIDTH_INCH, 2.6)
    labels = sorted({point.label for case in cases for point in case})
    for order, label in enumerate(labels):
        shift = (order - (len(labels) - 1) / 2) * min(0.22, 0.7 / len(labels))
        points = [(n + shift, p) for n, case in enumerate(cases, start=1) for p in case if p.label == label]
        _draw(axes, [(x, p.measured_ml) for x, p in points], [p for _, p in points])
        truths = [(x, p.true_ml) for x, p in points if p.true_ml is not None]
        if truths:
            axes.hlines([ml for _, ml in truths], [x - 0.2 for x, _ in truths], [x + 0.2 for x, _ in truths],
                        color=INK, linewidth=1.2, zorder=4)  # fmt: skip
    axes.set_xlim(0.3, len(cases) + 0.7)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Case", fontsize=8)
    axes.set_ylabel("Volume, ml", fontsize=8)
    return png(figure)


def scatter_png(points: Sequence[VolumePoint]) -> bytes:
    """Measured against true volumes with the line of identity; at least one point, all with true volumes."""
    figure, axes = _chart(3.5, 3.3)
    limit = 1.08 * max(max(p.measured_ml, p.true_ml or 0, *(p.interval_ml or ())) for p in points) or 1.0
    axes.plot([0, limit], [0, limit], color=QUIET, linewidth=1, linestyle="--", zorder=1)
    for label in sorted({point.label for point in points}):
        of_organ = [point for point in points if point.label == label]
        _draw(axes, [(p.true_ml or 0.0, p.measured_ml) for p in of_organ], of_organ)
    axes.set(xlim=(0, limit), ylim=(0, limit), aspect="equal")
    axes.set_xlabel("Reference volume, ml", fontsize=8)
    axes.set_ylabel("Measured volume, ml", fontsize=8)
    return png(figure)


def bland_altman_png(points: Sequence[VolumePoint], limits: Mapping[int, tuple[float, float, float]]) -> bytes:
    """Differences against means of measured and true volumes, a chart an organ.

    Args:
        points: at least one, all with true volumes.
        limits: lower limit of agreement, bias and upper limit in ml by organ label, where they are known.
    """
    labels = sorted({point.label for point in points})
    columns = min(len(labels), _PANELS)
    rows = -(-len(labels) // columns)
    width = 3.5 if columns == 1 else _WIDTH_INCH
    figure = Figure(figsize=(width, (3.3 if columns == 1 else 2.5) * rows), dpi=DOTS_PER_INCH, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(labels) :]:
        axes.remove()
    for axes, label in zip(grid, labels, strict=False):
        of_organ = [point for point in points if point.label == label]
        pairs = np.array([(p.measured_ml, p.true_ml or 0.0) for p in of_organ])
        differences = pairs[:, 0] - pairs[:, 1]
        axes.axhline(0, color=QUIET, linewidth=0.8)
        for value, style in zip(limits.get(label, ()), ("--", "-", "--"), strict=False):
            axes.axhline(value, color=INK, linewidth=1, linestyle=style)
        shown = [VolumePoint(label, 0.0)] * len(of_organ)  # its interval belongs to the volume, not the difference
        _draw(axes, list(zip(pairs.mean(axis=1), differences, strict=True)), shown)
        reach = 1.25 * max(np.abs(differences).max(), *(abs(value) for value in limits.get(label, (0.0,))), 1e-3)
        axes.set_ylim(-reach, reach)
        axes.set_xlabel("Mean of measured and reference, ml", fontsize=8)
        axes.set_ylabel("Measured − reference, ml", fontsize=8)
        plain(axes)
    return png(figure)


def repeats_png(subjects: Mapping[str, Sequence[VolumePoint]]) -> bytes:
    """Volumes of one organ over the scans of each subject, with intervals; few lines are named at their end."""
    figure, axes = _chart(3.5, 2.6)
    for name, points in subjects.items():
        scans = list(range(1, len(points) + 1))
        values = [point.measured_ml for point in points]
        axes.plot(scans, values, color=organ_colour(points[0].label), linewidth=1.1, zorder=1)
        _draw(axes, list(zip(scans, values, strict=True)), points)
        if len(subjects) <= NAMED_LINES:
            end = (scans[-1], values[-1])
            axes.annotate(name, end, (7, 0), textcoords="offset points", fontsize=7, color=INK, va="center")
    axes.set_xlim(0.6, max(map(len, subjects.values())) + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Scan", fontsize=8)
    axes.set_ylabel("Volume, ml", fontsize=8)
    return png(figure)


def _chart(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    plain(axes)
    return figure, axes


def _draw(axes: Axes, places: Sequence[tuple[float, float]], points: Sequence[VolumePoint]) -> None:
    """Markers of one organ at their places, and bars for the intervals of those that have one."""
    for (x, _), point in zip(places, points, strict=True):
        if point.interval_ml is not None:
            axes.plot([x, x], point.interval_ml, color=INK, linewidth=0.9, solid_capstyle="butt", zorder=2)
    axes.scatter(
        [x for x, _ in places],
        [y for _, y in places],
        s=24,
        marker=marker(points[0].label),
        color=organ_colour(points[0].label),
        edgecolors=INK,
        linewidths=0.6,
        zorder=3,
    )
