"""Every case in one place: its numbers, its cautions, its pictures."""

from collections.abc import Sequence

from ...imaging.organ_colours import organ_colour
from ...measurement.flags import Flag, sentence_of
from ...measurement.quantities import Measurement
from ..blocks import UNCERTAINTY, Block, CaseCard, Legend, LegendEntry, Paragraph, Picture, Section, Table
from ..content import CaseSummary, ReportCase
from ..kinds import VIEWED_ORGANS, Kind
from ..pictures.image_outlines import ELLIPSE_COLOUR, image_rows
from ..pictures.organ_surfaces import SIDES, organs_png
from ..pictures.slice_picture import REFERENCE_COLOUR
from ..pictures.volume_views import volume_rows
from ..tables import measurements_table

_PICTURE_MM = 120.0
_RESTRICTION = (
    f"Views go through {VIEWED_ORGANS} organs of a case at most, those that ask for caution first; others are outlined "
    "where they meet these views."
)


def cases_section(
    kind: Kind, organs: Sequence[str], cases: Sequence[CaseSummary], cards: Sequence[CaseCard]
) -> Section:
    """The cards of the cases under the legend of their pictures; empty without any."""
    if not cards:
        return Section("Cases", [])
    blocks: list[Block] = [_legend(kind, organs, cases)]
    if kind.fitted is None and len(organs) > VIEWED_ORGANS:
        blocks.append(Paragraph(_RESTRICTION, quiet=True))
    return Section("Cases", [*blocks, *cards])


def case_card(case: ReportCase, organs: Sequence[str], anchor: str) -> CaseCard:
    """Draw a case and put its numbers beside the pictures."""
    summary = case.summary()
    rows, picture = (image_rows(case), None) if case.scan.is_planar else (volume_rows(case, organs), _shaded(case))
    found = [(summary, row) for row in case.rows]
    caption = f"Measurements of {case.label}"
    table = measurements_table(found, caption, of_one_case=True) if found else Table((), (), caption=caption)
    return CaseCard(case.label, anchor, table, cautions_of(case.rows), rows, picture)


def cautions_of(rows: Sequence[Measurement]) -> list[str]:
    """What asks for caution in a case, a sentence each; the same one of several organs is said once."""
    organs: dict[Flag, list[str]] = {}
    for row in rows:
        for flag in row.flags:
            organs.setdefault(flag, []).append(row.organ)
    return [f"{', '.join(organs[flag])}: {sentence_of(flag, rows)}" for flag in Flag if flag in organs]


def _legend(kind: Kind, organs: Sequence[str], cases: Sequence[CaseSummary]) -> Legend:
    """What the lines over the pictures stand for."""
    entries = [LegendEntry(organ, organ_colour(label), "line") for label, organ in enumerate(organs, start=1)]
    if kind.fitted is not None:
        entries.append(LegendEntry(kind.fitted, ELLIPSE_COLOUR, "line"))
    if any(case.has_reference for case in cases):
        entries.append(LegendEntry("reference", REFERENCE_COLOUR, "dashed line"))
    if any(case.has_uncertainty for case in cases):
        entries.append(LegendEntry("uncertainty, from none to the largest", "#FCA50A", UNCERTAINTY))
    return Legend(entries)


def _shaded(case: ReportCase) -> Picture | None:
    shaded = organs_png(case.label_map)
    if shaded is None:
        return None
    sides = f"{SIDES[0]}, {SIDES[1]} and {SIDES[2]}"
    description = f"{case.label}: the segmented organs as shaded surfaces, from {sides}."
    return Picture(shaded, f"The organs in 3-D, from {sides}", description, _PICTURE_MM)
