"""What the charts of a report have in common: markers of the organs, plain axes, PNG."""

import io

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Markers of the organs, and the characters that stand for them in a legend.
MARKERS = {"o": "●", "s": "■", "^": "▲", "D": "◆", "v": "▼", "P": "✚"}

DOTS_PER_INCH = 150
INK, QUIET, RULE = "#222222", "#767676", "#e4e4e4"


def marker(label: int) -> str:
    """Matplotlib's marker of an organ by its label."""
    return list(MARKERS)[(label - 1) % len(MARKERS)]


def marker_character(label: int) -> str:
    """The character of an organ's marker in a legend, by its label."""
    return MARKERS[marker(label)]


def plain(axes: Axes) -> None:
    """Axes without frame, with small numbers and a light grid behind the data."""
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
