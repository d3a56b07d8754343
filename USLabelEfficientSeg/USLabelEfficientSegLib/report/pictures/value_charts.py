"""Charts of what was measured: with its intervals, against references, and over repeated scans of a subject."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...imaging.organ_colours import organ_colour
from ...measurement.quantities import Quantity
from .chart_style import DOTS_PER_INCH, INK, QUIET, marker, name_style, name_text, plain, png

_WIDTH_INCH, _PANELS = 7.2, 2
NAMED_LINES = 8  # more names would cover each other
MOST_BARS = 500  # of intervals in a chart; more would cover each other
_MOST_PANELS = 8  # of a page


@dataclass(frozen=True)
class Point:
    """What was measured of the organ `label`, a volume in ml for example, with what else is known of it."""

    label: int
    measured: float
    interval: tuple[float, float] | None = None
    true: float | None = None

    @classmethod
    def of(cls, label: int, quantity: Quantity, true: float | None = None) -> "Point":
        """A measured quantity of the organ `label` with its interval."""
        return cls(label, quantity.value or 0.0, quantity.interval, true)


@dataclass(frozen=True)
class Line:
    """A horizontal line of a Bland-Altman plot: its name, its value, and its confidence interval."""

    name: str
    value: float
    lower: float
    upper: float


def values_png(cases: Sequence[Sequence[Point]], organs: Sequence[str], heading: str) -> bytes:
    """Values of every case in order, from 1, a panel an organ: intervals as wide bars, references as hollow diamonds.

    Args:
        cases: the points of each case.
        organs: names, by label.
        heading: what the values are, with their unit.
    """
    labels = sorted({point.label for case in cases for point in case})
    grid, figure = panels(len(labels), height=2.2)
    for axes, label in zip(grid, labels, strict=True):
        name = organs[label - 1]
        points = [(n, p) for n, case in enumerate(cases, start=1) for p in case if p.label == label]
        _draw(axes, [(n, p.measured) for n, p in points], [p for _, p in points])
        beside = 0.012 * (len(cases) + 1)
        truths = [(n + beside, p.true) for n, p in points if p.true is not None]
        axes.scatter(
            [x for x, _ in truths], [value for _, value in truths], s=26, marker="d", facecolors="none", edgecolors=INK,
            linewidths=1.0, zorder=4,
        )  # fmt: skip
        axes.set_title(name_text(name), fontsize=8, loc="left", **name_style(name))
        axes.set_xlim(0.3, len(cases) + 0.7)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(bottom=0)
        axes.set_xlabel("Row of the table, by case", fontsize=8)
        axes.set_ylabel(heading, fontsize=8)
    return png(figure)


def scatter_png(points: Sequence[Point], name: str, unit: str) -> bytes:
    """Measured against true values with the line of identity; at least one point, all with true values."""
    figure, axes = _chart(3.5, 3.3)
    limit = 1.08 * max(max(p.measured, p.true or 0, *(p.interval or ())) for p in points) or 1.0
    axes.plot([0, limit], [0, limit], color=QUIET, linewidth=1, linestyle="--", zorder=1)
    for label in sorted({point.label for point in points}):
        of_organ = [point for point in points if point.label == label]
        _draw(axes, [(p.true or 0.0, p.measured) for p in of_organ], of_organ)
    axes.set(xlim=(0, limit), ylim=(0, limit), aspect="equal")
    axes.set_xlabel(f"Reference {name}, {unit}", fontsize=8)
    axes.set_ylabel(f"Measured {name}, {unit}", fontsize=8)
    return png(figure)


def bland_altman_png(
    points: Sequence[Point], lines: Mapping[int, Sequence[Line]], organs: Sequence[str], unit: str
) -> bytes:
    """Differences against means of measured and true values, a chart an organ.

    Args:
        points: at least one, all with true values.
        lines: bias and limits of agreement by organ label, where they are known: drawn with their values and with
            bands for their confidence intervals.
        organs: names, by label.
        unit: of the points.
    """
    labels = sorted({point.label for point in points})
    grid, figure = panels(len(labels), height=2.9)
    for axes, label in zip(grid, labels, strict=True):
        name, of_organ = organs[label - 1], [point for point in points if point.label == label]
        pairs = np.array([(p.measured, p.true or 0.0) for p in of_organ])
        differences = pairs[:, 0] - pairs[:, 1]
        axes.axhline(0, color=QUIET, linewidth=0.8, linestyle=":")
        for line in lines.get(label, ()):
            axes.axhspan(line.lower, line.upper, color=QUIET, alpha=0.16, linewidth=0)
            axes.axhline(line.value, color=INK, linewidth=1, linestyle="-" if line.name == "bias" else "--")
            signed = f"{line.name}\n{line.value:+.3g}".replace("-", "\N{MINUS SIGN}")
            axes.annotate(
                signed, (1, line.value), (3, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                fontsize=7, color=INK, ha="left", va="center",
            )  # fmt: skip
        shown = [Point(label, 0.0)] * len(of_organ)  # its interval belongs to the value, not the difference
        _draw(axes, list(zip(pairs.mean(axis=1), differences, strict=True)), shown)
        bounds = [abs(value) for line in lines.get(label, ()) for value in (line.lower, line.upper)]
        reach = 1.15 * max(np.abs(differences).max(), *bounds, 1e-9)
        axes.set_ylim(-reach, reach)
        axes.set_title(name_text(name), fontsize=8, loc="left", **name_style(name))
        axes.set_xlabel(f"Mean of measured and reference, {unit}", fontsize=8)
        axes.set_ylabel(f"Measured − reference, {unit}", fontsize=8)
    return png(figure)


def repeats_png(subjects: Mapping[str, Sequence[Point]], heading: str) -> bytes:
    """Values of one organ over the scans of each subject, with intervals; few lines are named at their end."""
    figure, axes = _chart(3.5, 2.6)
    for name, points in subjects.items():
        scans = list(range(1, len(points) + 1))
        values = [point.measured for point in points]
        axes.plot(scans, values, color=organ_colour(points[0].label), linewidth=1.1, zorder=1)
        _draw(axes, list(zip(scans, values, strict=True)), points)
        if len(subjects) <= NAMED_LINES:
            end = (scans[-1], values[-1])
            axes.annotate(
                name_text(name), end, (7, 0), textcoords="offset points", fontsize=7, va="center", **name_style(name)
            )
    axes.set_xlim(0.6, max(map(len, subjects.values())) + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Scan", fontsize=8)
    axes.set_ylabel(heading, fontsize=8)
    return png(figure)


def _chart(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    plain(axes)
    return figure, axes


def on_pages(found: Iterable[int]) -> list[list[int]]:
    """Labels, each once and in order, in parts whose panels have room on a page."""
    labels = sorted(set(found))
    return [labels[start : start + _MOST_PANELS] for start in range(0, len(labels), _MOST_PANELS)]


def panels(count: int, *, height: float) -> tuple[list[Axes], Figure]:
    """Plain axes for so many charts, in rows of two; a single one is as wide as both."""
    columns = min(count, _PANELS)
    rows = -(-count // columns)
    figure = Figure(figsize=(_WIDTH_INCH, height * rows), dpi=DOTS_PER_INCH, layout="constrained")
    grid = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes in grid[count:]:
        axes.remove()
    for axes in grid[:count]:
        plain(axes)
    return grid[:count], figure


def _draw(axes: Axes, places: Sequence[tuple[float, float]], points: Sequence[Point]) -> None:
    """Markers of one organ at their places, and wide bars in its colour for the intervals of those that have one."""
    colour = organ_colour(points[0].label)
    for (x, _), point in zip(places, points, strict=True):
        if point.interval is not None and len(points) <= MOST_BARS:
            axes.plot([x, x], point.interval, color=colour, alpha=0.45, linewidth=5, solid_capstyle="butt", zorder=2)
    axes.scatter(
        [x for x, _ in places],
        [y for _, y in places],
        s=20,
        marker=marker(points[0].label),
        color=colour,
        edgecolors=INK,
        linewidths=0.6,
        zorder=3,
    )
