"""How the measurements of a cohort are distributed."""

from collections.abc import Mapping, Sequence

import numpy as np

from ...imaging.organ_colours import organ_colour
from .chart_style import INK, name_style, name_text, png
from .value_charts import panels

_BINS = 60


def distributions_png(values: Mapping[int, Sequence[float]], organs: Sequence[str], heading: str) -> bytes:
    """A histogram of every organ with its median as a line.

    Args:
        values: of the organs, by label; at least one of each.
        organs: names, by label.
        heading: what the values are, with their unit.
    """
    grid, figure = panels(len(values), height=2.2)
    for axes, (label, found) in zip(grid, values.items(), strict=True):
        name, median = organs[label - 1], float(np.median(found))
        axes.hist(found, bins=min(_BINS, max(5, round(np.sqrt(len(found))))), color=organ_colour(label), alpha=0.75)
        axes.axvline(median, color=INK, linewidth=1)
        axes.set_title(name_text(name), fontsize=8, loc="left", **name_style(name))
        axes.set_xlabel(heading, fontsize=8)
        axes.set_ylabel("Cases", fontsize=8)
    return png(figure)
