"""Names and other texts of files, made safe to show: in a terminal, a message, a report, a spreadsheet.

Such a text may hold control characters, escape sequences that move a terminal's cursor, marks that turn the direction
of writing, bytes that are no UTF-8, or the formula of a spreadsheet. Here all of these become visible and harmless.
"""

import re
import unicodedata

# Bidirectional marks, invisible characters and separators of lines: U+200C and U+200D join letters of real scripts.
_INVISIBLE = frozenset(
    "\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
_ESCAPED_KINDS = frozenset({"Cc", "Cs"})  # control characters, halves of characters

# What starts a formula in Excel, LibreOffice and Google Sheets; some of them split lines at a semicolon, too.
_FORMULA = re.compile(r"(^|;)(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r])")
_GUARDED = re.compile(r"(^|;)'(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r])")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)")


def printable(text: object) -> str:
    r"""A text in one line in which everything is visible: a tab is `\t`, the start of an escape sequence `\x1b`."""
    return "".join(_escaped(character) if _hides(character) else character for character in str(text))


def csv_cell(text: str) -> str:
    """A text for a cell of a spreadsheet: an apostrophe keeps a formula from being run; numbers are unchanged.

    Control characters are made visible as in `printable`.
    """
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(r"\1'", printable(text))


def text_of_csv_cell(cell: str) -> str:
    """The name in a cell written by `csv_cell`."""
    return _GUARDED.sub(r"\1", cell)


def _hides(character: str) -> bool:
    return character in _INVISIBLE or unicodedata.category(character) in _ESCAPED_KINDS


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is no UTF-8, see PEP 383
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii") if code < 0xD800 or code > 0xDFFF else f"\\u{code:04x}"
