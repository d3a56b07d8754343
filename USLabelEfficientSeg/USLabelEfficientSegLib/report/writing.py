"""The report of a cohort or study, for people: one self-contained HTML file and, if wanted, a PDF of the same.

The HTML file opens without a network: pictures are inline, styles too, and there are no scripts. Both are made from
the same `Document`, so that they say the same in the same order.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .. import __version__
from ..disk.files import atomic_write_bytes, atomic_write_text
from ..text.display import printable
from .blocks import Document
from .content import ReportContent
from .document import report_document
from .slice_picture import UNCERTAINTY_COLOURS
from .slice_svg import slice_html

_SCREEN_PIXELS_PER_MM = 4.0


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
    """
    return write_document(path, report_document(content), pdf=pdf)


def write_document(path: Path, document: Document, *, pdf: Path | None = None) -> Written:
    """Write a report as HTML and, if wanted, as PDF, atomically. Raises `InputError`: no room or permission."""
    page, remarks = None, list[str]()
    if pdf is not None:
        from .pdf import pdf_of  # only who wants a PDF needs its library

        page, remarks = pdf_of(document)
    atomic_write_text(path, html_text(document))
    if pdf is not None and page is not None:
        atomic_write_bytes(pdf, page)
    return Written(document.cases, remarks)


def html_text(document: Document) -> str:
    """The report as one HTML page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters["png"] = _data_uri
    environment.filters["pixels"] = lambda millimetres: round(_SCREEN_PIXELS_PER_MM * millimetres)
    environment.filters["slice"] = slice_html
    environment.filters["css_string"] = _css_string
    template = environment.get_template("report.html.j2")
    return template.render(document=document, version=__version__, heat=UNCERTAINTY_COLOURS)


def _shown(value: Any) -> Any:
    """A text with what it hides made visible."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _data_uri(png: bytes) -> Markup:
    return Markup("data:image/png;base64,") + Markup(base64.b64encode(png).decode("ascii"))


def _css_string(text: str) -> Markup:
    """A text between quotes in a style sheet: all but letters and digits as codes."""
    coded = re.sub(r"[^A-Za-z0-9]", lambda found: f"\\{ord(found[0]):x} ", printable(text))
    return Markup(f'"{coded}"')
