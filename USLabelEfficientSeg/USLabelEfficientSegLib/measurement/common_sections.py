"""What reports of volumes and of 2-D images have in common: the frame of the document, flags, and how it was made."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Protocol

from ..study.events import Event
from .measurements import Flag
from .report_blocks import Block, Citations, Document, Heading, Pairs, Paragraph, Picture, Section, Table
from .training_chart import training_curves_png

TEXT_MM = 180.0  # width of the text on A4
INFORMATION_DIVERGENCE = (
    "Wang et al. Leveraging Information Divergence for Robust Semi-Supervised Fetal Ultrasound Image Segmentation. "
    "arXiv: 2509.06495"
)
NOTICE = (
    "For research use only. This is not a medical device. Its results must not be used for diagnosis or treatment; "
    "check every outline against the images."
)


class Row(Protocol):
    """What was measured of one organ in one case."""

    @property
    def flags(self) -> Sequence[Flag]:
        """Reasons for caution."""

    @property
    def interval_method(self) -> str | None:
        """How its interval was found, in one sentence."""


def document(title: str, subject: str, tiles: dict[str, str], sections: Sequence[Section]) -> Document:
    """A report of today with those of the sections that hold anything."""
    return Document(
        title,
        f"{subject} · {date.today().isoformat()}",
        NOTICE,
        tiles,
        [section for section in sections if section.blocks],
        "For research use only. Not a medical device.",
    )


def flag_name(flag: Flag) -> str:
    """A flag in words, for a table."""
    return flag.value.replace("_", " ")


def flags_section(rows: Sequence[Row], sentence_of: Callable[[Flag], str]) -> Section:
    """How often each flag was raised, and what it means."""
    counts = {flag: sum(flag in row.flags for row in rows) for flag in Flag}
    raised = [[flag_name(flag), sentence_of(flag), str(count)] for flag, count in counts.items() if count]
    if not raised:
        return Section("Quality flags", [Paragraph("None was raised.")] if rows else [])
    return Section("Quality flags", [Table(["Flag", "Meaning", "Measurements"], raised, (0, 1))])


def training_section(events: Sequence[Event], caption: str, description: str) -> Section:
    """The curves of the losses; empty without any."""
    curves = training_curves_png(events)
    return Section("Training", [] if curves is None else [Picture(curves, caption, description, TEXT_MM)])


def method_section(paragraphs: Sequence[str], rows: Sequence[Row], citations: Sequence[str]) -> Section:
    """How images were segmented and measured, how intervals were found, and where that is published."""
    intervals = dict.fromkeys(row.interval_method for row in rows if row.interval_method)
    return Section("Method", [*(Paragraph(text) for text in (*paragraphs, *intervals)), Citations(citations)])


def settings_section(settings: Mapping[str, str]) -> Section:
    """The settings of the training; empty without any."""
    return Section("Settings", [Pairs(settings)] if settings else [])


def provenance_section(provenance: Mapping[str, str], checksums: Mapping[str, str | None]) -> Section:
    """Where results come from, and the checksum of each case's image, as far as they are known."""
    known = {label: checksum for label, checksum in checksums.items() if checksum}
    blocks: list[Block] = [Pairs(provenance)] if provenance else []
    if known:
        blocks += [Heading("Images, SHA-256"), Pairs(known)]
    return Section("Provenance", blocks)
