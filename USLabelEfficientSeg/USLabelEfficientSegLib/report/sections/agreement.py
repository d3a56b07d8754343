"""Agreement with references: statistics and charts of every quantity, and the overlap of every case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...evaluation.agreement import MINIMAL_CASES, Estimate, Limits, VolumeAgreement, volume_agreement
from ...imaging.organ_colours import organ_colour
from ..blocks import TEXT_MM, Block, Heading, Legend, LegendEntry, Paragraph, Picture, Section, Table, number
from ..content import CaseSummary
from ..pictures.chart_style import marker_character
from ..pictures.value_charts import MOST_BARS, Line, Point, bland_altman_png, on_pages, scatter_png
from ..tables import Scale, known_value, scale_of

_CHART_MM = 87.0
_EXPLANATION = (
    "Differences are measured minus reference. Bias is their mean; 95 % of differences lie between the limits of "
    "agreement, bias ± 1.96 standard deviations (SD; Bland and Altman, Statistical Methods in Medical Research 1999). "
    "Percent is of the mean of both values. ICC(2,1) is the intraclass correlation for absolute agreement, ICC(3,1) "
    "that for consistency, of single measurements (Shrout and Fleiss, Psychological Bulletin 1979; intervals: McGraw "
    "and Wong, Psychological Methods 1996). In brackets: 95 % confidence intervals. Dice: overlap, 1 is perfect."
)


@dataclass(frozen=True)
class _Compared:
    """A quantity of all organs in all cases that have a reference, by organ."""

    scale: Scale
    organs: Sequence[str]
    points: Mapping[str, Sequence[Point]]
    statistics: Mapping[str, VolumeAgreement]

    @property
    def all(self) -> list[Point]:
        return [point for points in self.points.values() for point in points]


def agreement_section(cases: Sequence[CaseSummary], organs: Sequence[str], *, every_case: bool = True) -> Section:
    """Agreement of all cases with their references; empty without any.

    An organ with fewer than three of them has no statistics, which the section says. Unless `every_case` is to be told,
    there are only the means of the overlaps.
    """
    quantities = next((row.headline for case in cases for row in case.rows), ())
    compared = [_compared(cases, organs, position) for position in range(len(quantities))]
    compared = [one for one in compared if one.all]
    blocks: list[Block] = [Paragraph(_EXPLANATION)] if compared else []
    for one in compared:
        blocks += [Heading(one.scale.title)] if len(quantities) > 1 else []
        blocks += _blocks(one)
    return Section("Agreement with references", [*blocks, *_overlaps(cases, organs, every_case)])


def _compared(cases: Sequence[CaseSummary], organs: Sequence[str], position: int) -> _Compared:
    points: dict[str, list[Point]] = {organ: [] for organ in organs}
    scale = scale_of(next(row for case in cases for row in case.rows).headline[position])
    for case in cases:
        for row in case.rows:
            quantity = row.headline[position]
            true = case.true_value(row, quantity)
            if true is not None and known_value(row, quantity) is not None:
                points[row.organ].append(Point.of(row.label, quantity, true))
    statistics = {
        organ: volume_agreement([point.measured for point in found], [point.true or 0.0 for point in found])
        for organ, found in points.items()
        if len(found) >= MINIMAL_CASES
    }
    return _Compared(scale, organs, points, statistics)


def _blocks(compared: _Compared) -> list[Block]:
    few = [organ for organ, found in compared.points.items() if 0 < len(found) < MINIMAL_CASES]
    blocks: list[Block] = []
    if few:
        text = f"Fewer than {MINIMAL_CASES} references, hence no statistics: {', '.join(few)}."
        blocks.append(Paragraph(text))
    if compared.statistics:
        blocks.append(_statistics_table(compared))
    inside = [p.interval[0] <= (p.true or 0.0) <= p.interval[1] for p in compared.all if p.interval]
    if inside:
        told = f"{sum(inside)} of {len(inside)} references lie in the 90 % prediction interval."
        blocks.append(Paragraph(told))
    return [*blocks, _marker_legend(compared.organs), *_bland_altman(compared), _scatter(compared)]


def _statistics_table(compared: _Compared) -> Table:
    unit, rows = compared.scale.unit, []
    for organ, found in compared.statistics.items():
        differences = [point.measured - (point.true or 0.0) for point in compared.points[organ]]
        rows += [
            [organ, "Cases", str(found.cases)],
            *_limits(organ, found.limits_ml, unit),
            [organ, f"SD of the differences, {unit}", number(found.limits_ml.sd)],
            [organ, f"Mean absolute difference, {unit}", number(float(np.abs(differences).mean()))],
            *(_limits(organ, found.limits_percent, "%", 1) if found.limits_percent else []),
            [organ, "ICC(2,1), absolute agreement", _estimate(found.absolute, 3)],
            [organ, "ICC(3,1), consistency", _estimate(found.consistency, 3)],
        ]
    caption = "Agreement of measurements with references, with 95 % confidence intervals"
    return Table(("Organ", "Statistic", "Value"), rows, (0, 1), caption)


def _limits(organ: str, limits: Limits, unit: str, decimals: int | None = None) -> list[list[str]]:
    named = {"Bias": limits.bias, "Lower limit of agreement": limits.lower, "Upper limit of agreement": limits.upper}
    return [[organ, f"{name}, {unit}", _estimate(estimate, decimals)] for name, estimate in named.items()]


def _estimate(estimate: Estimate, decimals: int | None = None) -> str:
    bounds = " to ".join(number(value, decimals) for value in (estimate.lower, estimate.upper))
    return f"{number(estimate.value, decimals)} ({bounds})"


def _marker_legend(organs: Sequence[str]) -> Legend:
    """The markers of organs in charts."""
    named = enumerate(organs, start=1)
    return Legend([LegendEntry(organ, organ_colour(label), marker_character(label)) for label, organ in named])


def _bland_altman(compared: _Compared) -> list[Picture]:
    """The Bland-Altman plots of all organs, as many on a picture as a page has room for."""
    unit, organs = compared.scale.unit, compared.organs
    caption = (
        f"Bland-Altman plot of each organ. Solid line: bias; dashed lines: limits of agreement, both in {unit}; grey "
        "bands: their 95 % confidence intervals."
    )
    lines = {
        label: _lines(compared.statistics[organ].limits_ml)
        for label, organ in enumerate(organs, start=1)
        if organ in compared.statistics
    }
    pictures = []
    for labels in on_pages(point.label for point in compared.all):
        shown = [point for point in compared.all if point.label in labels]
        told = [f"{organs[label - 1]}: {_told(lines[label], unit)}" for label in labels if label in lines]
        description = f"Bland-Altman plot of {len(shown)} measurements. {'; '.join(told)}".rstrip() + "."
        pictures.append(Picture(bland_altman_png(shown, lines, organs, unit), caption, description, TEXT_MM))
    return pictures


def _lines(limits: Limits) -> list[Line]:
    """Bias and limits of agreement as the lines of a plot."""
    named = {"bias": limits.bias, "+1.96 SD": limits.upper, "−1.96 SD": limits.lower}
    return [Line(name, found.value, found.lower, found.upper) for name, found in named.items()]


def _told(lines: Sequence[Line], unit: str) -> str:
    return ", ".join(f"{line.name} {number(line.value, signed=True)} {unit}" for line in lines)


def _scatter(compared: _Compared) -> Picture:
    points, scale = compared.all, compared.scale
    drawn = any(point.interval for point in points) and len(points) <= MOST_BARS
    bars = " Wide bars are prediction intervals." if drawn else ""
    caption = f"Measured against reference {scale.name}. On the dashed line both are equal.{bars}"
    correlations = {organ: number(found.absolute.value, 3) for organ, found in compared.statistics.items()}
    told = "; ".join(f"{organ}: ICC(2,1) {correlation}" for organ, correlation in correlations.items())
    description = f"Measured against reference {scale.name} of {len(points)} measurements. {told}".rstrip() + "."
    return Picture(scatter_png(points, scale.name, scale.unit), caption, description, _CHART_MM)


def _overlaps(cases: Sequence[CaseSummary], organs: Sequence[str], every_case: bool) -> list[Table]:
    """The Dice of every organ in every case that has a reference, and their means."""
    compared = [case for case in cases if case.dice]
    shown = [organ for organ in organs if any(organ in case.dice for case in compared)]
    if not shown:
        return []
    rows = [[case.label, *(number(case.dice.get(organ), 3) for organ in shown)] for case in compared if every_case]
    if len(compared) > 1:
        of_organ = {organ: [case.dice[organ] for case in compared if organ in case.dice] for organ in shown}
        rows.append(["Mean", *(number(float(np.mean(of_organ[organ])), 3) for organ in shown)])
    return [Table(("Case", *(f"Dice, {organ}" for organ in shown)), rows, caption="Overlap with the reference")]
