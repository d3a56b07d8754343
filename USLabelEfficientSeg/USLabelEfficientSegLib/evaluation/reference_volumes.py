"""Reference volumes of cases: from label maps that an expert drew, or from a table of another measurement."""

import csv
import math
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..text.csv_lines import refuse_more_cells
from ..text.display import text_of_csv_cell

_HEADINGS = ("case", "organ", "volume_ml")


def read_reference_volumes(path: Path) -> dict[str, dict[str, float]]:
    """Volumes in ml by case and organ, from a CSV with the columns `case`, `organ` and `volume_ml`, in any order.

    Raises:
        InputError: it cannot be read, lacks a column, or has a volume that is none or two of an organ.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader: csv.DictReader[Any] = csv.DictReader(file)
            reader.fieldnames = [heading.strip() for heading in reader.fieldnames or ()]
            missing = [heading for heading in _HEADINGS if heading not in reader.fieldnames]
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, f"cannot be read ({error})", "give a CSV file in UTF-8") from None
    if missing:
        raise InputError(path, f"lacks the column {missing[0]}", f"give the columns {', '.join(_HEADINGS)}")
    volumes: dict[str, dict[str, float]] = {}
    for line, row in enumerate(rows, start=2):
        refuse_more_cells(path, line, row.get(None))
        case, organ, text = (text_of_csv_cell((row[heading] or "").strip()) for heading in _HEADINGS)
        of_case = volumes.setdefault(case, {})
        if organ in of_case:
            raise InputError(path, f"has two volumes of {organ} of {case} (line {line})", "keep one of them")
        of_case[organ] = _millilitres(text, path, line)
    return volumes


def _millilitres(text: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise InputError(path, f"has the volume {text!r} in line {line}", "give every volume in ml, as 12.3")
    return value
