"""A report as PDF on A4, with embedded fonts: any name of an organ can be read on any computer."""

import io
from collections.abc import Sequence
from itertools import takewhile

from fpdf import FPDF, FontFace
from fpdf.enums import TableBordersLayout
from PIL import Image

from .fonts import dejavu, further_fonts
from .report_blocks import (
    LINES,
    Block,
    Citations,
    Document,
    Heading,
    Legend,
    LegendEntry,
    Pairs,
    Paragraph,
    Picture,
    PictureRow,
    Section,
    Table,
)

_MARGIN, _WIDTH, _GUTTER = 15.0, 180.0, 6.0  # mm
_BODY, _SMALL = 9.0, 7.5  # points
_MM_PER_POINT = 25.4 / 72
_INK, _QUIET, _ACCENT, _TINT = (28, 33, 38), (84, 93, 102), (11, 79, 108), (244, 246, 248)
_WARNING_INK, _WARNING_FILL, _RULE = (138, 90, 0), (255, 248, 232), (213, 218, 222)
_LEGEND_BACKGROUND = (58, 63, 69)
_CELL_PADDING = 0.9
_CAPTION_ROOM = 10.0
_LEGEND_ROOM = 6.0  # mm, of a line
_HEADING_ROOM = 9.0  # mm
_SECTION_ROOM, _TITLE_ROOM = 45.0, 18.0  # mm, of a section's title with and without what follows it
_WIDEST_COLUMN = 45.0  # of natural width in mm; longer texts wrap


def pdf_bytes(document: Document) -> bytes:
    """The report as one PDF file.

    Raises:
        InputError: no font of this computer has the characters of a text.
    """
    pdf = _Pages(document)
    pdf.header_of(document)
    for section in document.sections:
        pdf.section(section)
    return bytes(pdf.output())


