"""From segmented 2-D images to the sections of a report."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..imaging.organ_colours import organ_colour
from ..imaging.volume import ImageLabels, UltrasoundImage
from ..study.events import Event
from .common_sections import (
    INFORMATION_DIVERGENCE,
    document,
    flag_name,
    flags_section,
    method_section,
    provenance_section,
    settings_section,
    training_section,
)
from .overlays import REFERENCE_COLOUR
from .planar import SENTENCES, PlanarMeasurement
from .planar_overlays import ELLIPSE_COLOUR, image_overlay_png
from .report_blocks import (
    Document,
    Legend,
    LegendEntry,
    Paragraph,
    Picture,
    PictureRow,
    Section,
    Table,
    number,
)

_IN_A_ROW, _PICTURE_MM = 3, 56.0
_UNKNOWN = number(None)
_CITATIONS = (INFORMATION_DIVERGENCE,)
_METHOD = (
    "The network UNeXt learns from the labelled images by their labels and from all others by the predictions of a "
    "partner and by the divergence of the information in both [1]. The partner is the transformer Swin-Unet, which "
    "learns along with it, or UNeXt's own moving average (setting divergence.partner). In every round but the first "
    "(setting divergence.rounds) what a network learns on images without labels comes from the networks that the round "
    "before ended with. The moving average of UNeXt segments the images; its probabilities are averaged over "
    "magnifications and closer looks at the parts that show the organs, and over the mirror image if it has learnt "
    "from mirror images."
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
    """

    label: str
    image: UltrasoundImage
    prediction: ImageLabels
    rows: Sequence[PlanarMeasurement]
    reference: ImageLabels | None = None
    true_rows: Sequence[PlanarMeasurement] = ()
    dice: Mapping[str, float] = field(default_factory=dict)
    checksum: str | None = None


@dataclass(frozen=True)
class ImageReport:
    """All that a report shows. Its texts must not name a patient: only labels of cases may, if asked to.

    Args:
        title: heading of the report.
        organs: organ names, by label.
        cases: read once, one at a time.
        events: of the training, for its curves.
        highlights, settings, provenance: see `ReportContent`.
    """

    title: str
    organs: Sequence[str]
    cases: Iterable[ImageCase]
    events: Sequence[Event] = ()
    highlights: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Summary:
    """What remains of a case once its picture is drawn."""

    label: str
    rows: Sequence[PlanarMeasurement]
    true_rows: Sequence[PlanarMeasurement]
    dice: Mapping[str, float]
    checksum: str | None
    picture: Picture


def image_report_document(content: ImageReport) -> Document:
    """Read every case once, draw it, and put the report together; sections without content are left out.

    Raises:
        InputError: a case cannot be read.
    """
    cases = [_summary(case) for case in content.cases]
    rows = [row for case in cases for row in case.rows]
    sections = [
        _measurements_section(cases),
        flags_section(rows, SENTENCES.__getitem__),
        _agreement_section(content.organs, cases),
        _pictures_section(content.organs, cases),
        training_section(content.events, "Terms of the loss against training steps.", "Losses against training steps."),
        method_section((_METHOD, _MEASURES), rows, _CITATIONS),
        settings_section(content.settings),
        provenance_section(content.provenance, {case.label: case.checksum for case in cases}),
    ]
    return document(
        content.title, "2-D ultrasound segmentation, areas and circumferences", _tiles(content, cases), sections
    )


def _summary(case: ImageCase) -> _Summary:
    png = image_overlay_png(case.image, case.prediction, case.rows, case.reference, _PICTURE_MM)
    outlines = (
        "segmentation, fitted ellipse and reference" if case.reference is not None else "segmentation and ellipse"
    )
    found = [f"{row.organ} {number(row.circumference_mm, 1)} mm" for row in case.rows if row.pixel_count]
    caption = f"{case.label}: {', '.join(found) or 'no organ found'}"
    picture = Picture(png, caption, f"{case.label} with the outlines of {outlines}.", _PICTURE_MM)
    return _Summary(case.label, case.rows, case.true_rows, case.dice, case.checksum, picture)


def _tiles(content: ImageReport, cases: Sequence[_Summary]) -> dict[str, str]:
    tiles = {"Segmented images": str(len(cases)), **content.highlights}
    overlaps = [value for case in cases for value in case.dice.values()]
    if overlaps:
        tiles["Mean Dice"] = f"{np.mean(overlaps):.3f}"
    errors = [abs(error) for error in _circumference_errors(cases)]
    if errors:
        tiles["Circumference error, mean"] = f"{number(float(np.mean(errors)))} mm"
    flagged = sum(any(row.flags for row in case.rows) for case in cases)
    return {**tiles, "Images with a quality flag": f"{flagged} of {len(cases)}"}


