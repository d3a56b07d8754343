"""A report as PDF: the blocks of a document on `Pages`. A case keeps its numbers and its pictures on one page."""

import io
from collections.abc import Sequence
from itertools import takewhile

from PIL import Image

from ..blocks import (
    LINES,
    UNCERTAINTY,
    Block,
    CaseCard,
    Citations,
    Document,
    Folded,
    Heading,
    Legend,
    LegendEntry,
    Pairs,
    Paragraph,
    Picture,
    PictureRow,
    Section,
    SliceRow,
    Table,
    Tiles,
)
from ..pictures.slice_picture import UNCERTAINTY_COLOURS
from .pages import ACCENT, BODY, INK, MARGIN, QUIET, SMALL, TINT, WIDTH, Pages
from .slices import draw_slice

_GUTTER, _NARROW_GUTTER = 6.0, 2.5  # mm between pictures
_LEGEND_BACKGROUND = (58, 63, 69)
_CAPTION_ROOM, _LEGEND_ROOM, _HEADING_ROOM = 10.0, 6.0, 9.0  # mm
_SECTION_ROOM, _TITLE_ROOM = 45.0, 18.0  # mm, of a section's title with and without what follows it
_TITLES_ROOM = 40.0  # mm, of a section's title with a legend and a remark
_ROW_HEIGHT, _GOOD_ROW_HEIGHT, _LEAST_ROW_HEIGHT = 62.0, 40.0, 34.0  # mm, of slices
_SHADED_HEIGHT = 38.0  # mm, of the organs in 3-D
_ROW_ROOM = 11.0  # mm, of the captions of a row of slices


def pdf_of(document: Document) -> tuple[bytes, list[str]]:
    """The report as one PDF file, and what the reader has to know of it.

    Where this computer has no font for a character, its code stands in its place, which the report says.
    """
    pages = _Writer(document)
    remarks = []
    if pages.missing:
        characters = ", ".join(f"U+{ord(character):04X}" for character in sorted(pages.missing)[:10])
        more = "" if len(pages.missing) <= 10 else f" and {len(pages.missing) - 10} more"
        remarks.append(
            f"The PDF has codes such as [{characters.split(',')[0]}] in place of characters of which this computer has "
            f"no font ({characters}{more}); the HTML file has them, or install a font such as Noto Sans."
        )
    pages.opening(document, remarks)
    for section in document.sections:
        pages.section(section)
    return bytes(pages.output()), remarks


