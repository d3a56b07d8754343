"""CSV tables that people write: lines that must be refused."""

from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError


def refuse_more_cells(path: Path, line: int, more: Sequence[str] | None) -> None:
    """Refuse a line with more cells than headings: a decimal comma silently cuts a number in two.

    Args:
        path: of the table.
        line: its number, from 1.
        more: the cells beyond the headings; empty ones do no harm.

    Raises:
        InputError: one of them is not empty.
    """
    if any(cell.strip() for cell in more or ()):
        problem = f"has more cells than headings in line {line}"
        raise InputError(path, problem, "write numbers with a point (12.3), and texts with a comma in quotes")
