"""The training curves of a report."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ...study.events import Event
from ...study.stages import Stage, stage_title
from .chart_style import DOTS_PER_INCH, LINE_COLOURS, plain, png

_LOG_SCALE_RATIO = 20.0
_POINTS = 200


def training_curves_png(events: Sequence[Event]) -> bytes | None:
    """Losses against steps, one chart a stage in the order of the stages; None when no event holds a loss.

    The rounds of a student are one chart, one after the other; networks that only test what works have none.

    Where a run was resumed or restarted, the last value of a step counts. A loss that falls by more than a
    factor of twenty is shown on a logarithmic axis.
    """
    stages: dict[str, dict[str, dict[int, float]]] = {}
    for event in events:
        if event.numbered is not None and event.numbered.stage is Stage.CROSS_FITTING:
            continue
        stage, step = _chart_of(event)
        for loss, value in event.losses.items():
            stages.setdefault(stage, {}).setdefault(loss, {})[step] = value
    if not stages:
        return None
    columns = min(len(stages), 3)
    rows = -(-len(stages) // columns)
    figure = Figure(figsize=(7.2, 2.3 * rows), dpi=DOTS_PER_INCH, layout="constrained")
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
                color=LINE_COLOURS[number % len(LINE_COLOURS)],
                linestyle=("-", "--", ":")[number % 3],
                marker="o" if len(steps) == 1 else None,
                linewidth=1.3,
            )
        values = np.array([value for by_step in losses.values() for value in by_step.values()])
        if values.min() > 0 and values.max() / values.min() > _LOG_SCALE_RATIO:
            axes.set_yscale("log")
        axes.set_title(stage, fontsize=8, loc="left")
        axes.set_xlabel("step", fontsize=8)
        axes.set_ylabel("loss", fontsize=8)
        axes.legend(fontsize=7, framealpha=0.85, edgecolor="none")
        plain(axes)
    return png(figure)


def _chart_of(event: Event) -> tuple[str, int]:
    """Title of the event's chart, and its step there."""
    found = event.numbered
    if found is None or found.stage is not Stage.STUDENT or not found.round:
        return stage_title(event.stage), event.step
    return found._replace(round=None).display_name(), (found.round - 1) * event.of + event.step


def _thinned(by_step: dict[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values in order, averaged in equal groups to as many points as a small chart can show."""
    steps = np.array(sorted(by_step))
    values = np.array([by_step[step] for step in steps])
    groups = min(len(steps), _POINTS)
    return tuple(np.array([part.mean() for part in np.array_split(array, groups)]) for array in (steps, values))  # type: ignore[return-value]
