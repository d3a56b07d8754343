"""From segmented cases to the sections of a report."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..imaging.organ_colours import organ_colour
from .chart_style import marker_character
from .common_sections import (
    INFORMATION_DIVERGENCE,
    TEXT_MM,
    document,
    flag_name,
    flags_section,
    method_section,
    provenance_section,
    settings_section,
    training_section,
)
from .measurements import OrganMeasurement
from .overlays import MAXIMAL_ROWS, OverlayRow, overlay_rows
from .rendering import SIDES, organs_png
from .report_blocks import Block, Document, Heading, Legend, LegendEntry, Paragraph, Picture, Section, Table, number
from .report_content import CaseSummary, ReportCase, ReportContent
from .volume_charts import VolumePoint, volumes_png

_UNKNOWN = number(None)
_CITATIONS = (
    "Zhang, Qin, Zhu, Ban, Anthony. Learning 3-D Ultrasound Segmentation under Extreme Label Deficiency. Ultrasound in "
    "Medicine & Biology, 2026. doi: 10.1016/j.ultrasmedbio.2025.12.014",
    INFORMATION_DIVERGENCE,
)
_TEACHERS = {
    "cross-dimensional": "Cross-dimensional knowledge distillation: a 2-D teacher learns from all slices without "
    "labels, then to outline organs from the few labelled slices. (A related method has two 2-D networks that teach "
    "each other by their information divergence [2].) ",
    "information-divergence": "Information divergence: a 2-D teacher, UNeXt, learns to outline organs from the few "
    "labelled slices, and on all others from the predictions of a partner and by the divergence of the information in "
    "both [2]. The partner is the transformer Swin-Unet, which learns along with it, or UNeXt's own moving average "
    "(setting divergence.partner). ",
}
_STUDENT = (
    "The teacher's predictions for the remaining slices, with their uncertainty, become 3-D pseudo-labels, which are "
    "refined as volumes. A 3-D student learns from the labelled slices and the pseudo-labels and segments whole "
    "volumes [1]. Beyond that paper, and as far as the settings say so, it learns on in rounds from its own "
    "predictions, a second student learns from the labelled slices alone, the students and the position of the organs "
    "in the labelled slices vote (geometric mean of their probabilities), and the result is scaled to agree with the "
    "labelled slices."
)
_NO_INTERVALS = (
    "No prediction intervals are given: the model was not calibrated, or the segmentations are not, or no longer, its "
    "own."
)
_VOLUMES = (
    "The volume of an organ is the sum of its probabilities over all voxels where the segmentation came with them: "
    "that also counts the share of the organ that uncertain voxels at its boundary are likely to hold. Where it "
    "came without them, it is the volume of the outlined voxels (voxel count). The ellipsoid formula is π/6 times "
    "length, width and height along the organ's principal axes; the largest diameter is that of its surface."
)


@dataclass(frozen=True)
class _Pictures:
    overlays: list[OverlayRow]
    organs: bytes | None
    has_reference: bool


def report_document(content: ReportContent) -> Document:
    """Read every case once, draw it, and put the report together; sections without content are left out.

    Raises:
        InputError: a case cannot be read.
    """
    cases: list[CaseSummary] = []
    pictures: list[_Pictures] = []
    for case in content.cases:
        cases.append(_summary(case))
        overlays = overlay_rows(case, content.organs)
        pictures.append(_Pictures(overlays, organs_png(case.prediction), case.reference is not None))
    rows = [row for case in cases for row in case.rows]
    method = content.settings.get("method", "cross-dimensional")
    sections = [
        _volumes_section(content, cases),
        flags_section(rows, lambda flag: flag.sentence),
        *content.comparisons(cases),
        _metrics_section(content),
        _pictures_section(content, cases, pictures),
        training_section(
            content.events,
            "Loss against step of every training stage.",
            "Losses against training steps, one chart a stage.",
        ),
        method_section((_TEACHERS[method] + _STUDENT, _VOLUMES), rows, _CITATIONS),
        settings_section(content.settings),
        provenance_section(content.provenance, {case.label: case.checksum for case in cases}),
    ]
    return document(content.title, "3-D ultrasound segmentation and organ volumes", _tiles(content, cases), sections)


def _summary(case: ReportCase) -> CaseSummary:
    return CaseSummary(case.label, case.volume.name, case.rows, case.true_volumes_ml, case.dice, case.checksum)


def _tiles(content: ReportContent, cases: Sequence[CaseSummary]) -> dict[str, str]:
    tiles = {"Segmented volumes": str(len(cases)), **content.highlights}
    errors = [
        abs(_error_percent(row.volume_ml, case.true_volumes_ml[row.organ]))
        for case in cases
        for row in case.rows
        if case.true_volumes_ml.get(row.organ)
    ]
    if errors:
        tiles["Median absolute volume error"] = f"{np.median(errors):.1f} %"
    if cases:
        flagged = sum(any(row.flags for row in case.rows) for case in cases)
        tiles["Volumes with a quality flag"] = f"{flagged} of {len(cases)}"
    return tiles


def _volumes_section(content: ReportContent, cases: Sequence[CaseSummary]) -> Section:
    rows = [row for case in cases for row in case.rows]
    if not rows:
        return Section("Organ volumes", [])
    explanation = "≥ marks an organ that is cut by the edge of the image: its volume is at least the given one."
    has_intervals = any(row.interval_ml for row in rows)
    if has_intervals:
        explanation = (
            "The interval is a 90 % prediction interval: of 10 such intervals about 9 hold the true volume. "
            + explanation
        )
    else:
        explanation = f"{_NO_INTERVALS} {explanation}"
    points = [[VolumePoint.of(row, case.true_volumes_ml.get(row.organ)) for row in case.rows] for case in cases]
    truth = " Short horizontal lines are the reference volumes." if _has_truth(points) else ""
    bars = " Bars are the intervals." if has_intervals else ""
    caption = f"Volume of every organ by case, in the order of the table.{bars}{truth}"
    chart = Picture(volumes_png(points), caption, "Organ volumes in millilitres by case; the table has them.", TEXT_MM)
    return Section("Organ volumes", [Paragraph(explanation), chart, marker_legend(content.organs), volume_table(cases)])


def _has_truth(points: Sequence[Sequence[VolumePoint]]) -> bool:
    return any(point.true_ml is not None for case in points for point in case)


def volume_table(cases: Sequence[CaseSummary]) -> Table:
    """Every measurement of every case; columns without any entry are left out."""
    headings = ["Case", "Organ", "Volume, ml", "90 % interval, ml", "Reference, ml", "Error, %", "Outline volume, ml",
                "Ellipsoid formula, ml", "Largest diameter, mm", "Flags"]  # fmt: skip
    rows = [_cells(case.label, row, case.true_volumes_ml.get(row.organ)) for case in cases for row in case.rows]
    kept = [n for n in range(len(headings)) if any(row[n] not in (_UNKNOWN, "") for row in rows)]
    texts = [position for position, n in enumerate(kept) if n in (0, 1, len(headings) - 1)]
    return Table([headings[n] for n in kept], [[row[n] for n in kept] for row in rows], texts)


def _cells(label: str, row: OrganMeasurement, true_ml: float | None) -> list[str]:
    return [
        label,
        row.organ,
        ("≥ " if row.is_lower_bound else "") + number(row.volume_ml),
        _UNKNOWN if row.interval_ml is None else interval(*row.interval_ml),
        number(true_ml),
        number(_error_percent(row.volume_ml, true_ml) if true_ml else None, 1, signed=True),
        number(row.outline_volume_ml),
        number(row.ellipsoid_volume_ml),
        number(row.max_diameter_mm, 1),
        ", ".join(flag_name(flag) for flag in row.flags),
    ]


def interval(lower: float, upper: float) -> str:
    """An interval in words: its bounds may be negative, so that a dash would not do."""
    return f"{number(lower)} to {number(upper)}"


def _error_percent(measured_ml: float, true_ml: float) -> float:
    return 100.0 * (measured_ml - true_ml) / true_ml


def marker_legend(organs: Sequence[str]) -> Legend:
    """The markers of organs in charts."""
    entries = [
        LegendEntry(organ, organ_colour(label), marker_character(label)) for label, organ in enumerate(organs, start=1)
    ]
    return Legend(entries)


def _metrics_section(content: ReportContent) -> Section:
    if content.metrics is None:
        return Section("Overlap and surface distances", [])
    explanation = (
        "Dice: overlap, 1 is perfect. HD95: the larger one of the two directed 95th percentiles of the distances "
        "between the surfaces. Average surface distance: mean over both surfaces. SD: standard deviation over the "
        "cases. Missed: cases in which either the prediction or the reference holds the organ and the other one "
        "does not; their distances are undefined and left out."
    )
    return Section("Overlap and surface distances", [content.metrics, Paragraph(explanation, quiet=True)])


def _pictures_section(content: ReportContent, cases: Sequence[CaseSummary], pictures: Sequence[_Pictures]) -> Section:
    if not cases:
        return Section("Segmentations", [])
    restriction = ""
    if len(content.organs) > MAXIMAL_ROWS:
        restriction = (
            f" (of the first {MAXIMAL_ROWS} that are present; others are outlined where they meet these views)"
        )
    explanation = (
        f"Three perpendicular views through the middle of each organ{restriction}, in true proportions and at one "
        "scale within a case. Letters at the edges say where right (R), left (L), anterior (A), posterior (P), "
        "superior (S) and inferior (I) lie according to the image file; views along oblique axes have none. Below "
        f"them the organs in 3-D, seen from {SIDES[0]}, {SIDES[1]} and {SIDES[2]}."
    )
    entries = [
        LegendEntry(f"{organ}, predicted", organ_colour(label), "line")
        for label, organ in enumerate(content.organs, start=1)
    ]
    if any(picture.has_reference for picture in pictures):
        entries.append(LegendEntry("reference", "#FFFFFF", "dashed line"))
    blocks: list[Block] = [Paragraph(explanation), Legend(entries)]
    for case, picture in zip(cases, pictures, strict=True):
        blocks += [Heading(case.label), *_case_pictures(case.label, picture)]
    return Section("Segmentations", blocks)


def _case_pictures(label: str, pictures: _Pictures) -> list[Picture]:
    outlines = "the segmentation and the reference" if pictures.has_reference else "the segmentation"
    found = []
    for row in pictures.overlays:
        caption = f"{label}, through {row.organ}" if row.organ else f"{label}: no organ found, views through its middle"
        through = f" through {row.organ}" if row.organ else ""
        description = f"{label}: three perpendicular views{through} with the outlines of {outlines}."
        found.append(Picture(row.png, caption, description, row.width_mm))
    if pictures.organs is not None:
        caption = f"{label}, from {SIDES[0]}, {SIDES[1]} and {SIDES[2]}"
        found.append(
            Picture(pictures.organs, caption, f"{label}: the segmented organs as shaded surfaces.", 0.8 * TEXT_MM)
        )
    return found
