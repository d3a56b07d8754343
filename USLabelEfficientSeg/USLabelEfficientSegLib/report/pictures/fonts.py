"""Font files for the characters of a text: DejaVu, which comes with matplotlib, and others of this computer."""

from collections.abc import Iterable, Set
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont, TTLibError
from matplotlib import get_data_path
from matplotlib.font_manager import fontManager

_INVISIBLE = frozenset("\n\t\r")
_JOINERS = frozenset("\u200c\u200d\ufe0e\ufe0f")  # choose among the shapes of characters, and have none of their own
_LAST_RESORT = "LastResort"  # a font that has a box for every character


def dejavu(style: str = "") -> Path:
    """The file of DejaVu Sans, or of its style "Bold"."""
    return Path(get_data_path()) / "fonts" / "ttf" / f"DejaVuSans{'-' + style if style else ''}.ttf"


def further_fonts(texts: Iterable[str]) -> tuple[list[Path], frozenset[str]]:
    """Fonts of this computer for the characters that DejaVu lacks, in the order in which they are to be asked.

    Returns:
        The fonts, and the characters of which no font is at hand.
    """
    missing = frozenset().union(*map(frozenset, texts)) - _INVISIBLE - _JOINERS - _characters(dejavu())
    fonts: list[Path] = []
    for path in sorted({Path(entry.fname) for entry in fontManager.ttflist} if missing else ()):
        found = frozenset() if _LAST_RESORT in path.name else missing & _characters(path)
        if found:
            fonts.append(path)
            missing -= found
    return fonts, missing


def with_codes(text: str, missing: Set[str]) -> str:
    """The text with the code of each character that is missing, such as [U+6F22], so that names stay different."""
    return "".join(
        f"[U+{ord(character):04X}]" if character in missing else character
        for character in text
        if character not in _JOINERS
    )


@cache
def _characters(path: Path) -> frozenset[str]:
    """What a font can show, or the first one of a collection; nothing where it has no outlines that a PDF can hold."""
    try:
        with TTFont(path, fontNumber=0, lazy=True) as font:
            return frozenset(map(chr, font.getBestCmap() or ())) if "glyf" in font else frozenset()
    except (TTLibError, OSError, AssertionError):
        return frozenset()
