"""The figure of a suite: a row for each set, a dot for each method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ...report.pictures.chart_style import DOTS_PER_INCH, QUIET, RULE, plain, png
from ..figures import style_of
from ..methods import OURS, method_names, title_of, uses_all_labels
from ..statistics import Arm
from .cells import SetResults, label_arms

_ROW, _PANEL = 0.32, 3.0  # inches


def suite_png(sets: Sequence[SetResults]) -> bytes:
    """Dice of each method on each set, a panel for each label fraction and choice; a line from worst to best.

    Args:
        sets: with at least one result each.
    """
    pairs = label_arms(sets) or [(1.0, "random")]
    methods = [name for name in method_names() if any(arm.method == name for one in sets for arm in one.arms)]
    size = (2.0 + _PANEL * len(pairs), 1.6 + _ROW * len(sets))
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
    panels = figure.subplots(1, len(pairs), squeeze=False, sharey=True)[0]
    for axes, (fraction, choice) in zip(panels, pairs, strict=True):
        _panel(axes, sets, methods, fraction, choice)
    panels[0].set_yticks(range(len(sets)), [one.name for one in sets])
    panels[0].invert_yaxis()
    figure.legend(
        handles=[_dot(name) for name in methods], loc="outside lower center", ncols=3, fontsize=7, frameon=False
    )
    return png(figure)


def _panel(axes: Axes, sets: Sequence[SetResults], methods: Sequence[str], fraction: float, choice: str) -> None:
    for row, one in enumerate(sets):
        found = {}
        for name in methods:
            arm = Arm(name, 1.0, "random") if uses_all_labels(name) else Arm(name, fraction, choice)
            if arm in one.arms:
                found[name] = one.summary(arm).dice
        if not found:
            continue
        axes.plot([min(found.values()), max(found.values())], [row, row], color=QUIET, linewidth=0.8, zorder=1)
        for name, dice in found.items():
            axes.plot(dice, row, zorder=3 if name == OURS else 2, **_look(name))
    plain(axes)
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(sets) - 0.4))
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_title(f"{100 * fraction:g} % of slices labelled, {choice}", fontsize=8, loc="left")
    axes.set_xlabel("Dice on held-out subjects (1 is perfect)", fontsize=8)


def _look(name: str) -> dict[str, Any]:
    return {**style_of(name, "random"), "linestyle": "", "markersize": 8 if name == OURS else 5}


def _dot(name: str) -> Line2D:
    return Line2D([], [], label=title_of(name), **_look(name))
