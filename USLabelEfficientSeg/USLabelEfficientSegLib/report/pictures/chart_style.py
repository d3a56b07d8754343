"""What the charts of a report have in common: markers of the organs, plain axes, PNG."""

import io
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from ...text.display import printable
from .fonts import further_fonts, with_codes

# Markers of the organs, and the characters that stand for them in a legend.
MARKERS = {"o": "●", "s": "■", "^": "▲", "D": "◆", "v": "▼", "P": "✚"}

DOTS_PER_INCH = 150
INK, QUIET, RULE = "#222222", "#767676", "#e4e4e4"
# Okabe and Ito's colours, dark enough for lines; with markers they also work in grey.
LINE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")


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


def name_style(name: str) -> dict[str, Any]:
    """How a name is written: in fonts that have its characters, as far as any has, and never as a formula."""
    fonts, _ = further_fonts([printable(name)])
    others = [entry.name for path in fonts for entry in fontManager.ttflist if Path(entry.fname) == path]
    return {"fontfamily": ["DejaVu Sans", *dict.fromkeys(others)], "parse_math": False, "color": INK}


def name_text(name: str) -> str:
    """A name as charts show it: with codes for characters of which no font is at hand."""
    return with_codes(printable(name), further_fonts([printable(name)])[1])


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
