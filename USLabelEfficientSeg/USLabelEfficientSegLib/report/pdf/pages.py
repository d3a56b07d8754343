"""Pages of a report on A4 with embedded fonts: their head and foot, and texts and tables on them."""

from collections.abc import Sequence

from fpdf import FPDF, FontFace
from fpdf.enums import TableBordersLayout
from fpdf.table import Table as FpdfTable

from ...text.display import printable
from ..blocks import Document, Table
from ..pictures.fonts import dejavu, further_fonts, with_codes

MARGIN, WIDTH = 15.0, 180.0  # mm
BODY, SMALL = 9.0, 7.5  # points
INK, QUIET, ACCENT, TINT = (28, 33, 38), (84, 93, 102), (11, 79, 108), (244, 246, 248)
CAUTION, CAUTION_TINT, RULE = (122, 75, 0), (255, 246, 224), (213, 218, 222)
_MM_PER_POINT = 25.4 / 72
_TOP, _BOTTOM, _HEAD, _FOOT = 20.0, 18.0, 9.0, -12.0  # mm from the edges of the page
_PADDING, _SIDE_PADDING = 0.9, 1.4  # mm, of a cell
_LINE = SMALL * _MM_PER_POINT * 1.3
_WIDEST_COLUMN = 45.0  # of natural width in mm; longer texts wrap
_LONGEST_GROUP = 190.0  # mm: a longer group of rows is divided


