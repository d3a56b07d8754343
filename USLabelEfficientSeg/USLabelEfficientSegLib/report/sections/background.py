"""What stands behind the numbers: all measurements, what cautions mean, training, method, settings and provenance."""

from collections.abc import Mapping, Sequence

from ...measurement.flags import Flag, sentence_of
from ...measurement.quantities import Measurement
from ...segmentation.model_header import Voters
from ...study.events import Event
from ..blocks import TEXT_MM, Block, Citations, Heading, Pairs, Paragraph, Picture, Section, Table
from ..content import CaseSummary
from ..kinds import Kind
from ..pictures.training_chart import training_curves_png
from ..tables import scale_of, table_of

_SHAPE = {
    "ellipsoid_formula_volume": "Ellipsoid formula",
    "max_diameter": "Largest diameter",
    "perimeter": "Perimeter",
    "ellipse_major_axis": "Major axis",
    "ellipse_minor_axis": "Minor axis",
}  # what is told beside the headline quantities, in the words of the clinic
_FILLED_IN = (
    "Organs were filled in from slices or strokes that were drawn in these very volumes: a network that has learnt "
    "organs from simulated ultrasound continued the drawing. It was not trained on these volumes."
)
_CORRECTED = (
    "In volumes with the caution “corrected” a network that has learnt organs from simulated ultrasound corrected the "
    "outlines of the model by slices or strokes that were drawn in them."
)
_UNKNOWN = "How the {scans} were segmented is not known: the report was made without the study of their model."


def all_measurements_section(cases: Sequence[CaseSummary]) -> Section:
    """The headline quantities as they were counted, too, and the main ones of shape; empty without any."""
    rows = [(case, row) for case in cases for row in case.rows]
    if not rows:
        return Section("All measurements", [])
    columns: dict[str, list[str]] = {}
    for position, first in enumerate(rows[0][1].quantities):
        if not first.headline and first.name not in _SHAPE:
            continue
        quantities = [row.quantities[position] for _, row in rows]
        scale = scale_of(first, [value for one in quantities for value in (one.value, one.outline)])
        columns[scale.heading(_SHAPE.get(first.name, ""))] = [scale.text(one.value) for one in quantities]
        if first.outline is not None:
            columns[scale.heading(f"Outline {scale.name}")] = [scale.text(one.outline) for one in quantities]
    cells = [[case.label, row.organ, *values] for (case, row), *values in zip(rows, *columns.values(), strict=True)]
    table = table_of(("Case", "Organ", *columns), cells, (0, 1), caption="All measurements by case and organ")
    return Section("All measurements", [table], folded=True)


def cautions_section(rows: Sequence[Measurement]) -> Section:
    """How often each caution was raised, and what it means."""
    counts = {flag: sum(flag in row.flags for row in rows) for flag in Flag}
    cells = [
        [flag.value.replace("_", " "), sentence_of(flag, rows), str(count)] for flag, count in counts.items() if count
    ]
    table = Table(["Caution", "Meaning", "Measurements"], cells, (0, 1), "Cautions and what they mean")
    none = [Paragraph("None was raised.")] if rows else []
    return Section("Cautions", [table] if cells else none, folded=True)


def training_section(events: Sequence[Event]) -> Section:
    """The curves of the losses; empty without any."""
    curves = training_curves_png(events)
    caption, description = "Losses against training steps.", "Losses against training steps, one chart a stage."
    return Section("Training", [] if curves is None else [Picture(curves, caption, description, TEXT_MM)], folded=True)


def method_section(
    kind: Kind, settings: Mapping[str, str], rows: Sequence[Measurement], voters: Voters | None = None
) -> Section:
    """How scans were segmented and measured, how intervals were found, and where that is published."""
    intervals = dict.fromkeys(row.interval_method for row in rows if row.interval_method)
    of_model = [kind.method(settings, voters)] if settings or voters is not None else []
    told = of_model + _by_drawings(rows) or [_UNKNOWN.format(scans=kind.scans)]
    published = [Citations(kind.citations)] if of_model else []
    return Section("Method", [*map(Paragraph, [*told, *kind.measures, *intervals]), *published], folded=True)


def _by_drawings(rows: Sequence[Measurement]) -> list[str]:
    """What drawings had to do with the outlines."""
    drawn = [row for row in rows if row.drawn_slices is not None]
    corrected = any(Flag.CORRECTED in row.flags for row in drawn)
    filled_in = any(Flag.CORRECTED not in row.flags for row in drawn)
    return [text for text, applies in ((_FILLED_IN, filled_in), (_CORRECTED, corrected)) if applies]


def settings_section(settings: Mapping[str, str]) -> Section:
    """The settings of the training that was done; empty without any."""
    return Section("Settings", [Pairs(settings)] if settings else [], folded=True)


def provenance_section(provenance: Mapping[str, str], cases: Sequence[CaseSummary]) -> Section:
    """Where results come from, and the checksum of each case's image, as far as they are known."""
    known = {case.label: case.checksum for case in cases if case.checksum}
    blocks: list[Block] = [Pairs(provenance)] if provenance else []
    if known:
        blocks += [Heading("Images, SHA-256"), Pairs(known)]
    return Section("Provenance", blocks, folded=True)
