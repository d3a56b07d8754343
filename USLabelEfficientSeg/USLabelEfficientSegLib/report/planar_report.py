"""From segmented 2-D images to the sections of a report."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..imaging.scan import LabelMap, Scan
from ..measurement.flags import sentence_of
from ..measurement.planar import PlanarMeasurement
from ..study.events import Event
from ..text.numbers import three_digits
from .blocks import (
    CaseCard,
    Document,
    Legend,
    LegendEntry,
    Section,
    SliceRow,
    Tiles,
    number,
)
from .case_cards import outlines_legend
from .common_sections import (
    INFORMATION_DIVERGENCE,
    LOOK_FIRST,
    anchor_of,
    cautions_of,
    cautious_first,
    document,
    flag_names,
    flags_section,
    method_section,
    provenance_section,
    settings_section,
    table_of,
    training_section,
)
from .pictures.image_outlines import ELLIPSE_COLOUR, image_overlay, uncertainty_overlay

_HEADINGS = ("Organ", "Area, mm²", "90 % interval, mm²", "Circumference, mm", "90 % interval, mm", "Ellipse axes, mm",
             "Cautions")  # fmt: skip
_INTERVALS = "The intervals are 90 % prediction intervals: of 10 such intervals about 9 hold the true value."
_UNKNOWN = number(None)
_CITATIONS = (INFORMATION_DIVERGENCE,)
_METHOD = (
    "The network UNeXt learns from the labelled images by their labels and from all others by the predictions of a "
    "partner and by the divergence of the information in both [1]. The partner is the transformer Swin-Unet, which "
    "learns along with it, or UNeXt's own moving average (setting divergence.partner). In every round but the first "
    "(setting divergence.rounds) what a network learns on images without labels comes from the networks that the round "
    "before ended with. The moving average of UNeXt segments the images; its probabilities are averaged over "
    "magnifications and zoomed refinements of the parts that show the organs, and over the mirror image if it has "
    "learnt from mirror images."
)
_MEASURES = (
    "The area of an organ is the sum of its probabilities over all pixels where the segmentation came with them, else "
    "that of the outlined pixels. The ellipse has the area, the centre, the direction and the ratio of axes (second "
    "moments) of the largest piece of the organ with its holes filled; the circumference is that of the ellipse. The "
    "perimeter is the length of the outline itself."
)
_NO_INTERVALS = (
    "No prediction intervals are given: the model was not calibrated on held-out labelled images (uslabelseg "
    "calibrate), or the segmentations are not, or no longer, its own."
)


@dataclass(frozen=True)
class ImageCase:
    """One segmented image.

    Args:
        label: what the report calls it, see `case_labels`.
        image: the image.
        prediction: its segmentation.
        rows: what was measured of every organ.
        reference: the reference labels, where there are any.
        true_rows: what was measured of them.
        dice: the overlap with the reference by organ, where there is one.
        checksum: SHA-256 of the image file.
        uncertainty: (I, J, 1) in [0, 1], 1 where every class is as likely; where it is known.
    """

    label: str
    image: Scan
    prediction: LabelMap
    rows: Sequence[PlanarMeasurement]
    reference: LabelMap | None = None
    true_rows: Sequence[PlanarMeasurement] = ()
    dice: Mapping[str, float] = field(default_factory=dict)
    checksum: str | None = None
    uncertainty: NDArray[np.floating] | None = None


@dataclass(frozen=True)
class ImageSummary:
    """What remains of a case once its picture is drawn; fields as in `ImageCase`."""

    label: str
    rows: Sequence[PlanarMeasurement]
    true_rows: Sequence[PlanarMeasurement]
    dice: Mapping[str, float]
    checksum: str | None


@dataclass(frozen=True)
class ImageReport:
    """All that a report shows. Its texts must not name a patient: only labels of cases may, if asked to.

    Args:
        title: heading of the report.
        organs: organ names, by label.
        cases: read once, one at a time.
        comparisons: makes the sections that need all cases: agreement with references.
        events: of the training, for its curves.
        highlights, settings, provenance: see `ReportContent`.
    """

    title: str
    organs: Sequence[str]
    cases: Iterable[ImageCase]
    comparisons: Callable[[Sequence[ImageSummary]], Sequence[Section]] = lambda cases: ()
    events: Sequence[Event] = ()
    highlights: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)


def image_report_document(content: ImageReport) -> Document:
    """Read every case once, draw it, and put the report together; sections without content are left out.

    Raises:
        InputError: a case cannot be read.
    """
    cases: list[ImageSummary] = []
    cards: dict[str, CaseCard] = {}
    references = uncertainty = False
    for number_of, case in enumerate(content.cases, start=1):
        cards[case.label] = _card(case, anchor_of(number_of))
        references |= case.reference is not None
        uncertainty |= case.uncertainty is not None
        cases.append(ImageSummary(case.label, case.rows, case.true_rows, case.dice, case.checksum))
    shown = cautious_first(cases)
    rows = [row for case in cases for row in case.rows]
    legend = _legend(content.organs, references=references, uncertainty=uncertainty)
    sections = [
        _headline_section(content, shown, cards),
        Section("Cases", [legend, *(cards[case.label] for case in shown)] if cards else []),
        *content.comparisons(cases),
        flags_section(rows, partial(sentence_of, rows=rows)),
        training_section(content.events, "Terms of the loss against training steps.", "Losses against training steps."),
        method_section((_METHOD, _MEASURES), rows, _CITATIONS),
        settings_section(content.settings),
        provenance_section(content.provenance, {case.label: case.checksum for case in cases}),
    ]
    reading = _reading(rows, references=references, uncertainty=uncertainty)
    return document(content.title, "2-D ultrasound segmentation, areas and circumferences", reading, sections)


def _card(case: ImageCase, anchor: str) -> CaseCard:
    """Draw an image and put its numbers beside the picture."""
    outlines = "segmentation, ellipse and reference" if case.reference is not None else "segmentation and ellipse"
    description = f"{case.label} with the outlines of {outlines}."
    pictures = [image_overlay(case.image, case.prediction, case.rows, case.reference, description)]
    if case.uncertainty is not None:
        told = f"{case.label} with the uncertainty of the model in colours."
        pictures.append(uncertainty_overlay(case.image, case.uncertainty, told))
    found = any(row.pixel_count for row in case.rows)
    return CaseCard(
        case.label,
        anchor,
        table_of(
            _HEADINGS,
            [_cells(row) for row in case.rows],
            (0, len(_HEADINGS) - 1),
            caption=f"Measurements of {case.label}",
            rows_of=case.rows,
        ),
        cautions_of(case.rows, partial(sentence_of, rows=case.rows)),
        [SliceRow("Segmentation" if found else "No organ found", pictures)],
    )


def _reading(rows: Sequence[PlanarMeasurement], *, references: bool, uncertainty: bool) -> list[str]:
    """How to read the report, in three sentences or so."""
    bound = "≥ marks an organ that is cut by the edge of the image: it is at least as large as given."
    known = _INTERVALS if any(row.area_interval_mm2 for row in rows) else _NO_INTERVALS
    dashed = ", dashed white lines the reference" if references else ""
    map_ = " The uncertainty map is bright where the model is unsure." if uncertainty else ""
    return [
        LOOK_FIRST,
        f"{known} {bound}",
        f"Lines in an organ's colour are the outlines that were measured, thin ones the fitted ellipses{dashed}.{map_}",
    ]


def _headline_section(content: ImageReport, cases: Sequence[ImageSummary], cards: Mapping[str, CaseCard]) -> Section:
    pairs = [(case, row) for case in cases for row in case.rows]
    tiles = Tiles(_tiles(content, cases))
    if not pairs:
        return Section("At a glance", [tiles])
    table = table_of(
        ("Case", *_HEADINGS),
        [[case.label, *_cells(row)] for case, row in pairs],
        (0, 1, len(_HEADINGS)),
        caption="Measurements, those that ask for caution first",
        rows_of=[row for _, row in pairs],
        links={label: card.anchor for label, card in cards.items()},
    )
    return Section("At a glance", [tiles, table])


def _tiles(content: ImageReport, cases: Sequence[ImageSummary]) -> dict[str, str]:
    flagged = sum(any(row.flags for row in case.rows) for case in cases)
    tiles = {"Segmented images": str(len(cases)), "Images with a caution": f"{flagged} of {len(cases)}"}
    overlaps = [value for case in cases for value in case.dice.values()]
    if overlaps:
        tiles["Mean Dice"] = f"{np.mean(overlaps):.3f}"
    errors = [abs(error) for error in circumference_errors(cases)]
    if errors:
        tiles["Mean absolute error of the circumference"] = f"{number(float(np.mean(errors)))} mm"
    return {**tiles, **content.highlights}


def circumference_errors(cases: Sequence[ImageSummary], organ: str | None = None) -> list[float]:
    """Signed errors in mm where both segmentation and reference hold the organ."""
    return [
        row.circumference_mm - true.circumference_mm
        for case in cases
        for row, true in zip(case.rows, case.true_rows, strict=False)
        if row.pixel_count and true.pixel_count and organ in (None, row.organ)
    ]


def _cells(row: PlanarMeasurement) -> list[str]:
    bound = "≥ " if row.is_lower_bound else ""
    areas, lengths = row.area_interval_mm2, row.circumference_interval_mm
    return [
        row.organ,
        bound + number(row.area_mm2),
        _UNKNOWN if areas is None else f"{number(areas[0])} to {number(areas[1])}",
        bound + _length(row.circumference_mm),
        _UNKNOWN if lengths is None else f"{_length(lengths[0])} to {_length(lengths[1])}",
        _UNKNOWN if row.ellipse is None else " × ".join(_length(length) for length in row.ellipse.axes_mm),
        flag_names(row.flags),
    ]


def _legend(organs: Sequence[str], *, references: bool, uncertainty: bool) -> Legend:
    """What the lines over the images stand for."""
    legend = outlines_legend(organs, references=references, uncertainty=uncertainty)
    ellipse = LegendEntry("fitted ellipse", ELLIPSE_COLOUR, "line")
    return Legend([*legend.entries[: len(organs)], ellipse, *legend.entries[len(organs) :]])


def _length(length_mm: float) -> str:
    """In mm, to tenths at least."""
    return three_digits(length_mm, least_decimals=1)