class _Pages(FPDF):
    """Writes blocks one below the other; headings stay with what follows them."""

    def __init__(self, document: Document) -> None:
        super().__init__(format="A4")
        self._note = document.footer
        self.set_margins(_MARGIN, _MARGIN)
        self.set_auto_page_break(True, margin=18)
        self.set_title(document.title)
        self.set_lang("en")
        self.set_creator("uslabelseg")
        self.add_font("text", "", dejavu())
        self.add_font("text", "B", dejavu("Bold"))
        names = []
        for number, path in enumerate(further_fonts(document.texts())):
            names.append(f"further {number}")
            for style in ("", "B"):
                self.add_font(names[-1], style, path)
        if names:
            self.set_fallback_fonts(names)
        self.set_font("text", size=_BODY)
        self.set_text_color(*_INK)
        self.add_page()

    def footer(self) -> None:
        """Note and page number at the foot of every page."""
        self.set_y(-13)
        self._style(_SMALL, _QUIET)
        self.cell(_WIDTH / 2, 5, self._note)
        self.cell(_WIDTH / 2, 5, f"{self.page_no()} / {{nb}}", align="R")

    def header_of(self, document: Document) -> None:
        """Title, notice and main results."""
        self._write(document.title, 18, bold=True)
        self.ln(1)
        self._write(document.subtitle, _BODY, _QUIET)
        self.ln(3)
        self._style(_BODY, _WARNING_INK, bold=True)
        self.set_fill_color(*_WARNING_FILL)
        self.multi_cell(_WIDTH, 5, document.notice, fill=True, align="L", padding=2, new_x="LMARGIN", new_y="NEXT")
        self.ln(3)
        self._section_title("Summary")
        self._tiles(list(document.tiles.items()))

    def section(self, section: Section) -> None:
        """A section with all its blocks."""
        room = max(_SECTION_ROOM, _TITLE_ROOM + _height_to_pictures(section.blocks))
        self._section_title(section.title, room)
        for number, block in enumerate(section.blocks):
            if isinstance(block, Heading):
                self._keep_with_pictures(section.blocks[number + 1 :])
            self._block(block)

    def _block(self, block: Block) -> None:
        match block:
            case Paragraph():
                self._write(block.text, _SMALL if block.quiet else _BODY, _QUIET if block.quiet else _INK)
                self.ln(2)
            case Heading():
                self.ln(2)
                self._write(block.text, 10.5, bold=True)
                self.ln(1)
            case Table():
                self._table(block)
            case Pairs():
                self._pairs(block)
            case Picture():
                self._pictures([block])
            case PictureRow():
                self._pictures(block.pictures)
            case Legend():
                self._legend(block.entries)
            case Citations():
                for number, item in enumerate(block.items, start=1):
                    self._write(f"[{number}] {item}", _SMALL, _QUIET)
                    self.ln(1)

    def _section_title(self, title: str, room: float = _SECTION_ROOM) -> None:
        self._keep_with_next(room)
        self.ln(5)
        self.set_draw_color(*_ACCENT)
        self.set_line_width(0.5)
        self.line(_MARGIN, self.get_y(), _MARGIN + _WIDTH, self.get_y())
        self.ln(2)
        self.start_section(title)
        self._write(title, 12.5, bold=True)
        self.ln(2)

    def _tiles(self, tiles: Sequence[tuple[str, str]]) -> None:
        columns = min(4, max(1, len(tiles)))
        width = _WIDTH / columns
        for start in range(0, len(tiles), columns):
            top = self.get_y()
            for number, (name, value) in enumerate(tiles[start : start + columns]):
                left = _MARGIN + number * width
                self.set_fill_color(*_TINT)
                self.rect(left, top, width - 3, 15, style="F")
                self.set_xy(left + 2, top + 1.5)
                self._style(_SMALL, _QUIET)
                self.multi_cell(width - 7, 3.5, name, align="L")
                self.set_xy(left + 2, top + 8.5)
                self._style(11, _INK, bold=True)
                self.cell(width - 7, 5, value)
            self.set_xy(_MARGIN, top + 18)

    def _table(self, table: Table) -> None:
        texts = set(table.text_columns)
        widths = self._column_widths(table)
        self._table_style()
        with self.table(
            width=_WIDTH,
            col_widths=widths,
            text_align=tuple("LEFT" if n in texts else "RIGHT" for n in range(len(table.headings))),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(emphasis="BOLD", color=_INK, fill_color=_TINT),
            line_height=_SMALL * _MM_PER_POINT * 1.3,
            padding=(_CELL_PADDING, 1.4),
            v_align="T",
            wrapmode="WORD",
        ) as grid:
            grid.row(table.headings)
            previous = None
            for row in table.rows:
                grid.row(["" if row[0] == previous else row[0], *row[1:]])
                previous = row[0]
        self.ln(3)

    def _column_widths(self, table: Table) -> list[float]:
        """Natural widths, limited, and the rest of the page shared out in proportion."""
        natural = []
        for column, heading in enumerate(table.headings):
            self._style(_SMALL, _INK, bold=True)
            widest = max(self.get_string_width(word) for word in heading.split() or [""])
            self._style(_SMALL, _INK)
            cells = [self.get_string_width(row[column]) for row in table.rows]
            natural.append(min(max([widest, *cells]), max(widest, _WIDEST_COLUMN)) + 3)
        return [width * _WIDTH / sum(natural) for width in natural]

    def _table_style(self) -> None:
        self._style(_SMALL, _INK)
        self.set_draw_color(*_RULE)
        self.set_fill_color(255)  # cells are always filled
        self.set_line_width(0.2)

    def _pairs(self, pairs: Pairs) -> None:
        self._table_style()
        with self.table(
            width=_WIDTH,
            col_widths=(60, 120),
            text_align="LEFT",
            first_row_as_headings=False,
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            line_height=_SMALL * _MM_PER_POINT * 1.3,
            padding=0.6,
            wrapmode="CHAR",  # checksums have no spaces
        ) as grid:
            for entry in pairs.entries.items():
                grid.row(entry)
        self.ln(3)

    def _pictures(self, pictures: Sequence[Picture]) -> None:
        """Pictures side by side, each with its caption below it."""
        space, widths, heights = _sizes(pictures)
        self._keep_with_next(max(heights) + _CAPTION_ROOM)
        self._style(_SMALL, _QUIET)
        top, bottom = self.get_y(), 0.0
        for number, picture in enumerate(pictures):
            left = _MARGIN + number * (space + _GUTTER)
            self.image(io.BytesIO(picture.png), left, top, w=widths[number], alt_text=picture.description)
            self.set_xy(left, top + heights[number] + 1)
            self.multi_cell(space, 3.6, picture.caption, align="L", new_x="LMARGIN", new_y="NEXT")
            bottom = max(bottom, self.get_y())
        self.set_xy(_MARGIN, bottom + 3)

    def _legend(self, entries: Sequence[LegendEntry]) -> None:
        self._style(_SMALL, _INK)
        for entry in entries:
            width = 9 + self.get_string_width(entry.text) + 5
            if self.get_x() + width > _MARGIN + _WIDTH:
                self.ln(5)
            left, top = self.get_x(), self.get_y()
            colour = tuple(int(entry.colour[at : at + 2], 16) for at in (1, 3, 5))
            if entry.mark in LINES:
                self.set_fill_color(*_LEGEND_BACKGROUND)
                self.rect(left, top + 0.5, 8, 3.2, style="F")
                self.set_draw_color(*colour)
                self.set_line_width(0.6)
                if entry.mark == "dashed line":
                    self.set_dash_pattern(dash=1.2, gap=0.9)
                self.line(left + 0.8, top + 2.1, left + 7.2, top + 2.1)
                self.set_dash_pattern()
            else:
                self._style(_BODY, colour)
                self.set_xy(left + 4, top)
                self.cell(4, 4.2, entry.mark, align="C")
                self._style(_SMALL, _INK)
            self.set_xy(left + 9, top)
            self.cell(width - 9, 4.2, entry.text)
        self.set_xy(_MARGIN, self.get_y() + _LEGEND_ROOM)

    def _write(self, text: str, size: float, colour: tuple[int, ...] = _INK, *, bold: bool = False) -> None:
        self._style(size, colour, bold=bold)
        height = size * _MM_PER_POINT * 1.35
        self.multi_cell(_WIDTH, height, text, align="L", new_x="LMARGIN", new_y="NEXT")

    def _style(self, size: float, colour: tuple[int, ...], *, bold: bool = False) -> None:
        self.set_font("text", style="B" if bold else "", size=size)
        self.set_text_color(*colour)

    def _keep_with_pictures(self, below: Sequence[Block]) -> None:
        """A new page, unless a heading has room with all the pictures below it, or the first if no page holds all."""
        pictures = list(takewhile(lambda block: isinstance(block, Picture | PictureRow), below))
        heights = [_height_to_pictures([picture]) for picture in pictures] or [_SECTION_ROOM]
        together = _HEADING_ROOM + sum(heights)
        fits = together <= self.eph
        self._keep_with_next(together if fits else _HEADING_ROOM + heights[0])

    def _keep_with_next(self, height: float) -> None:
        """A new page, unless there is room for so many mm."""
        if self.will_page_break(height):
            self.add_page()


def _sizes(pictures: Sequence[Picture]) -> tuple[float, list[float], list[float]]:
    """Of pictures side by side: the room of each, their widths and their heights in mm."""
    space = (_WIDTH - _GUTTER * (len(pictures) - 1)) / len(pictures)
    images = [Image.open(io.BytesIO(picture.png)) for picture in pictures]
    widths = [min(picture.width_mm, space) for picture in pictures]
    return space, widths, [width * image.height / image.width for width, image in zip(widths, images, strict=True)]


def _height_to_pictures(blocks: Sequence[Block]) -> float:
    """How high the pictures are with which blocks begin, with their captions and legend, in mm; 0 if there are none."""
    legend = isinstance(blocks[0], Legend) and len(blocks) > 1
    first = blocks[int(legend)]
    pictures = [first] if isinstance(first, Picture) else first.pictures if isinstance(first, PictureRow) else ()
    return max(_sizes(pictures)[2]) + _CAPTION_ROOM + legend * _LEGEND_ROOM if pictures else 0.0
