"""Charts of a report: training curves and measured against true volumes."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..segmentation.segments import organ_colour
from ..study.events import Event

# Markers of the organs, and the characters that stand for them in a legend.
MARKERS = {"o": "●", "s": "■", "^": "▲", "D": "◆", "v": "▼", "P": "✚"}

_DOTS_PER_INCH = 150
_LINE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_LOG_SCALE_RATIO = 20.0
_POINTS = 200


def training_curves_png(events: Sequence[Event]) -> bytes | None:
    """Losses against steps, one chart a stage in the order of the stages; None when no event holds a loss.

    Where a run was resumed or restarted, the last value of a step counts. A loss that falls by more than a
    factor of twenty is shown on a logarithmic axis.
    """
    stages: dict[str, dict[str, dict[int, float]]] = {}
    for event in events:
        for loss, value in event.losses.items():
            stages.setdefault(event.stage, {}).setdefault(loss, {})[event.step] = value
    if not stages:
        return None
    columns = min(len(stages), 3)
    rows = -(-len(stages) // columns)
    figure = Figure(figsize=(7.2, 2.3 * rows), dpi=_DOTS_PER_INCH, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(stages) :]:
        axes.remove()
    for axes, (stage, losses) in zip(grid, stages.items(), strict=False):
        for number, (loss, by_step) in enumerate(losses.items()):
            steps, values = _thinned(by_step)
            axes.plot(
                steps,
                values,
                label=loss.replace("_", " "),
                color=_LINE_COLOURS[number % len(_LINE_COLOURS)],
                linestyle=("-", "--", ":")[number % 3],
                marker="o" if len(steps) == 1 else None,
                linewidth=1.3,
            )
        values = np.array([value for by_step in losses.values() for value in by_step.values()])
        if values.min() > 0 and values.max() / values.min() > _LOG_SCALE_RATIO:
            axes.set_yscale("log")
        axes.set_title(stage.replace("_", " "), fontsize=9, loc="left")
        axes.set_xlabel("step", fontsize=8)
        axes.set_ylabel("loss", fontsize=8)
        axes.legend(fontsize=7, frameon=False)
        _plain(axes)
    return _png(figure)


def volume_agreement_png(points: Sequence[tuple[int, float, float]], measured_name: str) -> bytes:
    """Measured against true volumes with the line of identity.

    Args:
        points: organ label, true and measured volume in ml, at least one.
        measured_name: how the volumes were measured, for the axis.
    """
    figure = Figure(figsize=(3.6, 3.4), dpi=_DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    limit = 1.08 * max(max(true, measured) for _, true, measured in points) or 1.0
    axes.plot([0, limit], [0, limit], color="#767676", linewidth=1, linestyle="--", zorder=1)
    for label in sorted({label for label, _, _ in points}):
        true, measured = zip(*((t, m) for n, t, m in points if n == label), strict=True)
        axes.scatter(
            true,
            measured,
            s=30,
            marker=_marker(label),
            color=organ_colour(label),
            edgecolors="#222222",
            linewidths=0.7,
            zorder=2,
        )
    axes.set(xlim=(0, limit), ylim=(0, limit), aspect="equal")
    axes.set_xlabel("True volume, ml", fontsize=8)
    axes.set_ylabel(f"Measured volume ({measured_name}), ml", fontsize=8)
    _plain(axes)
    return _png(figure)


def marker_character(label: int) -> str:
    """The character of an organ's marker in a legend, by its label."""
    return MARKERS[_marker(label)]


def _marker(label: int) -> str:
    return list(MARKERS)[(label - 1) % len(MARKERS)]


def _thinned(by_step: dict[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values in order, averaged in equal groups to as many points as a small chart can show."""
    steps = np.array(sorted(by_step))
    values = np.array([by_step[step] for step in steps])
    groups = min(len(steps), _POINTS)
    return tuple(np.array([part.mean() for part in np.array_split(array, groups)]) for array in (steps, values))  # type: ignore[return-value]


def _plain(axes: Axes) -> None:
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
