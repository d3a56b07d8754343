"""Font files for the characters of a text: DejaVu, which comes with matplotlib, and others of this computer."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont, TTLibError
from matplotlib import get_data_path
from matplotlib.font_manager import fontManager

from ..errors import InputError

_INVISIBLE = "\n\t\r"
_LAST_RESORT = "LastResort"  # a font that has a box for every character


def dejavu(style: str = "") -> Path:
    """The file of DejaVu Sans, or of its style "Bold"."""
    return Path(get_data_path()) / "fonts" / "ttf" / f"DejaVuSans{'-' + style if style else ''}.ttf"


def further_fonts(texts: Iterable[str]) -> list[Path]:
    """Fonts of this computer for the characters that DejaVu lacks, in the order in which they are to be asked.

    Raises:
        InputError: no font has one of the characters.
    """
    missing = set().union(*map(set, texts)) - set(_INVISIBLE) - _characters(dejavu())
    fonts: list[Path] = []
    for path in sorted({Path(entry.fname) for entry in fontManager.ttflist} if missing else ()):
        if _LAST_RESORT in path.name:
            continue
        found = missing & _characters(path)
        if found:
            fonts.append(path)
            missing -= found
    if missing:
        characters = "".join(sorted(missing)[:10])
        problem = f"needs a font with the characters {characters}, of which this computer has none"
        raise InputError("PDF", problem, "install one, such as Noto Sans, or write the report as HTML")
    return fonts


@cache
def _characters(path: Path) -> frozenset[str]:
    """What a font can show, or the first one of a collection."""
    try:
        with TTFont(path, fontNumber=0, lazy=True) as font:
            return frozenset(map(chr, font.getBestCmap() or ()))
    except (TTLibError, OSError):
        return frozenset()
