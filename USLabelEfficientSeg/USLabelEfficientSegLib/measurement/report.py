"""The report of a study: one self-contained HTML file for people, to read on screen or print on A4.

It opens without a network: pictures are inline PNG, styles inline CSS, and there are no scripts. Cases are
called "Case 001", "Case 002", ... unless their names are asked for, because file names of images often name
patients.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..segmentation.segments import organ_colour
from ..study.files import atomic_write_text
from .overlays import MAXIMAL_ROWS, OverlayRow, overlay_rows
from .report_content import ReportCase, ReportContent, Table
from .report_figures import marker_character, training_curves_png, volume_agreement_png

_UNKNOWN = "–"


@dataclass(frozen=True)
class _ShownCase:
    """What remains of a case once its voxels are drawn."""

    label: str
    overlays: list[OverlayRow]
    has_reference: bool
    checksum: str | None
    volumes: "list[_ShownVolume]"


@dataclass(frozen=True)
class _ShownVolume:
    organ: str
    mask_ml: float
    weighted_ml: float | None
    true_ml: float | None

    @property
    def best_ml(self) -> float:
        """The probability-weighted volume where there is one."""
        return self.mask_ml if self.weighted_ml is None else self.weighted_ml


def write_report(path: Path, content: ReportContent, *, show_names: bool = False) -> dict[str, str]:
    """Write the report atomically.

    Args:
        path: the HTML file.
        content: what it shows; its cases are read once, one at a time.
        show_names: call cases by their names instead of by number.

    Returns:
        The name of every case by its label in the report, which does not hold it unless asked to.

    Raises:
        InputError: the disk is full or the folder cannot be written.
    """
    names: dict[str, str] = {}
    cases: list[_ShownCase] = []
    for number, case in enumerate(content.cases, start=1):
        label = case.volume.name if show_names else f"Case {number:03d}"
        names[label] = case.volume.name
        cases.append(_shown_case(label, case, content.organs))
    atomic_write_text(path, _render(content, cases))
    return names


def _shown_case(label: str, case: ReportCase, organs: Sequence[str]) -> _ShownCase:
    volumes = [
        _ShownVolume(row.organ, row.volume_ml, row.probability_volume_ml, case.true_volumes_ml.get(row.organ))
        for row in case.volumes
    ]
    return _ShownCase(label, overlay_rows(case, organs), case.reference is not None, case.checksum, volumes)


def _render(content: ReportContent, cases: Sequence[_ShownCase]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["png"] = _data_uri
    volumes = [volume for case in cases for volume in case.volumes]
    weighted = bool(volumes) and all(volume.weighted_ml is not None for volume in volumes)
    measured_name = "sum of probabilities" if weighted else "voxel count"
    labels = {organ: label for label, organ in enumerate(content.organs, start=1)}
    points = [(labels[v.organ], v.true_ml, v.best_ml) for v in volumes if v.true_ml is not None]
    return environment.get_template("report.html.j2").render(
        content=content,
        created=date.today().isoformat(),
        cases=cases,
        tiles=_tiles(content, cases, volumes),
        legend=[(organ, organ_colour(label), marker_character(label)) for organ, label in labels.items()],
        maximal_rows=MAXIMAL_ROWS,
        any_reference=any(case.has_reference for case in cases),
        measured_name=measured_name,
        volume_table=_volume_table(cases),
        volume_figure=volume_agreement_png(points, measured_name) if points else None,
        training_figure=training_curves_png(content.events),
    )


def _tiles(content: ReportContent, cases: Sequence[_ShownCase], volumes: Sequence[_ShownVolume]) -> dict[str, str]:
    tiles = {"Segmented volumes": str(len(cases)), **content.highlights}
    errors = [abs(_error_percent(v.best_ml, v.true_ml)) for v in volumes if v.true_ml]
    if errors:
        tiles["Median absolute volume error"] = f"{np.median(errors):.1f} %"
    return tiles


def _volume_table(cases: Sequence[_ShownCase]) -> Table:
    """Measured volumes, and errors where true volumes are known; columns without any entry are left out."""
    headings = [
        "Case",
        "Organ",
        "True, ml",
        "Voxel count, ml",
        "Error, %",
        "Sum of probabilities, ml",
        "Error, %",
    ]
    rows = [
        [
            case.label,
            volume.organ,
            _number(volume.true_ml),
            _number(volume.mask_ml),
            _error(volume.mask_ml, volume.true_ml),
            _number(volume.weighted_ml),
            _error(volume.weighted_ml, volume.true_ml),
        ]
        for case in cases
        for volume in case.volumes
    ]
    kept = [n for n in range(len(headings)) if any(row[n] != _UNKNOWN for row in rows)]
    return Table([headings[n] for n in kept], [[row[n] for n in kept] for row in rows], text_columns=2)


def _number(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.2f}"


def _error(measured_ml: float | None, true_ml: float | None) -> str:
    if measured_ml is None or not true_ml:
        return _UNKNOWN
    return f"{_error_percent(measured_ml, true_ml):+.1f}".replace("-", "\N{MINUS SIGN}")


def _error_percent(measured_ml: float, true_ml: float) -> float:
    return 100.0 * (measured_ml - true_ml) / true_ml


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