def _circumference_errors(cases: Sequence[_Summary], organ: str | None = None) -> list[float]:
    """Signed errors in mm where both segmentation and reference hold the organ."""
    return [
        row.circumference_mm - true.circumference_mm
        for case in cases
        for row, true in zip(case.rows, case.true_rows, strict=False)
        if row.pixel_count and true.pixel_count and organ in (None, row.organ)
    ]


def _measurements_section(cases: Sequence[_Summary]) -> Section:
    rows = [row for case in cases for row in case.rows]
    if not rows:
        return Section("Areas and circumferences", [])
    bound = "≥ marks an organ that is cut by the edge of the image: it is at least as large as given."
    told = "The intervals are 90 % prediction intervals: of 10 such intervals about 9 hold the true value."
    explanation = f"{told if any(row.area_interval_mm2 for row in rows) else _NO_INTERVALS} {bound}"
    return Section("Areas and circumferences", [Paragraph(explanation), _table(cases)])


def _table(cases: Sequence[_Summary]) -> Table:
    """The measurements of every case; the intervals are left out where there are none."""
    headings = ["Case", "Organ", "Area, mm²", "90 % interval, mm²", "Circumference, mm", "90 % interval, mm",
                "Ellipse axes, mm", "Flags"]  # fmt: skip
    rows = [_cells(case, row) for case in cases for row in case.rows]
    kept = [n for n in range(len(headings)) if n not in (3, 5) or any(row[n] != _UNKNOWN for row in rows)]
    texts = [position for position, n in enumerate(kept) if n in (0, 1, len(headings) - 1)]
    return Table([headings[n] for n in kept], [[row[n] for n in kept] for row in rows], texts)


def _cells(case: _Summary, row: PlanarMeasurement) -> list[str]:
    bound = "≥ " if row.is_lower_bound else ""
    areas, lengths = row.area_interval_mm2, row.circumference_interval_mm
    return [
        case.label,
        row.organ,
        bound + number(row.area_mm2, 0),
        _UNKNOWN if areas is None else f"{number(areas[0], 0)} to {number(areas[1], 0)}",
        bound + number(row.circumference_mm, 1),
        _UNKNOWN if lengths is None else f"{number(lengths[0], 1)} to {number(lengths[1], 1)}",
        _UNKNOWN if row.ellipse is None else " × ".join(number(length, 1) for length in row.ellipse.axes_mm),
        ", ".join(flag_name(flag) for flag in row.flags),
    ]


def _agreement_section(organs: Sequence[str], cases: Sequence[_Summary]) -> Section:
    """Overlap and errors of each organ against the references."""
    rows = []
    for organ in organs:
        overlaps = [case.dice[organ] for case in cases if organ in case.dice]
        if not overlaps:
            continue
        errors = _circumference_errors(cases, organ)
        bias = float(np.mean(errors)) if errors else None
        spread = float(np.std(errors, ddof=1)) if len(errors) > 1 else None
        absolute = float(np.mean(np.abs(errors))) if errors else None
        cells = [number(float(np.mean(overlaps)), 3), number(absolute), number(bias, signed=True), number(spread)]
        rows.append([organ, *cells, str(len(overlaps))])
    if not rows:
        return Section("Agreement with references", [])
    headings = ["Organ", "Mean Dice", "Mean absolute error, mm", "Bias, mm", "SD of the error, mm", "Images"]
    note = "Dice: overlap, 1 is perfect. Errors are those of the ellipse's circumference, segmentation minus reference."
    return Section(
        "Agreement with references", [Table(headings, rows), Paragraph(note, quiet=True), _comparison_table(cases)]
    )


def _comparison_table(cases: Sequence[_Summary]) -> Table:
    rows = []
    for case in cases:
        for row, true in zip(case.rows, case.true_rows, strict=False):
            both = row.pixel_count > 0 and true.pixel_count > 0
            error = row.circumference_mm - true.circumference_mm if both else None
            lengths = [number(one.circumference_mm, 1) for one in (row, true)]
            overlap = number(case.dice.get(row.organ), 3)
            rows.append([case.label, row.organ, *lengths, number(error, 1, signed=True), overlap])
    return Table(["Case", "Organ", "Circumference, mm", "Reference, mm", "Error, mm", "Dice"], rows, (0, 1))


def _pictures_section(organs: Sequence[str], cases: Sequence[_Summary]) -> Section:
    entries = [
        LegendEntry(f"{organ}, segmented", organ_colour(label), "line") for label, organ in enumerate(organs, start=1)
    ]
    entries.append(LegendEntry("fitted ellipse", ELLIPSE_COLOUR, "line"))
    if any(case.true_rows for case in cases):
        entries.append(LegendEntry("reference", REFERENCE_COLOUR, "dashed line"))
    pictures = [case.picture for case in cases]
    grid = [PictureRow(pictures[start : start + _IN_A_ROW]) for start in range(0, len(pictures), _IN_A_ROW)]
    return Section("Segmentations", [Legend(entries), *grid] if grid else [])
