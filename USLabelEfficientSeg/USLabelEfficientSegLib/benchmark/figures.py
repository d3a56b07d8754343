"""Figures of a benchmark: Dice against label fraction and time, volume agreement, Dice under degradations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from ..imaging.simulator import PROBES
from ..report.pictures.chart_style import DOTS_PER_INCH, LINE_COLOURS, QUIET, plain, png
from .degradations import SIMULATED_PROBE, STRENGTHS
from .methods import OURS, method_names, title_of, uses_all_labels
from .results import UNDEGRADED, JobResult
from .statistics import Arm, ArmSummary, degraded_dice, group_by_arm, summarise_arm
from .times import mean_curve

_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_COLUMNS = 3
_SPREAD_IN_FACTORS = 1.12  # between neighbouring methods on the logarithmic axis, all together
_MARGIN = 1.6  # beyond the lowest and the highest label fraction, so that methods at a single one stand together


def dice_against_fraction_png(results: Sequence[JobResult]) -> bytes:
    """Mean Dice of each method at each label fraction, with the range of the seeds' means; the ceiling as a line."""
    figure = Figure(figsize=(7.2, 4.0), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    arms = group_by_arm(results)
    series = series_of([arm for arm in arms if not uses_all_labels(arm.method)])
    for number, (key, members) in enumerate(series.items()):
        summaries = [summarise_arm(arm, arms[arm]) for arm in members]
        aside = _SPREAD_IN_FACTORS ** ((number + 0.5) / len(series) - 0.5)
        x = [100 * arm.label_fraction * aside for arm in members]
        y = [summary.dice for summary in summaries]
        ranges = [_range_of_seeds(arms[arm], s) for arm, s in zip(members, summaries, strict=True)]
        axes.errorbar(x, y, yerr=np.array(ranges).T, capsize=2, elinewidth=0.9, label=_label(*key), **style_of(*key))
    for arm in (arm for arm in arms if uses_all_labels(arm.method)):
        dice = summarise_arm(arm, arms[arm]).dice
        axes.axhline(dice, color="#555555", linewidth=1.2, linestyle="--", label=_label(arm.method))
    if series:
        ticks = sorted({100 * arm.label_fraction for members in series.values() for arm in members})
        axes.set_xscale("log")
        axes.set_xlim(ticks[0] / _MARGIN, ticks[-1] * _MARGIN)
        axes.set_xticks(ticks)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("Labelled slices, % of all", fontsize=8)
    axes.set_ylabel("Dice on held-out subjects", fontsize=8)
    plain(axes)
    figure.legend(loc="outside right center", fontsize=7, frameon=False)
    return png(figure)


def volume_agreement_png(results: Sequence[JobResult], label_fraction: float) -> bytes:
    """Expected against true volume of all cases and seeds, a chart for each method at one label fraction."""
    arms = {
        arm: runs
        for arm, runs in group_by_arm(results).items()
        if arm.label_fraction == label_fraction or uses_all_labels(arm.method)
    }
    rows = [row for runs in arms.values() for run in runs.values() for row in run.plain]
    limit = 1.05 * max(max(row.reference_ml, row.expected_ml) for row in rows)
    figure, grid = _grid(len(arms), side=2.1, legend=0.8)
    organs = list(dict.fromkeys(row.organ for row in rows))
    for axes, (arm, runs) in zip(grid, arms.items(), strict=True):
        axes.plot([0, limit], [0, limit], color=QUIET, linewidth=0.8, linestyle="--", zorder=1)
        for number, organ in enumerate(organs):
            points = [(r.reference_ml, r.expected_ml) for run in runs.values() for r in run.plain if r.organ == organ]
            true, measured = zip(*points, strict=True)
            axes.scatter(
                true,
                measured,
                s=9,
                marker=_MARKERS[number % len(_MARKERS)],
                color=LINE_COLOURS[number % len(LINE_COLOURS)],
                alpha=0.7,
                linewidths=0,
                label=organ,
            )
        axes.set(xlim=(0, limit), ylim=(0, limit), aspect="equal")
        axes.set_xlabel("true, ml", fontsize=7)
        axes.set_ylabel("measured, ml", fontsize=7)
        axes.set_title(_wrapped(_label(arm.method, arm.choice)), fontsize=7, loc="left")
        plain(axes)
    if len(organs) > 1:
        figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right upper", fontsize=7, frameon=False)
    return png(figure)


def degradation_png(results: Sequence[JobResult]) -> bytes | None:
    """Mean Dice against the strength of every degradation, a line for each method; None where none was measured."""
    arms = degraded_dice(results)
    if not arms:
        return None
    names = list(dict.fromkeys(name for dice in arms.values() for name, _ in dice if name != UNDEGRADED))
    figure, grid = _grid(len(names), side=2.1, legend=2.4)
    for arm, dice in arms.items():
        for axes, name in zip(grid, names, strict=True):
            points = sorted((strength, mean) for (found, strength), mean in dice.items() if found == name)
            if name == SIMULATED_PROBE:  # no stronger or weaker version of the probe that made the image
                points = [(STRENGTHS.index(strength), mean) for strength, mean in points]
            else:
                points = [(0.0, dice[UNDEGRADED, 0.0]), *points]
            x, y = zip(*points, strict=True) if points else ((), ())
            axes.plot(x, y, label=_label(arm.method, arm.choice), **style_of(arm.method, arm.choice))
    for axes, name in zip(grid, names, strict=True):
        axes.set_title(name, fontsize=8, loc="left")
        axes.set(xlim=(-0.03, 1.03), ylim=(0, 1))
        plain(axes)
        axes.set_xlabel("strength", fontsize=8)
        axes.set_ylabel("Dice", fontsize=8)
        if name == SIMULATED_PROBE:
            axes.set_xticks(range(len(PROBES)), list(PROBES))
            axes.set(xlim=(-0.3, len(PROBES) - 0.7))
            axes.set_xlabel("quality", fontsize=8)
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right center", fontsize=7, frameon=False)
    return png(figure)


def dice_over_time_png(results: Sequence[JobResult], label_fraction: float, target: float | None) -> bytes | None:
    """Mean Dice against seconds of training, a line for each method; None where it was not measured.

    Args:
        results: of all runs.
        label_fraction: of the methods that are shown; those that use all labels are left out.
        target: the Dice that all are timed to, drawn as a line.
    """
    curves = {
        arm: curve
        for arm, runs in group_by_arm(results).items()
        if arm.label_fraction == label_fraction and not uses_all_labels(arm.method)
        if (curve := mean_curve(list(runs.values())))
    }
    if not curves:
        return None
    figure = Figure(figsize=(7.2, 3.6), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    for arm, curve in curves.items():
        style = style_of(arm.method, arm.choice)
        axes.plot([p.seconds for p in curve], [p.dice for p in curve], label=_label(arm.method, arm.choice), **style)
    if target is not None:
        axes.axhline(target, color="#555555", linewidth=1.0, linestyle=":", label="best rival in the end")
    axes.set_xlim(left=0)
    axes.set_xlabel("Seconds of training", fontsize=8)
    axes.set_ylabel("Dice on validation subjects", fontsize=8)
    plain(axes)
    figure.legend(loc="outside right center", fontsize=7, frameon=False)
    return png(figure)


def series_of(arms: Sequence[Arm]) -> dict[tuple[str, str], list[Arm]]:
    """Arms of one method and choice of labels, by rising label fraction."""
    series: dict[tuple[str, str], list[Arm]] = {}
    for arm in sorted(arms, key=lambda arm: arm.label_fraction):
        series.setdefault((arm.method, arm.choice), []).append(arm)
    return series


def _range_of_seeds(runs: dict[int, JobResult], summary: ArmSummary) -> tuple[float, float]:
    means = [np.mean([row.dice for row in run.plain]) for run in runs.values()]
    return float(summary.dice - min(means)), float(max(means) - summary.dice)


def _label(method: str, choice: str = "random") -> str:
    return title_of(method) + ("" if choice == "random" else f", {choice} slices")


def _wrapped(text: str, width: int = 26) -> str:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def style_of(method: str, choice: str) -> dict[str, Any]:
    """A method keeps its colour and marker in every figure; suggested slices are dashed, with open markers."""
    number = method_names().index(method)
    others = len(LINE_COLOURS) - 1  # the first colour is ours alone
    return {
        "color": LINE_COLOURS[0 if method == OURS else 1 + number % others],
        "marker": _MARKERS[(number % others + number // others) % len(_MARKERS)],
        "linestyle": "-" if choice == "random" else "--",
        "markerfacecolor": None if choice == "random" else "white",
        "markersize": 4,
        "linewidth": 2.0 if method == OURS else 1.2,
    }


def _grid(count: int, side: float, legend: float) -> tuple[Figure, list[Axes]]:
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    figure = Figure(figsize=(max(side * columns, 2 * side) + legend, side * rows), dpi=DOTS_PER_INCH)
    figure.set_layout_engine("constrained")
    grid = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes in grid[count:]:
        axes.remove()
    return figure, grid[:count]