class _Writer(Pages):
    """Writes blocks one below the other; headings stay with what follows them."""

    def opening(self, document: Document, remarks: Sequence[str]) -> None:
        """Title, notice, and how to read the report."""
        self.write_text(document.title, 18, bold=True)
        self.ln(1)
        self.write_text(f"{document.subtitle} · {document.made}", BODY, QUIET)
        self.ln(3)
        self.box([document.notice], bold=True)
        for remark in remarks:
            self.box([remark])
        self._section_title("How to read this")
        for number, sentence in enumerate(document.reading, start=1):
            self.write_text(f"{number}. {sentence}", BODY)
            self.ln(0.8)

    def section(self, section: Section) -> None:
        """A section with all its blocks."""
        room = max(_SECTION_ROOM, _TITLE_ROOM + self._height_to_pictures(section.blocks))
        self._section_title(section.title, min(room, self.eph))
        for number, block in enumerate(section.blocks):
            if isinstance(block, Heading):
                self._keep_with_pictures(section.blocks[number + 1 :])
            if isinstance(block, Legend) and isinstance((*section.blocks, None)[number + 1], Picture):
                self.room_for(min(self._height_to_pictures(section.blocks[number:]), self.eph))
            self._block(block)

    def _block(self, block: Block) -> None:
        match block:
            case Paragraph() | Heading() | Citations():
                self._words(block)
            case Tiles():
                self._tiles(list(block.entries.items()))
            case Table():
                self.cells(block)
            case Pairs():
                self.pairs(list(block.entries.items()))
            case Picture() | PictureRow():
                self._pictures([block] if isinstance(block, Picture) else block.pictures)
            case SliceRow():
                self._slices(block, _ROW_HEIGHT)
            case CaseCard():
                self._case(block)
            case Folded():
                return  # it is on the page for screens
            case Legend():
                self._legend(block.entries)

    def _words(self, block: Paragraph | Heading | Citations) -> None:
        match block:
            case Paragraph():
                self.write_text(block.text, SMALL if block.quiet else BODY, QUIET if block.quiet else INK)
                self.ln(2)
            case Heading():
                self.ln(2)
                self.write_text(block.text, 10.5, bold=True)
                self.ln(1)
            case Citations():
                for number, item in enumerate(block.items, start=1):
                    self.write_text(f"[{number}] {item}", SMALL, QUIET)
                    self.ln(1)

    def _section_title(self, title: str, room: float = _SECTION_ROOM) -> None:
        self.room_for(room)
        self.ln(5)
        self.set_draw_color(*ACCENT)
        self.set_line_width(0.5)
        self.line(MARGIN, self.get_y(), MARGIN + WIDTH, self.get_y())
        self.ln(2)
        self.start_section(title)
        self.write_text(title, 12.5, bold=True)
        self.ln(2)

    def _tiles(self, tiles: Sequence[tuple[str, str]]) -> None:
        """Rows of boxes, as high as their longest text."""
        columns = min(4, max(1, len(tiles)))
        width = WIDTH / columns - 3
        for start in range(0, len(tiles), columns):
            row = tiles[start : start + columns]
            names = max(self.height_of(name, width - 4, SMALL) for name, _ in row)
            height = names + max(self.height_of(value, width - 4, 11, bold=True) for _, value in row) + 4
            self.room_for(height + 3)
            top = self.get_y()
            for number, (name, value) in enumerate(row):
                left = MARGIN + number * (width + 3)
                self.set_fill_color(*TINT)
                self.rect(left, top, width, height, style="F")
                for text, below, size, colour in ((name, 1.5, SMALL, QUIET), (value, names + 2.5, 11, INK)):
                    self.set_xy(left + 2, top + below)
                    self.style(size, colour, bold=colour == INK)
                    self.multi_cell(width - 4, size * 0.4763, self.shown(text), align="L")
            self.set_xy(MARGIN, top + height + 3)

    def _case(self, card: CaseCard) -> None:
        """A case on one page, its pictures as large as the page allows; overleaf go those of a very long table."""
        count = len(card.cautions)
        told = f"⚠ {count} caution{'s' if count > 1 else ''}" if count else "no caution"
        shaded = 0.0 if card.picture is None else min(_SHADED_HEIGHT, _sizes([card.picture])[2][0])
        others = _HEADING_ROOM + self.height_of_cells(card.table) + 6 * count + 5
        others += _ROW_ROOM * len(card.rows) + (shaded + _CAPTION_ROOM if shaded else 0)
        # A title is not left alone on its page: the pictures below it may be smaller.
        least = _LEAST_ROW_HEIGHT if self.get_y() < self.t_margin + _TITLES_ROOM else _GOOD_ROW_HEIGHT
        height = self._row_height_in(self.page_break_trigger - self.get_y() - others, card.rows, least)
        if height is None:
            self.room_for(self.eph - _TITLES_ROOM)
            height = self._row_height_in(self.eph - others, card.rows, _LEAST_ROW_HEIGHT)
        self.ln(2)
        self.write_text(f"{card.name} · {told}", 10.5, bold=True)
        self.ln(1)
        self.cells(card.table)
        if card.cautions:
            self.box(card.cautions)
        for row in card.rows:
            self._room_for_more(card, self._slices_height(row, height or _ROW_HEIGHT) + _ROW_ROOM)
            self._slices(row, height or _ROW_HEIGHT)
        if card.picture is not None:
            self._room_for_more(card, shaded + _CAPTION_ROOM)
            self._pictures([card.picture], highest=shaded)

    def _room_for_more(self, card: CaseCard, height: float) -> None:
        """A new page that says whose pictures go on there, unless there is room."""
        if self.will_page_break(height):
            self.add_page()
            self.write_text(f"{card.name}, continued", 10.5, bold=True)
            self.ln(1)

    def _row_height_in(self, room: float, rows: Sequence[SliceRow], least: float) -> float | None:
        """The height that the rows may have so that all are in the room; None if they would be lower than the least."""
        height = _ROW_HEIGHT
        while height >= least:
            if sum(self._slices_height(row, height) for row in rows) <= room:
                return height
            height -= 1
        return None

    def _slices_height(self, row: SliceRow, highest: float) -> float:
        return self._slices_scale(row, highest) * max(picture.size_mm[1] for picture in row.slices)

    def _slices_scale(self, row: SliceRow, highest: float) -> float:
        """Millimetres of paper a millimetre of the organ: one scale for the row."""
        width = sum(picture.size_mm[0] for picture in row.slices)
        gaps = _NARROW_GUTTER * (len(row.slices) - 1)
        return min((WIDTH - gaps) / width, highest / max(picture.size_mm[1] for picture in row.slices))

    def _slices(self, row: SliceRow, highest: float) -> None:
        scale = self._slices_scale(row, highest)
        self.room_for(self._slices_height(row, highest) + _ROW_ROOM)
        self.write_text(row.caption, SMALL + 0.5, bold=True)
        left, top, bottom = MARGIN, self.get_y() + 0.5, 0.0
        for picture in row.slices:
            width, height = (scale * mm for mm in picture.size_mm)
            draw_slice(self, picture, (left, top, width, height))
            self.set_xy(left, top + height + 0.6)
            self.style(SMALL, QUIET)
            self.multi_cell(max(width, 30), 3.4, picture.title, align="L", padding=0)
            bottom = max(bottom, self.get_y())
            left += width + _NARROW_GUTTER
        self.set_xy(MARGIN, bottom + 2)

    def _pictures(self, pictures: Sequence[Picture], highest: float | None = None) -> None:
        """Pictures side by side, each with its caption below it."""
        space, widths, heights = _sizes(pictures)
        shrunk = min(1.0, (highest or self.eph - 2 * _CAPTION_ROOM) / max(heights))
        self.room_for(shrunk * max(heights) + _CAPTION_ROOM)
        top, bottom = self.get_y(), 0.0
        for number, picture in enumerate(pictures):
            left = MARGIN + number * (space + _GUTTER)
            image = io.BytesIO(picture.png)
            self.image(image, left, top, w=shrunk * widths[number], alt_text=self.shown(picture.description))
            self.set_xy(left, top + shrunk * heights[number] + 1)
            self.style(SMALL, QUIET)
            self.multi_cell(space, 3.6, self.shown(picture.caption), align="L", new_x="LMARGIN", new_y="NEXT")
            bottom = max(bottom, self.get_y())
        self.set_xy(MARGIN, bottom + 3)

    def _legend(self, entries: Sequence[LegendEntry]) -> None:
        for entry in entries:
            self.style(SMALL)
            text = self.shown(entry.text)
            mark = 16 if entry.mark == UNCERTAINTY else 9
            width = min(mark + self.get_string_width(text) + 5, WIDTH)
            if self.get_x() + width > MARGIN + WIDTH:
                self.ln(5)
            left, top = self.get_x(), self.get_y()
            self._mark(entry, left, top)
            self.style(SMALL)
            self.set_xy(left + mark, top)
            self.cell(width - mark, 4.2, text)
        self.set_xy(MARGIN, self.get_y() + _LEGEND_ROOM)

    def _mark(self, entry: LegendEntry, left: float, top: float) -> None:
        if entry.mark == UNCERTAINTY:
            for number, colour in enumerate(UNCERTAINTY_COLOURS):
                self.set_fill_color(*bytes.fromhex(colour[1:]))
                self.rect(left + 3 * number, top + 0.5, 3, 3.2, style="F")
            return
        ink = tuple(bytes.fromhex(entry.colour[1:]))
        if entry.mark not in LINES:
            self.style(BODY, ink)
            self.set_xy(left + 4, top)
            self.cell(4, 4.2, entry.mark, align="C")
            return
        self.set_fill_color(*_LEGEND_BACKGROUND)
        self.rect(left, top + 0.5, 8, 3.2, style="F")
        self.set_draw_color(*ink)
        self.set_line_width(0.6)
        if entry.mark == "dashed line":
            self.set_dash_pattern(dash=1.2, gap=0.9)
        self.line(left + 0.8, top + 2.1, left + 7.2, top + 2.1)
        self.set_dash_pattern()

    def _keep_with_pictures(self, below: Sequence[Block]) -> None:
        """A new page, unless a heading has room with all the pictures below it, or the first if no page holds all."""
        pictures = list(takewhile(lambda block: isinstance(block, Picture | PictureRow), below))
        heights = [self._height_to_pictures([picture]) for picture in pictures] or [_SECTION_ROOM]
        together = _HEADING_ROOM + sum(heights)
        self.room_for(together if together <= self.eph else _HEADING_ROOM + heights[0])

    def _height_to_pictures(self, blocks: Sequence[Block]) -> float:
        """How high the pictures are with which blocks begin, with captions and legend, in mm; 0 if there are none."""
        legend = isinstance(blocks[0], Legend) and len(blocks) > 1
        first = blocks[int(legend)]
        if isinstance(first, CaseCard):
            return 180.0  # most of a page: its pictures can be made a little smaller
        pictures = [first] if isinstance(first, Picture) else first.pictures if isinstance(first, PictureRow) else ()
        return max(_sizes(pictures)[2]) + _CAPTION_ROOM + legend * _LEGEND_ROOM if pictures else 0.0


def _sizes(pictures: Sequence[Picture]) -> tuple[float, list[float], list[float]]:
    """Of pictures side by side: the room of each, their widths and their heights in mm."""
    space = (WIDTH - _GUTTER * (len(pictures) - 1)) / len(pictures)
    images = [Image.open(io.BytesIO(picture.png)) for picture in pictures]
    widths = [min(picture.width_mm, space) for picture in pictures]
    return space, widths, [width * image.height / image.width for width, image in zip(widths, images, strict=True)]
