"""From segmented cases to the sections of a report, in the order in which a clinician reads them."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from ..imaging.organ_colours import organ_colour
from ..measurement.flags import sentence_of
from ..measurement.organ import OrganMeasurement
from ..text.numbers import three_digits, volume_unit
from .blocks import CaseCard, Document, Legend, LegendEntry, Paragraph, Picture, Section, Tiles
from .case_cards import case_card, error_percent, headline_table, outlines_legend
from .common_sections import (
    LOOK_FIRST,
    TEXT_MM,
    anchor_of,
    cautious_first,
    document,
    flags_section,
    method_section,
    provenance_section,
    settings_section,
    table_of,
    training_section,
)
from .content import CaseSummary, ReportCase, ReportContent
from .method_texts import CITATIONS, NO_INTERVALS, STUDENT, TEACHERS, VIEWS, VOLUMES
from .pictures.chart_style import marker_character
from .pictures.value_charts import Point, on_pages, volumes_png
from .pictures.volume_views import MAXIMAL_ROWS

_INTERVALS = "The interval is a 90 % prediction interval: of 10 such intervals about 9 hold the true volume."
_BOUND = "≥ marks an organ that is cut by the edge of the image: its volume is at least the given one."


def report_document(content: ReportContent) -> Document:
    """Read every case once, draw it, and put the report together; sections without content are left out.

    Raises:
        InputError: a case cannot be read.
    """
    cases: list[CaseSummary] = []
    cards: dict[str, CaseCard] = {}
    references = uncertainty = False
    for number_of, case in enumerate(content.cases, start=1):
        cases.append(_summary(case))
        cards[case.label] = case_card(case, content.organs, anchor_of(number_of))
        references |= case.reference is not None
        uncertainty |= case.uncertainty is not None
    rows = [row for case in cases for row in case.rows]
    shown = cautious_first(cases)
    of_cases = [cards[case.label] for case in shown]
    method = content.settings.get("method", "cross-dimensional")
    legend = outlines_legend(content.organs, references=references, uncertainty=uncertainty)
    sections = [
        _headline_section(content, shown, cards),
        Section("Cases", [legend, *_restriction(content.organs), *of_cases] if of_cases else []),
        *content.comparisons(cases),
        _metrics_section(content),
        _all_measurements(cases),
        flags_section(rows, partial(sentence_of, rows=rows)),
        training_section(
            content.events,
            "Loss against step of every training stage.",
            "Losses against training steps, one chart a stage.",
        ),
        method_section((TEACHERS[method] + STUDENT, VOLUMES, VIEWS), rows, CITATIONS),
        settings_section(content.settings),
        provenance_section(content.provenance, {case.label: case.checksum for case in cases}),
    ]
    reading = _reading(rows, references=references, uncertainty=uncertainty)
    return document(content.title, "3-D ultrasound segmentation and organ volumes", reading, sections)


def _summary(case: ReportCase) -> CaseSummary:
    return CaseSummary(case.label, case.volume.name, case.rows, case.true_volumes_ml, case.dice, case.checksum)


def _reading(rows: Sequence[OrganMeasurement], *, references: bool, uncertainty: bool) -> list[str]:
    """How to read the report, in three sentences or so."""
    known = _INTERVALS if any(row.interval_ml for row in rows) else NO_INTERVALS
    dashed = ", dashed white lines the reference" if references else ""
    map_ = " The uncertainty map is bright where the model is unsure." if uncertainty else ""
    return [
        LOOK_FIRST,
        f"Volume is the number to use. {known} {_BOUND}",
        f"Lines in an organ's colour are the outlines that were measured{dashed}.{map_}",
    ]


def _headline_section(content: ReportContent, cases: Sequence[CaseSummary], cards: dict[str, CaseCard]) -> Section:
    if not cases:
        return Section("At a glance", [])
    anchors = {label: card.anchor for label, card in cards.items()}
    tiles = Tiles(_tiles(content, cases))
    if not any(case.rows for case in cases):
        return Section("At a glance", [tiles])
    return Section("At a glance", [tiles, headline_table(cases, anchors), *_volumes_chart(content.organs, cases)])


def _tiles(content: ReportContent, cases: Sequence[CaseSummary]) -> dict[str, str]:
    flagged = sum(any(row.flags for row in case.rows) for case in cases)
    tiles = {"Segmented volumes": str(len(cases)), "Volumes with a caution": f"{flagged} of {len(cases)}"}
    errors = [
        abs(error_percent(row.volume_ml, case.true_volumes_ml[row.organ]))
        for case in cases
        for row in case.rows
        if case.true_volumes_ml.get(row.organ)
    ]
    if errors:
        tiles["Median absolute error of the volume"] = f"{np.median(errors):.1f} %"
    return {**tiles, **content.highlights}


def _volumes_chart(organs: Sequence[str], cases: Sequence[CaseSummary]) -> list[Picture]:
    """A chart of the volumes of several cases, in the order of the table."""
    if len(cases) < 2:
        return []
    points = [[Point.of(row, case.true_volumes_ml.get(row.organ)) for row in case.rows] for case in cases]
    flat = [point for case in points for point in case]
    bars = " Wide bars are the 90 % intervals." if any(point.interval for point in flat) else ""
    truth = " Hollow diamonds are the references." if any(point.true is not None for point in flat) else ""
    caption = f"Volume of every organ by case, in the order of the table.{bars}{truth}"
    described = f"Organ volumes of {len(cases)} cases in millilitres; the table has the numbers."
    parts = [[[point for point in case if point.label in labels] for case in points] for labels in on_pages(flat)]
    return [Picture(volumes_png(part, organs), caption, described, TEXT_MM) for part in parts]


def _restriction(organs: Sequence[str]) -> list[Paragraph]:
    if len(organs) <= MAXIMAL_ROWS:
        return []
    text = (
        f"Views go through {MAXIMAL_ROWS} organs of a case at most, those that ask for caution first; others are "
        "outlined where they meet these views."
    )
    return [Paragraph(text, quiet=True)]


def _all_measurements(cases: Sequence[CaseSummary]) -> Section:
    unit = volume_unit(row.volume_ml for case in cases for row in case.rows)
    volumes = [f"{name}, {unit.name}" for name in ("Volume", "Outline volume", "Ellipsoid formula")]
    headings = ("Case", "Organ", *volumes, "Largest diameter, mm")
    cells = [
        [case.label, row.organ, *map(unit.text, (row.volume_ml, row.outline_volume_ml, row.ellipsoid_volume_ml)),
         three_digits(row.max_diameter_mm, least_decimals=1)]
        for case in cases
        for row in case.rows
    ]  # fmt: skip
    table = table_of(headings, cells, (0, 1), caption="All measurements by case and organ")
    return Section("All measurements", [table] if cells else [], folded=True)


def marker_legend(organs: Sequence[str]) -> Legend:
    """The markers of organs in charts."""
    entries = [
        LegendEntry(organ, organ_colour(label), marker_character(label)) for label, organ in enumerate(organs, start=1)
    ]
    return Legend(entries)


def _metrics_section(content: ReportContent) -> Section:
    if content.metrics is None:
        return Section("Overlap and surface distances", [])
    explanation = (
        "Dice: overlap, 1 is perfect. HD95: the larger one of the two directed 95th percentiles of the distances "
        "between the surfaces. Average surface distance: mean over both surfaces. SD: standard deviation over the "
        "cases. Missed: cases in which either the prediction or the reference holds the organ and the other one "
        "does not; their distances are undefined and left out."
    )
    return Section("Overlap and surface distances", [content.metrics, Paragraph(explanation, quiet=True)])
