"""The section of a report on repeated scans. It tells numbers of days, never dates."""

from collections.abc import Mapping, Sequence

from ..measurement.organ import OrganMeasurement
from ..text.numbers import VolumeUnit, volume_unit
from .blocks import Paragraph, Picture, PictureRow, Section, number
from .common_sections import table_of
from .pictures.value_charts import NAMED_LINES, Point, repeats_png
from .visits import Change

_WIDTH_MM = 87.0
_CHANGE = "Change is later minus earlier volume."
_WITH_INTERVALS = (
    "Its 90 % interval joins the intervals of both volumes, taken as independent (method of variance estimates "
    "recovery, Zou and Donner, Statistics in Medicine 2008); where it excludes 0, the change exceeds the error of the "
    "measurements. Errors that two scans of a subject have in common cancel, so that this is a cautious statement."
)
_WITHOUT_INTERVALS = "Without prediction intervals it cannot be told whether it exceeds the error of the measurements."


def repeats_section(changes: Sequence[Change], labels: Mapping[str, str], *, show_names: bool) -> Section:
    """Table and charts of the changes; empty without any.

    Args:
        changes: of all subjects.
        labels: what the report calls cases, by name.
        show_names: tell the names of the subjects besides their numbers.
    """
    if not changes:
        return Section("Repeated scans", [])
    numbers = {subject: str(n) for n, subject in enumerate(dict.fromkeys(c.subject for c in changes), start=1)}
    names = {subject: f"{n}: {subject}" if show_names else n for subject, n in numbers.items()}
    unit = volume_unit(ml for change in changes for ml in (change.before.volume_ml, change.after.volume_ml))
    volumes = ("Earlier", "Later", "Change")
    headings = ["Subject", "Organ", "Cases", "Days", *(f"{name}, {unit.name}" for name in volumes),
                "Change, %", f"90 % interval of the change, {unit.name}", "Exceeds the error"]  # fmt: skip
    rows = [_cells(change, labels, names[change.subject], unit) for change in changes]
    table = table_of(headings, rows, (0, 1, 2, len(headings) - 1), caption="Changes of volumes between scans")
    numbered = ", numbered as in the table" if len(numbers) <= NAMED_LINES else ""
    charts = []
    for organ in dict.fromkeys(change.before.organ for change in changes):
        subjects = {
            number_of: _scans([c for c in changes if (c.subject, c.before.organ) == (subject, organ)])
            for subject, number_of in numbers.items()
        }
        shown = {name: [Point.of(row) for row in scans] for name, scans in subjects.items() if scans}
        caption = f"{organ}: volume at each scan, a line for every subject{numbered}."
        charts.append(Picture(repeats_png(shown), caption, f"Volumes of {organ} over the scans.", _WIDTH_MM))
    rows_of_charts = [PictureRow(charts[n : n + 2]) for n in range(0, len(charts), 2)]
    known = _WITH_INTERVALS if any(change.interval_ml for change in changes) else _WITHOUT_INTERVALS
    return Section("Repeated scans", [Paragraph(f"{_CHANGE} {known}"), table, *rows_of_charts])


def _scans(changes: Sequence[Change]) -> list[OrganMeasurement]:
    rows = {scan: row for c in changes for scan, row in zip(c.scans, (c.before, c.after), strict=True)}
    return [rows[scan] for scan in sorted(rows)]


def _cells(change: Change, labels: Mapping[str, str], subject: str, unit: VolumeUnit) -> list[str]:
    exceeds = {None: number(None), True: "yes", False: "no"}[change.exceeds_error]
    return [
        subject,
        change.before.organ,
        f"{labels[change.before.case]} → {labels[change.after.case]}",
        number(None) if change.days is None else str(change.days),
        unit.text(change.before.volume_ml),
        unit.text(change.after.volume_ml),
        unit.text(change.ml, signed=True),
        number(change.percent, 1, signed=True),
        unit.interval(change.interval_ml),
        exceeds,
    ]
