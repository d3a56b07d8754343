"""The first sections of the report of a cohort: its summary, its distributions, its outliers."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..blocks import TEXT_MM, Block, Paragraph, Picture, Section, Table, Tiles
from ..content import CaseSummary
from ..kinds import Kind
from ..outliers import Outlier
from ..pictures.distributions import distributions_png
from ..pictures.value_charts import on_pages
from ..tables import Scale, flag_names, known_value, scale_of, table_of

_MOST_LISTED = 100
_HEADINGS = ("Organ", "Found in", "Median", "Middle half", "Middle 90 %", "Smallest", "Largest", "Mean", "SD")
_OUTLIERS = (
    "A case is listed when an organ was not found, or when the logarithm of a number has a modified z-score beyond 3.5 "
    "(Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993): its distance from the median of all cases, in "
    "median absolute deviations, times 0.6745."
)


def summary_section(
    kind: Kind, organs: Sequence[str], cases: Sequence[CaseSummary], outliers: Sequence[Outlier], failed: int
) -> Section:
    """Tiles, statistics of every organ, and the distributions of the quantities to report; empty without a case.

    Args:
        kind, organs: as in `ReportContent`.
        cases: all.
        outliers: those of them that lie far from the others.
        failed: how many more could not be read.
    """
    flagged = sum(any(row.flags for row in case.rows) for case in cases)
    tiles = {
        f"Segmented {kind.scans}": str(len(cases)),
        f"{kind.scans.capitalize()} with a caution": f"{flagged} of {len(cases)}",
        "Outliers": str(len(outliers)),
    }
    if failed:
        tiles["Could not be read"] = str(failed)
    blocks: list[Block] = [Tiles(tiles)] if cases else []
    first = next((row for case in cases for row in case.rows), None)
    for position in range(0 if first is None else len(first.headline)):
        blocks += _distribution(organs, cases, position)
    return Section("Summary", blocks)


def outliers_section(outliers: Sequence[Outlier], anchors: Mapping[str, str]) -> Section:
    """The outliers with the reasons, the farthest first.

    Args:
        outliers: in their order.
        anchors: where the labels of those with pictures lead.
    """
    if not outliers:
        return Section("Outliers", [])
    shown = outliers[:_MOST_LISTED]
    measured = [row for one in shown for row in one.case.rows]
    scales = [
        scale_of(quantity, [row.headline[position].value for row in measured])
        for position, quantity in enumerate(measured[0].headline)
    ]
    rows = []
    for one in shown:
        for number, row in enumerate(one.case.rows):
            values = [scale.text(quantity.value) for scale, quantity in zip(scales, row.headline, strict=True)]
            why = "; ".join(one.reasons) if number == 0 else ""
            rows.append([one.case.label, row.organ, *values, why, flag_names(row.flags)])
    headings = ["Case", "Organ", *(scale.heading() for scale in scales), "Why", "Cautions"]
    texts = (0, 1, len(headings) - 2, len(headings) - 1)
    caption = f"The first {len(shown)} of {len(outliers)} outliers" if len(outliers) > len(shown) else "All outliers"
    table = table_of(headings, rows, texts, caption=caption, rows_of=measured, links=anchors)
    return Section("Outliers", [Paragraph(_OUTLIERS, quiet=True), table])


def _distribution(organs: Sequence[str], cases: Sequence[CaseSummary], position: int) -> list[Block]:
    """Statistics and histograms of a quantity to report."""
    values: dict[int, list[float]] = {label: [] for label in range(1, len(organs) + 1)}
    for case in cases:
        for row in case.rows:
            value = known_value(row, row.headline[position]) if row.is_found else None
            if value is not None:
                values[row.label].append(value)
    first = next(row for case in cases for row in case.rows).headline[position]
    scale = scale_of(first, [value for found in values.values() for value in found])
    scaled = {label: [value * scale.factor for value in found] for label, found in values.items() if found}
    table = Table(
        _HEADINGS,
        [_statistics(organ, values[label], len(cases), scale) for label, organ in enumerate(organs, start=1)],
        (0,),
        f"{scale.heading()}, of all cases in which the organ was found",
    )
    caption = f"How the {scale.name} is distributed. The line is the median."
    pictures = []
    for labels in on_pages(list(scaled)):
        described = f"Histograms of the {scale.name} of {', '.join(organs[label - 1] for label in labels)}."
        png = distributions_png({label: scaled[label] for label in labels}, organs, scale.heading())
        pictures.append(Picture(png, caption, described, TEXT_MM))
    return [table, *pictures]


def _statistics(organ: str, values: Sequence[float], cases: int, scale: Scale) -> list[str]:
    if not values:
        return [organ, f"0 of {cases}", *[scale.text(None)] * (len(_HEADINGS) - 2)]
    low, quarter, median, three_quarters, high = np.percentile(values, (5, 25, 50, 75, 95)).tolist()
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return [
        organ,
        f"{len(values)} of {cases}",
        scale.text(median),
        scale.interval((quarter, three_quarters)),
        scale.interval((low, high)),
        scale.text(min(values)),
        scale.text(max(values)),
        scale.text(float(np.mean(values))),
        scale.text(spread),
    ]
