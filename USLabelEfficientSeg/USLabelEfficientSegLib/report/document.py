"""A report of volumes or of 2-D images: every case is read once and drawn, then the sections are put together."""

from collections.abc import Sequence
from datetime import date

from .. import __version__
from .blocks import CaseCard, Document
from .content import CaseSummary, ReportContent
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

_NOTICE = (
    "For research use only. This is not a medical device. Its results must not be used for diagnosis or treatment; "
    "check every outline against the images."
)
_LOOK_FIRST = (
    "Look first at the cases marked ⚠: each caution says what to check in the image before its number is used."
)
_INTERVALS = "The intervals are 90 % prediction intervals: of 10 such intervals about 9 hold the true value."
_NO_INTERVALS = (
    "No prediction intervals are given: the model was not calibrated, or the segmentations are not (or no longer) its "
    "own."
)
_BOUND = "≥ marks an organ that is cut by the edge of the image: it is at least as large as given."


def report_document(content: ReportContent) -> Document:
    """Read every case once, draw it, and put the report together; sections without content are left out.

    Raises:
        InputError: a case cannot be read, or a visit does not fit the cases.
    """
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
    made = f"{date.today().isoformat()}, uslabelseg {__version__}"
    shown = [section for section in sections if section.blocks]
    return Document(content.title, kind.subject, made, _NOTICE, _reading(content, cases), shown)


def _reading(content: ReportContent, cases: Sequence[CaseSummary]) -> list[str]:
    """How to read the report, in about three sentences."""
    known = any(one.interval for case in cases for row in case.rows for one in row.headline)
    numbers = [content.kind.advice, _INTERVALS if known else _NO_INTERVALS, _BOUND]
    fitted = f", thin ones the {content.kind.fitted}s" if content.kind.fitted else ""
    dashed = ", dashed white lines the reference" if any(case.has_reference for case in cases) else ""
    lines = f"Lines in an organ's colour are the outlines that were measured{fitted}{dashed}."
    if any(case.has_uncertainty for case in cases):
        lines += " The uncertainty map is bright where the model is unsure."
    return [_LOOK_FIRST, " ".join(filter(None, numbers)), lines]
