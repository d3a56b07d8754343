"""A report of volumes or of 2-D images: every case is read once and drawn, then the sections are put together."""

from .blocks import CaseCard, Document
from .cohort_document import cohort_document
from .content import CaseSummary, ReportContent
from .frame import framed
from .sections.agreement import agreement_section
from .sections.at_a_glance import at_a_glance_section
from .sections.background import (
    all_measurements_section,
    cautions_section,
    method_section,
    provenance_section,
    settings_section,
    training_section,
)
from .sections.cases import case_card, cases_section
from .sections.metrics import metrics_section
from .sections.repeated_scans import repeated_scans_section

_LOOK_FIRST = (
    "Look first at the cases marked ⚠: each caution says what to check in the image before its number is used."
)


def report_document(content: ReportContent) -> Document:
    """Read every case once, draw it, and put the report together; sections without content are left out.

    Raises:
        InputError: a case cannot be read, or a visit does not fit the cases.
    """
    return cohort_document(content) if content.is_cohort else _document(content)


def _document(content: ReportContent) -> Document:
    """With pictures of every case."""
    kind, organs = content.kind, content.organs
    cases: list[CaseSummary] = []
    cards: dict[str, CaseCard] = {}
    for number, case in enumerate(content.cases, start=1):
        cards[case.label] = case_card(case, organs, anchor=f"case-{number}")
        cases.append(case.summary())
    cautious_first = sorted(cases, key=lambda case: not any(row.flags for row in case.rows))
    rows = [row for case in cases for row in case.rows]
    sections = [
        at_a_glance_section(kind, organs, cautious_first, {label: card.anchor for label, card in cards.items()}),
        cases_section(kind, organs, cases, [cards[case.label] for case in cautious_first]),
        repeated_scans_section(cases, content.visits, show_names=content.show_names),
        agreement_section(cases, organs),
        metrics_section(content.metrics),
        all_measurements_section(cases),
        cautions_section(rows),
        training_section(content.events),
        method_section(kind, content.settings, rows, content.voters),
        settings_section(content.settings),
        provenance_section(content.provenance, cases),
    ]
    return framed(content, _LOOK_FIRST, cases, sections)
