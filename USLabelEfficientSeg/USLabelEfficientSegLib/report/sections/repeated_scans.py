"""Repeated scans: how organs changed. The section tells numbers of days, never dates."""

from collections.abc import Mapping, Sequence

import numpy as np

from ...measurement.quantities import Quantity
from ..blocks import Block, Heading, Paragraph, Picture, PictureRow, Section, Table, number
from ..content import CaseSummary
from ..pictures.value_charts import NAMED_LINES, Point, repeats_png
from ..tables import Scale, scale_of, table_of
from ..visits import Change, Visit, changes

_WIDTH_MM = 87.0
_CHANGE = "Change is later minus earlier value."
_WITH_INTERVALS = (
    "Its 90 % interval joins the intervals of both values, taken as independent (method of variance estimates "
    "recovery, Zou and Donner, Statistics in Medicine 2008); where it excludes 0, the change exceeds the error of the "
    "measurements. Errors that two scans of a subject have in common cancel, so that this is a cautious statement."
)
_WITHOUT_INTERVALS = "Without prediction intervals it cannot be told whether it exceeds the error of the measurements."


def repeated_scans_section(cases: Sequence[CaseSummary], visits: Sequence[Visit], *, show_names: bool) -> Section:
    """Tables and charts of the changes of each quantity; empty without any.

    Args:
        cases: of the report.
        visits: which of them are repeated scans of which subject.
        show_names: tell the names of the subjects besides their numbers.

    Raises:
        InputError: a visit of a case that was not measured, or two scans of a subject at the same time.
    """
    found = changes([row for case in cases for row in case.rows], visits)
    if not found:
        return Section("Repeated scans", [])
    labels = {case.name: case.label for case in cases}
    numbers = {subject: str(n) for n, subject in enumerate(dict.fromkeys(c.subject for c in found), start=1)}
    names = {subject: f"{n}: {subject}" if show_names else n for subject, n in numbers.items()}
    known = _WITH_INTERVALS if any(change.interval for change in found) else _WITHOUT_INTERVALS
    blocks: list[Block] = [Paragraph(f"{_CHANGE} {known}")]
    quantities = dict.fromkeys(change.before.name for change in found)
    for quantity in quantities:
        of_quantity = [change for change in found if change.before.name == quantity]
        scale = scale_of(
            of_quantity[0].before, [value for c in of_quantity for value in (c.before.value, c.after.value)]
        )
        blocks += [Heading(scale.title)] if len(quantities) > 1 else []
        blocks.append(
            table_of(
                _headings(scale),
                [_cells(change, labels, names[change.subject], scale) for change in of_quantity],
                (0, 1, 2, 9),
                caption=f"Changes of the {scale.name} between scans",
            )
        )
        charts = _charts(of_quantity, numbers)
        blocks += [PictureRow(charts[n : n + 2]) for n in range(0, len(charts), 2)]
    return Section("Repeated scans", blocks)


def change_statistics_section(cases: Sequence[CaseSummary], visits: Sequence[Visit]) -> Section:
    """Statistics of the changes of each quantity in a cohort; empty without any. Raises `InputError` as above."""
    found = changes([row for case in cases for row in case.rows], visits)
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in found:
        groups.setdefault((change.organ, change.before.name), []).append(change)
    rows = []
    for (organ, quantity), group in groups.items():
        percents = [change.percent for change in group if change.percent is not None]
        low, median, high = np.percentile(percents, (5, 50, 95)).tolist() if percents else (None, None, None)
        judged = [change.exceeds_error for change in group if change.exceeds_error is not None]
        exceeding = f"{sum(judged)} of {len(judged)}" if judged else number(None)
        of_all = [number(value, 1, signed=True) for value in (median, low, high)]
        rows.append([organ, quantity.replace("_", " "), str(len(group)), *of_all, exceeding])
    if not rows:
        return Section("Repeated scans", [])
    known = _WITH_INTERVALS if any(change.interval for change in found) else _WITHOUT_INTERVALS
    headings = (
        "Organ",
        "Quantity",
        "Changes",
        "Median, %",
        "5th percentile, %",
        "95th percentile, %",
        "Exceed the error",
    )
    table = Table(headings, rows, (0, 1, 6), "Changes between the scans of a subject")
    return Section("Repeated scans", [Paragraph(f"{_CHANGE} {known}"), table])


def _headings(scale: Scale) -> list[str]:
    values = [scale.heading(name) for name in ("Earlier", "Later", "Change")]
    interval = scale.heading("90 % interval of the change")
    return ["Subject", "Organ", "Cases", "Days", *values, "Change, %", interval, "Exceeds the error"]


def _cells(change: Change, labels: Mapping[str, str], subject: str, scale: Scale) -> list[str]:
    before, after = change.cases
    return [
        subject,
        change.organ,
        f"{labels[before]} → {labels[after]}",
        number(None) if change.days is None else str(change.days),
        scale.text(change.before.value),
        scale.text(change.after.value),
        scale.text(change.value, signed=True),
        number(change.percent, 1, signed=True),
        scale.interval(change.interval),
        {None: number(None), True: "yes", False: "no"}[change.exceeds_error],
    ]


def _charts(found: Sequence[Change], numbers: Mapping[str, str]) -> list[Picture]:
    """A chart of a quantity of each organ, with a line for every subject."""
    numbered = ", numbered as in the table" if len(numbers) <= NAMED_LINES else ""
    scale = scale_of(found[0].before)
    charts = []
    for organ in dict.fromkeys(change.organ for change in found):
        of_organ = [change for change in found if change.organ == organ]
        subjects = {
            name: [Point.of(of_organ[0].label, one) for one in _scans([c for c in of_organ if c.subject == subject])]
            for subject, name in numbers.items()
        }
        shown = {name: points for name, points in subjects.items() if points}
        caption = f"{organ}: {scale.name} at each scan, a line for every subject{numbered}."
        description = f"{scale.title} of {organ} over the scans."
        charts.append(Picture(repeats_png(shown, scale.heading()), caption, description, _WIDTH_MM))
    return charts


def _scans(found: Sequence[Change]) -> list[Quantity]:
    """The quantity at each scan of a subject."""
    values = {scan: one for c in found for scan, one in zip(c.scans, (c.before, c.after), strict=True)}
    return [values[scan] for scan in sorted(values)]
