"""The section of a report of 2-D images on agreement with references: overlap, and circumferences of the ellipses."""

from collections.abc import Sequence

import numpy as np

from ..evaluation.agreement import MINIMAL_CASES, limits_of_agreement
from .agreement_section import TITLE
from .bland_altman import bland_altman_pictures, lines_of
from .blocks import Block, Paragraph, Section, Table, number
from .document import marker_legend
from .pictures.value_charts import Point
from .planar_report import ImageSummary, circumference_errors

_EXPLANATION = (
    "Dice: overlap, 1 is perfect. Errors are those of the ellipse's circumference, segmentation minus reference, where "
    "both hold the organ. Bias is their mean; 95 % of errors lie between the limits of agreement, bias ± 1.96 standard "
    "deviations (Bland and Altman, Statistical Methods in Medical Research 1999)."
)


def planar_agreement_section(cases: Sequence[ImageSummary], organs: Sequence[str]) -> Section:
    """Agreement of all images with a reference; empty without any."""
    rows = [_statistics(cases, organ) for organ in organs if any(organ in case.dice for case in cases)]
    if not rows:
        return Section(TITLE, [])
    headings = ["Organ", "Mean Dice", "Mean absolute error, mm", "Bias, mm", "SD of the error, mm", "Images"]
    points = _points(cases, organs)
    lines = {
        label: lines_of(limits_of_agreement(errors))
        for label, organ in enumerate(organs, start=1)
        if len(errors := circumference_errors(cases, organ)) >= MINIMAL_CASES
    }
    plots: list[Block] = [marker_legend(organs), *bland_altman_pictures(points, lines, organs, "mm")] if points else []
    table = Table(headings, rows, caption="Agreement of circumferences")
    return Section(TITLE, [table, Paragraph(_EXPLANATION, quiet=True), *plots, _comparison_table(cases)])


def _statistics(cases: Sequence[ImageSummary], organ: str) -> list[str]:
    overlaps = [case.dice[organ] for case in cases if organ in case.dice]
    errors = circumference_errors(cases, organ)
    bias = float(np.mean(errors)) if errors else None
    spread = float(np.std(errors, ddof=1)) if len(errors) > 1 else None
    absolute = float(np.mean(np.abs(errors))) if errors else None
    cells = [number(float(np.mean(overlaps)), 3), number(absolute), number(bias, signed=True), number(spread)]
    return [organ, *cells, str(len(overlaps))]


def _points(cases: Sequence[ImageSummary], organs: Sequence[str]) -> list[Point]:
    """Circumferences in mm where both segmentation and reference hold the organ."""
    return [
        Point(organs.index(row.organ) + 1, row.circumference_mm, None, true.circumference_mm)
        for case in cases
        for row, true in zip(case.rows, case.true_rows, strict=False)
        if row.pixel_count and true.pixel_count
    ]


def _comparison_table(cases: Sequence[ImageSummary]) -> Table:
    rows = []
    for case in cases:
        for row, true in zip(case.rows, case.true_rows, strict=False):
            both = row.pixel_count > 0 and true.pixel_count > 0
            error = row.circumference_mm - true.circumference_mm if both else None
            lengths = [number(one.circumference_mm, 1) for one in (row, true)]
            overlap = number(case.dice.get(row.organ), 3)
            rows.append([case.label, row.organ, *lengths, number(error, 1, signed=True), overlap])
    headings = ["Case", "Organ", "Circumference, mm", "Reference, mm", "Error, mm", "Dice"]
    return Table(headings, rows, (0, 1), "Circumferences beside their references")
