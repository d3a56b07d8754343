"""Tables that people write: what a line of a CSV file may not be."""

from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError


def refuse_more_cells(path: Path, line: int, more: Sequence[str] | None) -> None:
    """Refuse a line that has further cells beyond the headings: a decimal comma cuts a number in two, silently.

    Args:
        path: of the table.
        line: its number, from 1.
        more: the cells beyond the headings; empty ones do no harm.

    Raises:
        InputError: one of them holds anything.
    """
    if any(cell.strip() for cell in more or ()):
        problem = f"has more cells than headings in line {line}"
        raise InputError(path, problem, "write numbers with a point (12.3), and texts with a comma in quotes")
