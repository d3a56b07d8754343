"""A report as plain data: sections of texts, tables and pictures, which HTML and PDF render alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..text.numbers import three_digits
from .pictures.slice_picture import SlicePicture

TEXT_MM = 180.0  # width of the text on A4
_HIGHEST_REM = 24.0


@dataclass(frozen=True)
class Paragraph:
    """Running text; quiet text is a remark."""

    kind: ClassVar[str] = "paragraph"
    text: str
    quiet: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Tiles:
    """Main results by name."""

    kind: ClassVar[str] = "tiles"
    entries: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """Cells ready to be read, units in the headings; all columns but those of `text_columns` hold numbers.

    Rows that follow each other with the same first cell are a group, which no page break divides.

    Args:
        headings, rows, text_columns: the cells.
        caption: of the table, for people who hear it read.
        marked: rows that ask for caution, by number.
        links: target of the first cell, by its text: the `anchor` of a `CaseCard`.
    """

    kind: ClassVar[str] = "table"
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: Sequence[int] = (0,)
    caption: str = ""
    marked: frozenset[int] = frozenset()
    links: Mapping[str, str] | None = None

    def groups(self) -> Iterator[list[int]]:
        """Numbers of the rows of each group."""
        group: list[int] = []
        for number, row in enumerate(self.rows):
            if group and row[0] != self.rows[group[-1]][0]:
                yield group
                group = []
            group.append(number)
        if group:
            yield group


@dataclass(frozen=True)
class Pairs:
    """Names and values, such as settings."""

    kind: ClassVar[str] = "pairs"
    entries: Mapping[str, str]


@dataclass(frozen=True)
class Picture:
    """A PNG on white with a caption and a description for those who cannot see it; `width_mm` on paper and screen."""

    kind: ClassVar[str] = "picture"
    png: bytes
    caption: str
    description: str
    width_mm: float


@dataclass(frozen=True)
class PictureRow:
    """Small pictures side by side."""

    kind: ClassVar[str] = "picture_row"
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class SliceRow:
    """Slices side by side at one scale, with a caption of them all."""

    kind: ClassVar[str] = "slice_row"
    caption: str
    slices: Sequence[SlicePicture]

    @property
    def widest_rem(self) -> float:
        """The largest width on a screen, so that no slice is higher than a page of a book."""
        width = sum(picture.size_mm[0] for picture in self.slices)
        return round(_HIGHEST_REM * width / max(picture.size_mm[1] for picture in self.slices), 1)


@dataclass(frozen=True)
class CaseCard:
    """All about one case in one place: its numbers, its cautions and its pictures.

    Args:
        name: of the case.
        anchor: its place in the page, of ASCII letters, digits and dashes.
        table: its numbers.
        cautions: sentences, empty if nothing asks for caution.
        rows: its slices.
        picture: the organs in 3-D.
    """

    kind: ClassVar[str] = "case"
    name: str
    anchor: str
    table: Table
    cautions: Sequence[str]
    rows: Sequence[SliceRow]
    picture: Picture | None = None


@dataclass(frozen=True)
class Folded:
    """A table that a click unfolds on a screen; on paper it is left out, and the screen's page named instead."""

    kind: ClassVar[str] = "folded"
    title: str
    table: Table


LINES = ("line", "dashed line")
UNCERTAINTY = "uncertainty"


@dataclass(frozen=True)
class LegendEntry:
    """The meaning of a colour: one of `LINES` over an image, the scale of `UNCERTAINTY`, or a chart's character."""

    text: str
    colour: str
    mark: str


@dataclass(frozen=True)
class Legend:
    """The legend of the pictures that follow or precede it."""

    kind: ClassVar[str] = "legend"
    entries: Sequence[LegendEntry]


@dataclass(frozen=True)
class Citations:
    """A numbered list of publications."""

    kind: ClassVar[str] = "citations"
    items: Sequence[str]


Block = (
    Paragraph
    | Heading
    | Tiles
    | Table
    | Pairs
    | Picture
    | PictureRow
    | SliceRow
    | CaseCard
    | Folded
    | Legend
    | Citations
)


@dataclass(frozen=True)
class Section:
    """A part of a report under its title; a folded part opens on a click."""

    title: str
    blocks: Sequence[Block]
    folded: bool = False


@dataclass(frozen=True)
class Document:
    """A whole report.

    Args:
        title, subtitle: what it is.
        made: when and with which version of the program.
        notice: what it must not be used for.
        reading: how to read it, in a few sentences.
        sections: its parts.
        cases: how many it tells of.
    """

    title: str
    subtitle: str
    made: str
    notice: str
    reading: Sequence[str]
    sections: Sequence[Section]
    cases: int = 0

    def texts(self) -> list[str]:
        """Every text of the report, for choosing fonts that have its characters."""
        found = [self.title, self.subtitle, self.made, self.notice, *self.reading]
        for section in self.sections:
            found.append(section.title)
            for block in section.blocks:
                found += _texts(block)
        return found


def _texts(block: Block) -> list[str]:
    match block:
        case Paragraph() | Heading():
            return [block.text]
        case Table():
            return [*block.headings, *(cell for row in block.rows for cell in row)]
        case Pairs() | Tiles():
            return [*block.entries, *block.entries.values()]
        case Picture() | PictureRow():
            pictures = [block] if isinstance(block, Picture) else block.pictures
            return [picture.caption for picture in pictures]
        case SliceRow():
            return [block.caption, *(picture.title for picture in block.slices)]
        case CaseCard():
            inside: list[Block] = [block.table, *block.rows, *([block.picture] if block.picture else [])]
            return [block.name, *block.cautions, *(text for part in inside for text in _texts(part))]
        case Folded():
            return [block.title]
        case Legend():
            marks = [entry.mark for entry in block.entries if entry.mark not in (*LINES, UNCERTAINTY)]
            return [entry.text for entry in block.entries] + marks
        case Citations():
            return list(block.items)


def number(value: float | None, decimals: int | None = None, *, signed: bool = False) -> str:
    """A number for people, with a true minus; without `decimals` three significant digits. A dash for None."""
    if value is None or decimals is None:
        return three_digits(value, signed=signed)
    rounded = round(value, decimals) or 0.0  # not a negative zero
    return f"{rounded:{'+' if signed and rounded else ''}.{decimals}f}".replace("-", "\N{MINUS SIGN}")
