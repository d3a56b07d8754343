"""The section of a report on agreement with references: statistics, charts, and the Dice of every case."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..evaluation.agreement import MINIMAL_CASES, Estimate, VolumeAgreement, volume_agreement
from .bland_altman import bland_altman_pictures, lines_of
from .blocks import Block, Paragraph, Picture, Section, Table, number
from .content import CaseSummary
from .document import marker_legend
from .pictures.value_charts import Point, scatter_png

TITLE = "Agreement with references"
_CHART_MM = 87.0
_EXPLANATION = (
    "Differences are measured minus reference volume. Bias is their mean; 95 % of differences lie between the limits "
    "of agreement, bias ± 1.96 standard deviations (Bland and Altman, Statistical Methods in Medical Research 1999). "
    "Percent is of the mean of both volumes. ICC(2,1) is the intraclass correlation for absolute agreement, ICC(3,1) "
    "that for consistency, of single measurements (Shrout and Fleiss, Psychological Bulletin 1979; intervals: McGraw "
    "and Wong, Psychological Methods 1996). In brackets: 95 % confidence intervals."
)


@dataclass(frozen=True)
class _Pair:
    case: str
    point: Point
    dice: float | None


def agreement_section(cases: Sequence[CaseSummary], organs: Sequence[str]) -> Section:
    """Agreement of all cases with a reference volume; empty without any.

    An organ with fewer than three of them has no statistics, which the section says.
    """
    pairs = {
        organ: [
            _Pair(case.label, Point.of(row, case.true_volumes_ml[organ]), case.dice.get(organ))
            for case in cases
            for row in case.rows
            if row.organ == organ and organ in case.true_volumes_ml
        ]
        for organ in organs
    }
    points = [pair.point for found in pairs.values() for pair in found]
    if not points:
        return Section(TITLE, [])
    statistics = {
        organ: volume_agreement([p.point.measured for p in found], [p.point.true or 0.0 for p in found])
        for organ, found in pairs.items()
        if len(found) >= MINIMAL_CASES
    }
    lines = {
        label: lines_of(statistics[organ].limits_ml)
        for label, organ in enumerate(organs, start=1)
        if organ in statistics
    }
    few = [organ for organ, found in pairs.items() if 0 < len(found) < MINIMAL_CASES]
    blocks: list[Block] = [Paragraph(_EXPLANATION)]
    if few:
        text = f"Fewer than {MINIMAL_CASES} references, hence no statistics: {', '.join(few)}."
        blocks.append(Paragraph(text))
    if statistics:
        blocks.append(_statistics_table(statistics))
    coverage = _coverage(points)
    if coverage:
        blocks.append(Paragraph(coverage))
    blocks += [marker_legend(organs), *bland_altman_pictures(points, lines, organs, "ml"), _scatter(points, statistics)]
    return Section(TITLE, [*blocks, *_dice_blocks(pairs)])


def _scatter(points: Sequence[Point], statistics: dict[str, VolumeAgreement]) -> Picture:
    bars = " Wide bars are prediction intervals." if any(point.interval for point in points) else ""
    caption = f"Measured against reference volume. On the dashed line both are equal.{bars}"
    told = "; ".join(f"{organ}: ICC(2,1) {number(found.absolute.value, 3)}" for organ, found in statistics.items())
    description = f"Measured against reference volume of {len(points)} volumes. {told}".rstrip() + "."
    return Picture(scatter_png(points), caption, description, _CHART_MM)


def _statistics_table(statistics: dict[str, VolumeAgreement]) -> Table:
    rows = []
    for organ, found in statistics.items():
        rows += [
            [organ, "Cases", str(found.cases)],
            [organ, "Bias, ml", _estimate(found.limits_ml.bias)],
            [organ, "Lower limit of agreement, ml", _estimate(found.limits_ml.lower)],
            [organ, "Upper limit of agreement, ml", _estimate(found.limits_ml.upper)],
        ]
        if found.limits_percent:
            rows += [
                [organ, "Bias, %", _estimate(found.limits_percent.bias, 1)],
                [organ, "Lower limit of agreement, %", _estimate(found.limits_percent.lower, 1)],
                [organ, "Upper limit of agreement, %", _estimate(found.limits_percent.upper, 1)],
            ]
        rows += [
            [organ, "ICC(2,1), absolute agreement", _estimate(found.absolute, 3)],
            [organ, "ICC(3,1), consistency", _estimate(found.consistency, 3)],
        ]
    caption = "Agreement of measured with reference volumes, with 95 % confidence intervals"
    return Table(("Organ", "Statistic", "Value"), rows, (0, 1), caption)


def _estimate(estimate: Estimate, decimals: int | None = None) -> str:
    bounds = " to ".join(number(value, decimals) for value in (estimate.lower, estimate.upper))
    return f"{number(estimate.value, decimals)} ({bounds})"


def _coverage(points: Sequence[Point]) -> str | None:
    """How many reference volumes lie in the prediction intervals, of those that have one."""
    inside = [p.interval[0] <= (p.true or 0.0) <= p.interval[1] for p in points if p.interval]
    if not inside:
        return None
    return f"{sum(inside)} of {len(inside)} reference volumes lie in their 90 % prediction interval."


def _dice_blocks(pairs: dict[str, list[_Pair]]) -> list[Block]:
    organs = [organ for organ, found in pairs.items() if any(pair.dice is not None for pair in found)]
    if not organs:
        return []
    cases = dict.fromkeys(pair.case for organ in organs for pair in pairs[organ])
    of_case = {organ: {pair.case: pair.dice for pair in pairs[organ]} for organ in organs}
    rows = [[case, *(number(of_case[organ].get(case), 3) for organ in organs)] for case in cases]
    return [Table(("Case", *(f"Dice, {organ}" for organ in organs)), rows, caption="Overlap with the reference")]
