"""A report as plain data: sections of paragraphs, tables and pictures, which HTML and PDF render alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Paragraph:
    """Running text; quiet text is a remark."""

    kind: ClassVar[str] = "paragraph"
    text: str
    quiet: bool = False


@dataclass(frozen=True)
class Heading:
    """Heading of what follows within a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Table:
    """Cells ready to be read, units in the headings; all columns but those of `text_columns` hold numbers.

    The first column names the row; where it repeats, it is shown once.
    """

    kind: ClassVar[str] = "table"
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: Sequence[int] = (0,)


@dataclass(frozen=True)
class Pairs:
    """Names and values, such as settings."""

    kind: ClassVar[str] = "pairs"
    entries: Mapping[str, str]


@dataclass(frozen=True)
class Picture:
    """A PNG with a caption and a description for those who cannot see it; `width_mm` on paper and screen."""

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


LINES = ("line", "dashed line")


@dataclass(frozen=True)
class LegendEntry:
    """What a colour stands for: one of `LINES` over an image, or the marker (a character) of a chart."""

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


Block = Paragraph | Heading | Table | Pairs | Picture | PictureRow | Legend | Citations


@dataclass(frozen=True)
class Section:
    """A part of a report under its title."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A whole report; `tiles` are its main results by name."""

    title: str
    subtitle: str
    notice: str
    tiles: Mapping[str, str]
    sections: Sequence[Section]
    footer: str

    def texts(self) -> list[str]:
        """Every text of the report, for choosing fonts that have its characters."""
        found = [self.title, self.subtitle, self.notice, self.footer, *self.tiles, *self.tiles.values()]
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
        case Pairs():
            return [*block.entries, *block.entries.values()]
        case Picture():
            return [block.caption]
        case PictureRow():
            return [picture.caption for picture in block.pictures]
        case Legend():
            return [entry.text for entry in block.entries] + [e.mark for e in block.entries if e.mark not in LINES]
        case Citations():
            return list(block.items)


def number(value: float | None, decimals: int | None = None, *, signed: bool = False) -> str:
    """A number for people, with a true minus; without `decimals` one from ten on, else two. A dash for None."""
    if value is None:
        return "–"
    if decimals is None:
        decimals = 1 if abs(value) >= 10 else 2
    rounded = round(value, decimals) or 0.0  # not a negative zero
    return f"{rounded:{'+' if signed and rounded else ''}.{decimals}f}".replace("-", "\N{MINUS SIGN}")
