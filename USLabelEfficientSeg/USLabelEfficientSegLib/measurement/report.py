"""The report of a cohort or study, for people: one self-contained HTML file and, if wanted, a PDF of the same.

The HTML file opens without a network: pictures are inline PNG, styles inline CSS, and there are no scripts. Both are
made from the same `Document`, so that they say the same in the same order.
"""

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..study.files import atomic_write_bytes, atomic_write_text
from .report_blocks import Document
from .report_content import ReportContent
from .report_document import report_document

_SCREEN_PIXELS_PER_MM = 4.0


def write_report(path: Path, content: ReportContent, *, pdf: Path | None = None) -> Document:
    """Write the report atomically; its cases are read once, one at a time.

    Args:
        path: the HTML file.
        content: what it shows.
        pdf: the PDF file of the same content.

    Returns:
        What was written.

    Raises:
        InputError: a case cannot be read, no font has the characters of a name (PDF), no room or permission to write.
    """
    document = report_document(content)
    write_document(path, document, pdf=pdf)
    return document


def write_document(path: Path, document: Document, *, pdf: Path | None = None) -> None:
    """Write a report as HTML and, if wanted, as PDF, atomically. Raises `InputError` as `write_report` does."""
    page = None
    if pdf is not None:
        from .pdf import pdf_bytes  # only who wants a PDF needs its library

        page = pdf_bytes(document)
    atomic_write_text(path, html_text(document))
    if pdf is not None and page is not None:
        atomic_write_bytes(pdf, page)


def html_text(document: Document) -> str:
    """The report as one HTML page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["png"] = _data_uri
    environment.filters["pixels"] = lambda millimetres: round(_SCREEN_PIXELS_PER_MM * millimetres)
    return environment.get_template("report.html.j2").render(document=document)


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
