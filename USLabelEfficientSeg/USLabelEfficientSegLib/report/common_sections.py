"""What reports of volumes and of 2-D images have in common: the frame of the document, flags, and how it was made."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Protocol, TypeVar

from .. import __version__
from ..measurement.flags import Flag
from ..study.events import Event
from .blocks import Block, Citations, Document, Heading, Pairs, Paragraph, Picture, Section, Table, number
from .pictures.training_chart import training_curves_png

TEXT_MM = 180.0  # width of the text on A4
INFORMATION_DIVERGENCE = (
    "Wang et al. Leveraging Information Divergence for Robust Semi-Supervised Fetal Ultrasound Image Segmentation. "
    "arXiv: 2509.06495"
)
LOOK_FIRST = "Look first at the cases marked ⚠: each caution says what to check in the image before its number is used."
NOTICE = (
    "For research use only. This is not a medical device. Its results must not be used for diagnosis or treatment; "
    "check every outline against the images."
)


class Row(Protocol):
    """What was measured of one organ in one case."""

    @property
    def organ(self) -> str:
        """Its name."""

    @property
    def flags(self) -> Sequence[Flag]:
        """Reasons for caution."""

    @property
    def interval_method(self) -> str | None:
        """How its interval was found, in one sentence."""


class RowsOfCase(Protocol):
    """A case with its measurements."""

    @property
    def rows(self) -> Sequence[Row]:
        """One an organ."""


Case = TypeVar("Case", bound=RowsOfCase)


def document(title: str, subject: str, reading: Sequence[str], sections: Sequence[Section]) -> Document:
    """A report of today with those of the sections that hold anything."""
    made = f"{date.today().isoformat()}, uslabelseg {__version__}"
    return Document(title, subject, made, NOTICE, reading, [section for section in sections if section.blocks])


def anchor_of(number: int) -> str:
    """The place of a case in the page, by its number from 1."""
    return f"case-{number}"


def cautions_of(rows: Sequence[Row], sentence_of: Callable[[Flag], str]) -> list[str]:
    """What asks for caution in a case, a sentence each; the same one of several organs is said once."""
    organs: dict[Flag, list[str]] = {}
    for row in rows:
        for flag in row.flags:
            organs.setdefault(flag, []).append(row.organ)
    return [f"{', '.join(organs[flag])}: {sentence_of(flag)}" for flag in Flag if flag in organs]


def flag_names(flags: Sequence[Flag]) -> str:
    """Flags in words for a cell of a table, marked; empty without any."""
    return f"⚠\N{NO-BREAK SPACE}{', '.join(flag.value.replace('_', ' ') for flag in flags)}" if flags else ""


def cautious_first(cases: Sequence[Case]) -> list[Case]:
    """Cases that ask for caution before the others, else in their order."""
    return sorted(cases, key=lambda case: not any(row.flags for row in case.rows))


def table_of(
    headings: Sequence[str],
    cells: Sequence[Sequence[str]],
    texts: Sequence[int],
    *,
    caption: str,
    rows_of: Sequence[Row] = (),
    links: Mapping[str, str] | None = None,
) -> Table:
    """A table without the columns that nobody fills.

    Args:
        headings, cells: of all columns.
        texts: the columns of words, by their number in all.
        caption, links: as in `Table`.
        rows_of: what the rows were measured of: those that ask for caution are marked.
    """
    kept = [n for n in range(len(headings)) if any(row[n] not in (number(None), "") for row in cells)]
    return Table(
        [headings[n] for n in kept],
        [[row[n] for n in kept] for row in cells],
        tuple(position for position, n in enumerate(kept) if n in texts),
        caption,
        frozenset(n for n, row in enumerate(rows_of) if row.flags),
        links,
    )


def flags_section(rows: Sequence[Row], sentence_of: Callable[[Flag], str]) -> Section:
    """How often each caution was raised, and what it means."""
    counts = {flag: sum(flag in row.flags for row in rows) for flag in Flag}
    cells = [[flag.value.replace("_", " "), sentence_of(flag), str(count)] for flag, count in counts.items() if count]
    table = Table(["Caution", "Meaning", "Measurements"], cells, (0, 1), "Cautions and what they mean")
    none = [Paragraph("None was raised.")] if rows else []
    return Section("Cautions", [table] if cells else none, folded=True)


def training_section(events: Sequence[Event], caption: str, description: str) -> Section:
    """The curves of the losses; empty without any."""
    curves = training_curves_png(events)
    return Section("Training", [] if curves is None else [Picture(curves, caption, description, TEXT_MM)], folded=True)


def method_section(paragraphs: Sequence[str], rows: Sequence[Row], citations: Sequence[str]) -> Section:
    """How images were segmented and measured, how intervals were found, and where that is published."""
    intervals = dict.fromkeys(row.interval_method for row in rows if row.interval_method)
    blocks: list[Block] = [*(Paragraph(text) for text in (*paragraphs, *intervals)), Citations(citations)]
    return Section("Method", blocks, folded=True)


def settings_section(settings: Mapping[str, str]) -> Section:
    """The settings of the training that was done; empty without any."""
    return Section("Settings", [Pairs(settings)] if settings else [], folded=True)


def provenance_section(provenance: Mapping[str, str], checksums: Mapping[str, str | None]) -> Section:
    """Where results come from, and the checksum of each case's image, as far as they are known."""
    known = {label: checksum for label, checksum in checksums.items() if checksum}
    blocks: list[Block] = [Pairs(provenance)] if provenance else []
    if known:
        blocks += [Heading("Images, SHA-256"), Pairs(known)]
    return Section("Provenance", blocks, folded=True)
