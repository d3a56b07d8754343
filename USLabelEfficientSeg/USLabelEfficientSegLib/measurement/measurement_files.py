"""Measurements as files: `measurements.json` for programs, `volumes.csv` for people; units are in the names.

    {"format": 1, "program": "uslabelseg 1.2.3", "measurements": [{"case": ..., "organ": ..., ...}, ...]}

Each entry holds the fields of `OrganMeasurement` under their own names, flags by their values, absent values as null.
Segmenting writes such a file `NAME_measurements.json` beside each segmentation NAME, with its checksum: the intervals
in it hold for that segmentation, not for an edited one.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from .. import __version__
from ..errors import InputError
from ..imaging.files import image_name
from ..study.files import atomic_write_json, atomic_write_text, sha256_of
from .measurements import OrganMeasurement

FORMAT = 1
MEASUREMENTS_NAME = "measurements.json"
MEASUREMENTS_SUFFIX = f"_{MEASUREMENTS_NAME}"
CSV_HEADINGS = (
    "case", "organ", "voxel_count", "volume_ml", "probability_weighted_volume_ml", "interval_low_ml",
    "interval_high_ml", "surface_volume_ml", "ellipsoid_formula_volume_ml", "surface_area_mm2", "axis_1_mm",
    "axis_2_mm", "axis_3_mm", "right_left_mm", "anterior_posterior_mm", "superior_inferior_mm", "max_diameter_mm",
    "centroid_r_mm", "centroid_a_mm", "centroid_s_mm", "flags",
)  # fmt: skip
_ROWS = TypeAdapter(list[OrganMeasurement])


def write_measurements(path: Path, rows: Sequence[OrganMeasurement]) -> None:
    """Write measurements as JSON, atomically. Raises `InputError` as `atomic_write_json` does."""
    atomic_write_json(path, _record(rows))


def read_measurements(path: Path) -> list[OrganMeasurement]:
    """The measurements of a file, as they were written.

    Raises:
        InputError: missing, damaged, no measurements, or of a newer version.
    """
    return _read(path)[0]


def write_measurements_of(segmentation: Path, rows: Sequence[OrganMeasurement]) -> None:
    """Write the measurements of a segmentation file beside it."""
    record = _record(rows) | {"segmentation_sha256": sha256_of(segmentation)}
    atomic_write_json(_beside(segmentation), record)


def read_measurements_of(segmentation: Path) -> list[OrganMeasurement] | None:
    """What was measured when the file was segmented; None if nothing was or the file has been edited since.

    Raises:
        InputError: the file beside the segmentation is damaged or of a newer version.
    """
    path = _beside(segmentation)
    if not path.exists():
        return None
    rows, checksum = _read(path)
    return rows if checksum == sha256_of(segmentation) else None


def write_volumes_csv(
    path: Path, rows: Sequence[OrganMeasurement], true_volumes_ml: Mapping[str, Mapping[str, float]] | None = None
) -> None:
    """Write the rows as CSV (UTF-8), units in the headings; what is not known is an empty cell.

    With the true volumes by case and organ there is a last column for them.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*CSV_HEADINGS, "true_volume_ml"] if true_volumes_ml else CSV_HEADINGS)
    for row in rows:
        numbers = [
            row.volume_ml, row.probability_volume_ml, *(row.interval_ml or (None, None)), row.surface_volume_ml,
            row.ellipsoid_volume_ml, row.surface_area_mm2, *row.axes_mm, *row.extents_ras_mm, row.max_diameter_mm,
            *(row.centroid_ras_mm or (None, None, None)),
        ]  # fmt: skip
        true = [_cell(true_volumes_ml[row.case][row.organ])] if true_volumes_ml else []
        writer.writerow([row.case, row.organ, row.voxel_count, *map(_cell, numbers), " ".join(row.flags), *true])
    atomic_write_text(path, text.getvalue())


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _beside(segmentation: Path) -> Path:
    return segmentation.with_name(f"{image_name(segmentation)}{MEASUREMENTS_SUFFIX}")


def _record(rows: Sequence[OrganMeasurement]) -> dict[str, Any]:
    return {"format": FORMAT, "program": f"uslabelseg {__version__}", "measurements": [asdict(row) for row in rows]}


def _read(path: Path) -> tuple[list[OrganMeasurement], str | None]:
    """The rows, and the checksum of the segmentation that they are of, where it was stored."""
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] > FORMAT:
            raise InputError(path, "was made by a newer version of this program", "update the program")
        return _ROWS.validate_python(record["measurements"]), record.get("segmentation_sha256")
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "check the path and its permissions") from None
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise InputError(path, "holds no measurements of this program", "measure the segmentations again") from error
