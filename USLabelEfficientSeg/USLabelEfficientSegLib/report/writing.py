"""Writing a report for people: one self-contained HTML file and, if wanted, a PDF of the same.

Both are made from the same `Document`, so that they say the same in the same order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..disk.files import atomic_write_bytes, atomic_write_text
from .blocks import Document
from .content import ReportContent
from .document import report_document
from .html.document import html_text


@dataclass(frozen=True)
class Written:
    """What was written: how many cases, and what the reader has to know of the files, a sentence each."""

    cases: int
    remarks: Sequence[str]


def write_report(path: Path, content: ReportContent, *, pdf: Path | None = None) -> Written:
    """Write the report atomically; its cases are read once, one at a time.

    Args:
        path: the HTML file.
        content: what it shows.
        pdf: the PDF file of the same content.

    Returns:
        What was written.

    Raises:
        InputError: a case cannot be read, no room or permission to write.

    Examples:
        >>> from USLabelEfficientSegLib.report.opening import open_report
        >>> content = open_report(Path("labels"), images=Path("images"), organs=["solid", "fluid"])
        >>> write_report(Path("report.html"), content, pdf=Path("report.pdf")).cases
        3
    """
    return write_document(path, report_document(content), pdf=pdf)


def write_document(path: Path, document: Document, *, pdf: Path | None = None) -> Written:
    """Write a report as HTML and, if wanted, as PDF, atomically. Raises `InputError`: no room or permission."""
    page, remarks = None, list[str]()
    if pdf is not None:
        from .pdf.document import pdf_of  # only who wants a PDF needs its library

        page, remarks = pdf_of(document)
    atomic_write_text(path, html_text(document))
    if pdf is not None and page is not None:
        atomic_write_bytes(pdf, page)
    return Written(document.cases, remarks)
