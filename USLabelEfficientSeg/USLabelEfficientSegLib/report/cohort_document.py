"""The report of a cohort: summary, distributions, outliers first with pictures, and pages of all cases to unfold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from .blocks import CaseCard, Document, Folded, Paragraph, Section
from .content import CaseSummary, ReportContent
from .frame import framed
from .outliers import Outlier, outliers_of
from .sections.agreement import agreement_section
from .sections.background import (
    cautions_section,
    method_section,
    provenance_section,
    settings_section,
    training_section,
)
from .sections.cases import case_card, cases_section
from .sections.cohort import outliers_section, summary_section
from .sections.metrics import metrics_section
from .sections.repeated_scans import change_statistics_section
from .tables import measurements_table

_PICTURED = 12  # outliers
_CASES_A_PAGE = 100
_LOOK_FIRST = (
    "Look first at the outliers: their numbers lie far from those of the others, or an organ was not found. Of the "
    f"first {_PICTURED} there are pictures; all cases are on the pages to unfold at the end."
)
_UNFOLD = "A click unfolds a page. They are left out on paper and in a PDF; the table of measurements has all numbers."


def cohort_document(content: ReportContent) -> Document:
    """Read every case once, and the first outliers once more to draw them.

    Raises:
        InputError: a case cannot be read, or a visit does not fit the cases.
    """
    kind, organs = content.kind, content.organs
    read = content.summaries if content.summaries is not None else (case.summary() for case in content.cases)
    cases = list(read)
    rows = [row for case in cases for row in case.rows]
    outliers = outliers_of(cases)
    cards = list(_cards(content, outliers[:_PICTURED]))
    pictured = cases_section(kind, organs, cases, cards)
    sections = [
        summary_section(kind, organs, cases, outliers, content.failed),
        outliers_section(outliers, {card.name: card.anchor for card in cards}),
        Section("First outliers", pictured.blocks),
        change_statistics_section(cases, content.visits),
        agreement_section(cases, organs, every_case=False),
        metrics_section(content.metrics),
        _pages(cases),
        cautions_section(rows),
        training_section(content.events),
        method_section(kind, content.settings, rows, content.voters),
        settings_section(content.settings),
        provenance_section({**content.provenance, **_images(cases)}, []),
    ]
    return framed(content, _LOOK_FIRST, cases, sections)


def _cards(content: ReportContent, outliers: Sequence[Outlier]) -> Iterator[CaseCard]:
    assert content.again is not None
    for number, outlier in enumerate(outliers, start=1):
        yield case_card(content.again(outlier.case.label), content.organs, f"case-{number}")


def _pages(cases: Sequence[CaseSummary]) -> Section:
    """All cases in their order, some on a page."""
    blocks: list[Paragraph | Folded] = [Paragraph(_UNFOLD, quiet=True)] if cases else []
    for start in range(0, len(cases), _CASES_A_PAGE):
        shown = cases[start : start + _CASES_A_PAGE]
        rows = [(case, row) for case in shown for row in case.rows]
        if rows:
            title = f"{shown[0].label} to {shown[-1].label}"
            blocks.append(Folded(title, measurements_table(rows, f"Measurements of {title}")))
    return Section("All cases", blocks)


def _images(cases: Sequence[CaseSummary]) -> dict[str, str]:
    """One checksum of the images of all cases."""
    checksums = [case.checksum for case in cases if case.checksum]
    if not checksums:
        return {}
    digest = hashlib.sha256("\n".join(checksums).encode()).hexdigest()
    return {"images": str(len(checksums)), "SHA-256 of the images' checksums, a line each": digest}
