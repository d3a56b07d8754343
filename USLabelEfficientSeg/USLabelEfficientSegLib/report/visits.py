"""Repeated scans of a subject: how an organ's volume changed, and whether that is more than the measurement's error.

The interval of a change joins those of its two volumes, taken as independent, by the method of variance estimates
recovery (Zou and Donner, "Construction of confidence limits about effect measures: a general approach", Statistics in
Medicine 27:1693-1702, 2008): with volumes a, b and bounds a1 < a < a2, b1 < b < b2 the change d = b - a lies between
d - sqrt((b - b1)^2 + (a2 - a)^2) and d + sqrt((b2 - b)^2 + (a - a1)^2). It exceeds the error when that excludes 0.
"""

import csv
import math
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..measurement.organ import OrganMeasurement
from ..text.csv_lines import refuse_more_cells
from ..text.display import text_of_csv_cell

_HEADINGS = ("case", "subject")
_ORDERS = ("date", "order")


@dataclass(frozen=True)
class Visit:
    """A scan of a subject: `when` is a day number (of a date) or any number that orders the scans."""

    case: str
    subject: str
    when: float
    is_date: bool


@dataclass(frozen=True)
class Change:
    """The volume of one organ in two scans of a subject, the earlier one first.

    Attributes:
        scans: their numbers among the scans of the subject, from 1.
        days: between the scans, where their dates are known.
    """

    subject: str
    scans: tuple[int, int]
    before: OrganMeasurement
    after: OrganMeasurement
    days: int | None = None

    @property
    def ml(self) -> float:
        """The change in ml."""
        return self.after.volume_ml - self.before.volume_ml

    @property
    def percent(self) -> float | None:
        """The change in percent of the earlier volume; None where the organ was not found."""
        return 100 * self.ml / self.before.volume_ml if self.before.volume_ml else None

    @property
    def interval_ml(self) -> tuple[float, float] | None:
        """The 90 % interval of the change; None where a volume has none."""
        if self.before.interval_ml is None or self.after.interval_ml is None:
            return None
        (a1, a2), (b1, b2), a, b = (
            self.before.interval_ml,
            self.after.interval_ml,
            self.before.volume_ml,
            self.after.volume_ml,
        )
        return self.ml - math.hypot(b - b1, a2 - a), self.ml + math.hypot(b2 - b, a - a1)

    @property
    def exceeds_error(self) -> bool | None:
        """Whether the interval of the change excludes 0; None where there is no interval."""
        if self.interval_ml is None:
            return None
        lower, upper = self.interval_ml
        return lower > 0 or upper < 0


def read_visits(path: Path) -> list[Visit]:
    """Visits from a CSV with the columns `case`, `subject`, and `date` (2024-02-29) or `order` (a number).

    Raises:
        InputError: it cannot be read, a column or value is missing or wrong, or a case occurs twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader: csv.DictReader[Any] = csv.DictReader(file)
            headings = [heading.strip() for heading in reader.fieldnames or ()]
            reader.fieldnames = headings
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, f"cannot be read ({error})", "give a CSV file in UTF-8") from None
    orders = [name for name in _ORDERS if name in headings]
    if len(orders) != 1 or any(name not in headings for name in _HEADINGS):
        raise InputError(path, "lacks a column", "give the columns case, subject, and either date or order")
    visits: dict[str, Visit] = {}
    for line, row in enumerate(rows, start=2):
        refuse_more_cells(path, line, row.get(None))
        case, subject, text = (text_of_csv_cell((row[name] or "").strip()) for name in (*_HEADINGS, orders[0]))
        if not case or not subject:
            raise InputError(path, f"has no case or subject in line {line}", "fill in every cell")
        if case in visits:
            raise InputError(path, f"names the case {case} twice", "keep one line for every case")
        visits[case] = Visit(case, subject, _when(text, orders[0], path, line), orders[0] == "date")
    return list(visits.values())


def check_visits(visits: Iterable[Visit], cases: Container[str]) -> None:
    """Raise `InputError` when there is a visit of which there is no case."""
    for visit in visits:
        if visit.case not in cases:
            problem = "is a visit of which there is no segmentation"
            raise InputError(visit.case, problem, "remove its line or segment it")


def changes(rows: Sequence[OrganMeasurement], visits: Sequence[Visit]) -> list[Change]:
    """Changes of every organ from scan to scan of each subject, and from the first to the last of three or more.

    Cases without a visit are passed over, as are subjects with a single scan.

    Raises:
        InputError: a visit of a case that was not measured, or two scans of a subject at the same time.
    """
    by_case: dict[str, list[OrganMeasurement]] = {}
    for row in rows:
        by_case.setdefault(row.case, []).append(row)
    check_visits(visits, by_case)
    by_subject: dict[str, list[Visit]] = {}
    for visit in visits:
        by_subject.setdefault(visit.subject, []).append(visit)
    found = []
    for subject, scans in by_subject.items():
        scans.sort(key=lambda visit: visit.when)
        if len({visit.when for visit in scans}) < len(scans):
            raise InputError(f"subject {subject}", "has two scans at the same time", "give each its own date or order")
        last = len(scans) - 1
        pairs = [(n, n + 1) for n in range(last)] + ([(0, last)] if last > 1 else [])
        for first, second in pairs:
            after = {row.organ: row for row in by_case[scans[second].case]}
            days = round(scans[second].when - scans[first].when) if scans[first].is_date else None
            found += [
                Change(subject, (first + 1, second + 1), row, after[row.organ], days)
                for row in by_case[scans[first].case]
                if row.organ in after
            ]
    return found


def _when(text: str, kind: str, path: Path, line: int) -> float:
    try:
        value = float(date.fromisoformat(text).toordinal()) if kind == "date" else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        form = "such as 2024-02-29" if kind == "date" else "as a number"
        raise InputError(path, f"has the {kind} {text!r} in line {line}", f"give every {kind} {form}")
    return value
