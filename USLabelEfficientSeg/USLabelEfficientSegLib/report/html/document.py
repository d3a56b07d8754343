"""A report as one HTML page that opens without a network: pictures and styles are inline, and there are no scripts."""

import base64
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ... import __version__
from ...text.display import printable
from ..blocks import Document
from ..pictures.slice_picture import UNCERTAINTY_COLOURS
from .slices import slice_html

_SCREEN_PIXELS_PER_MM = 4.0


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
