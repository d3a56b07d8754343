"""A `SlicePicture` on a page of a PDF: the image, and its outlines as lines."""

import io

from fpdf import FPDF

from ..pictures.slice_picture import SlicePicture

_SOLID, _EDGE, _DASHED, _THIN = 0.35, 0.7, 0.3, 0.2  # mm
_LETTER = 7.0  # points


def draw_slice(pdf: FPDF, picture: SlicePicture, box: tuple[float, float, float, float]) -> None:
    """Draw a slice into a box (left, top, width, height) in mm of paper."""
    left, top, width, height = box
    pdf.image(io.BytesIO(picture.image), left, top, w=width, h=height, alt_text=picture.description)
    if picture.heat is not None:
        pdf.image(io.BytesIO(picture.heat), left, top, w=width, h=height)
    to_paper = width / picture.shape[0], height / picture.shape[1]
    for outline in picture.outlines:
        points = [(left + x * to_paper[0], top + y * to_paper[1]) for x, y in outline.points.tolist()]
        solid = not (outline.dashed or outline.thin)
        if solid:
            pdf.set_draw_color(0)
            pdf.set_line_width(_EDGE)
            pdf.polyline(points)
        pdf.set_draw_color(*bytes.fromhex(outline.colour[1:]))
        pdf.set_line_width(_SOLID if solid else _DASHED if outline.dashed else _THIN)
        if outline.dashed:
            pdf.set_dash_pattern(dash=1.0, gap=0.8)
        pdf.polyline(points)
        pdf.set_dash_pattern()
    _scale_bar(pdf, picture, box)
    _letters(pdf, picture.edges, box)


def _scale_bar(pdf: FPDF, picture: SlicePicture, box: tuple[float, float, float, float]) -> None:
    left, top, width, height = box
    x, y = left + 0.04 * width, top + 0.96 * height
    length = picture.bar_mm * width / picture.size_mm[0]
    for grey, thickness in ((0, 1.0), (255, 0.5)):
        pdf.set_draw_color(grey)
        pdf.set_line_width(thickness)
        pdf.line(x, y, x + length, y)
    _label(pdf, f"{picture.bar_mm} mm", x, y - 3.4)


def _letters(pdf: FPDF, edges: str, box: tuple[float, float, float, float]) -> None:
    left, top, width, height = box
    middle = left + width / 2 - 1, top + height / 2 - 1.5
    places = ((left + 0.8, middle[1]), (left + width - 2.6, middle[1]), (middle[0], top + 0.6),
              (middle[0], top + height - 3.4))  # fmt: skip
    for letter, (x, y) in zip(edges, places, strict=False):
        _label(pdf, letter, x, y)


def _label(pdf: FPDF, text: str, x: float, y: float) -> None:
    """White letters with a black shadow."""
    pdf.set_font("text", size=_LETTER)
    for grey, shift in ((0, 0.18), (255, 0.0)):
        pdf.set_text_color(grey)
        pdf.text(x + shift, y + 2.6 + shift, text)