class Pages(FPDF):
    """Pages with a head and a foot, on which texts and tables stand one below the other."""

    def __init__(self, document: Document) -> None:
        super().__init__(format="A4")
        fonts, self.missing = further_fonts(map(printable, document.texts()))
        self._title, self._made = self.shown(document.title), document.made
        self.set_margins(MARGIN, _TOP)
        self.set_auto_page_break(True, margin=_BOTTOM)
        self.set_title(document.title)
        self.set_lang("en")
        self.set_creator(document.made)
        self.add_font("text", "", dejavu())
        self.add_font("text", "B", dejavu("Bold"))
        names = [f"further {number}" for number in range(len(fonts))]
        for name, path in zip(names, fonts, strict=True):
            for style in ("", "B"):
                self.add_font(name, style, path)
        if names:
            self.set_fallback_fonts(names)
        self.style(BODY)
        self.add_page()

    def shown(self, text: str) -> str:
        """A text as these pages can show it."""
        return with_codes(printable(text), self.missing)

    def header(self) -> None:
        """Title and warning at the head of every page."""
        self.set_y(_HEAD)
        self.style(SMALL, QUIET)
        warning = "For research use only. Not a medical device."
        room = WIDTH - self.get_string_width(warning) - 6
        title = self._title
        while self.get_string_width(title) > room:
            title = title.rstrip("…")[:-1] + "…"
        self.cell(room + 2, 5, title)
        self.cell(WIDTH - room - 2, 5, warning, align="R")
        self.set_draw_color(*RULE)
        self.set_line_width(0.2)
        self.line(MARGIN, _HEAD + 6, MARGIN + WIDTH, _HEAD + 6)
        self.set_y(_TOP)

    def footer(self) -> None:
        """When and with what it was made, and the number of the page, at the foot of every page."""
        self.set_y(_FOOT)
        self.style(SMALL, QUIET)
        self.cell(WIDTH / 2, 5, self._made)
        self.cell(WIDTH / 2, 5, f"page {self.page_no()} of {{nb}}", align="R")

    def style(self, size: float, colour: tuple[int, ...] = INK, *, bold: bool = False) -> None:
        """The font of what follows."""
        self.set_font("text", style="B" if bold else "", size=size)
        self.set_text_color(*colour)

    def write_text(self, text: str, size: float, colour: tuple[int, ...] = INK, *, bold: bool = False) -> None:
        """A paragraph over the whole width."""
        self.style(size, colour, bold=bold)
        height = size * _MM_PER_POINT * 1.35
        self.multi_cell(WIDTH, height, self.shown(text), align="L", new_x="LMARGIN", new_y="NEXT")

    def height_of(self, text: str, width: float, size: float, *, bold: bool = False) -> float:
        """How high a paragraph would be, in mm."""
        self.style(size, bold=bold)
        line = size * _MM_PER_POINT * 1.35
        height = self.multi_cell(width, line, self.shown(text), dry_run=True, output="HEIGHT", align="L")
        assert isinstance(height, float | int)
        return height

    def box(self, sentences: Sequence[str], *, bold: bool = False) -> None:
        """Sentences that ask for caution, on a ground of their own."""
        self.style(BODY if bold else SMALL + 0.5, CAUTION if bold else INK, bold=bold)
        self.set_fill_color(*CAUTION_TINT)
        text = "\n".join(map(self.shown, sentences))
        self.multi_cell(WIDTH, 4.4, text, fill=True, align="L", padding=2, new_x="LMARGIN", new_y="NEXT")
        self.ln(2)

    def room_for(self, height: float) -> None:
        """A new page, unless there is room for so many mm."""
        if self.will_page_break(height):
            self.add_page()

    def pairs(self, entries: Sequence[tuple[str, str]]) -> None:
        """Names and values in two columns."""
        self._table_style()
        with self.table(
            width=WIDTH,
            col_widths=(60, 120),
            text_align="LEFT",
            first_row_as_headings=False,
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            line_height=_LINE,
            padding=0.6,
            wrapmode="CHAR",  # checksums have no spaces
        ) as grid:
            for entry in entries:
                grid.row([self.shown(text) for text in entry])
        self.ln(3)

    def cells(self, table: Table) -> None:
        """A table, of which no page break divides a group of rows that fits on a page."""
        texts = set(table.text_columns)
        widths = self._column_widths(table)
        self._table_style()
        with self.table(
            width=WIDTH,
            col_widths=widths,
            text_align=tuple("LEFT" if n in texts else "RIGHT" for n in range(len(table.headings))),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(emphasis="BOLD", color=INK, fill_color=TINT),
            line_height=_LINE,
            padding=(_PADDING, _SIDE_PADDING),
            v_align="T",
            wrapmode="WORD",
        ) as grid:
            grid.row([self.shown(heading) for heading in table.headings])
            for group in table.groups():
                for part in self._parts(table, group, widths):
                    self._group(grid, table, part)
        self.ln(3)

    def height_of_cells(self, table: Table) -> float:
        """About how high a table will be, in mm."""
        widths = self._column_widths(table)
        heads = max(len(heading.split()) for heading in table.headings) * _LINE + 2 * _PADDING
        rows = [self._row_height(["", *row], [0.0, *widths]) for row in table.rows]  # their first cells count, too
        return heads + sum(rows) + 3

    def _group(self, grid: FpdfTable, table: Table, numbers: Sequence[int]) -> None:
        for place, number in enumerate(numbers):
            first, *others = map(self.shown, table.rows[number])
            style = FontFace(fill_color=CAUTION_TINT) if number in table.marked else None
            row = grid.row()
            if place == 0:
                row.cell(first, rowspan=len(numbers))
            for cell in others:
                row.cell(cell, style=style)

    def _parts(self, table: Table, group: Sequence[int], widths: Sequence[float]) -> list[list[int]]:
        """A group of rows in parts that fit on a page each: nearly always one."""
        parts: list[list[int]] = [[]]
        height = 0.0
        for number in group:
            row = self._row_height(table.rows[number], widths)
            if parts[-1] and height + row > _LONGEST_GROUP:
                parts.append([])
                height = 0.0
            height += row
            parts[-1].append(number)
        return parts

    def _row_height(self, row: Sequence[str], widths: Sequence[float]) -> float:
        """Of all its cells but the first, which its group shares."""
        self.style(SMALL)
        lines = [
            -(-(self.get_string_width(self.shown(cell)) * 1.15) // (width - 2 * _SIDE_PADDING))
            for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        return max(1.0, *lines) * _LINE + 2 * _PADDING

    def _column_widths(self, table: Table) -> list[float]:
        """Natural widths, limited, and the rest of the page shared out in proportion."""
        natural = []
        for column, heading in enumerate(table.headings):
            self.style(SMALL, bold=True)
            widest = max(self.get_string_width(self.shown(word)) for word in heading.split() or [""])
            self.style(SMALL)
            cells = [self.get_string_width(self.shown(row[column])) for row in table.rows]
            natural.append(min(max([widest, *cells]), max(widest, _WIDEST_COLUMN)) + 2 * _SIDE_PADDING + 0.5)
        return [width * WIDTH / sum(natural) for width in natural]

    def _table_style(self) -> None:
        self.style(SMALL)
        self.set_draw_color(*RULE)
        self.set_fill_color(255)  # cells are always filled
        self.set_line_width(0.2)
