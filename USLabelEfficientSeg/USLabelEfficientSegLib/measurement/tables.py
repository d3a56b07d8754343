"""Measurements as files: `measurements.json` for programs, `volumes.csv` for people; units are in the names.

The JSON files are those of `record`. Each entry holds the fields of `OrganMeasurement` under their own
names, flags by their values, absent values as null.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from ..disk.files import atomic_write_csv
from ..imaging.files import read_label_map
from ..imaging.scan import LabelMap
from ..text.numbers import for_programs
from .organ import OrganMeasurement
from .record import (
    UNKNOWN,
    Maker,
    RecordKind,
    read_record,
    read_record_of,
    write_record,
    write_record_of,
)
from .taken_over import taken_over

CSV_HEADINGS = (
    "case", "organ", "voxel_count", "volume_ml", "outline_volume_ml", "interval_low_ml",
    "interval_high_ml", "surface_volume_ml", "ellipsoid_formula_volume_ml", "surface_area_mm2", "axis_1_mm",
    "axis_2_mm", "axis_3_mm", "right_left_mm", "anterior_posterior_mm", "superior_inferior_mm", "max_diameter_mm",
    "centroid_r_mm", "centroid_a_mm", "centroid_s_mm", "flags",
)  # fmt: skip
KIND = RecordKind(
    TypeAdapter(list[OrganMeasurement]), "holds no measurements of this program", "measure the segmentations again"
)


def write_measurements(path: Path, rows: Sequence[OrganMeasurement]) -> None:
    """Write measurements as JSON, atomically. Raises `InputError` as `write_record` does."""
    write_record(path, [asdict(row) for row in rows])


def read_measurements(path: Path) -> list[OrganMeasurement]:
    """The measurements of a file, as they were written. Raises `InputError` as `read_record` does."""
    return read_record(path, KIND).rows


def write_measurements_of(
    segmentation: Path,
    rows: Sequence[OrganMeasurement],
    label_map: LabelMap | None = None,
    maker: Maker = UNKNOWN,
) -> None:
    """Write the measurements of a segmentation file, which holds `label_map`, beside it."""
    known = read_label_map(segmentation) if label_map is None else label_map
    write_record_of(segmentation, [asdict(row) for row in rows], known, maker)


def read_measurements_of(segmentation: Path) -> list[OrganMeasurement] | None:
    """What was measured when the file was segmented; None if nothing was, or any organ was edited since."""
    record = read_record_of(segmentation, KIND)
    if record is None:
        return None
    label_map = read_label_map(segmentation)
    found = taken_over(segmentation, label_map, record, None)
    return found.all if found.complete else None


def write_volumes_csv(
    path: Path, rows: Sequence[OrganMeasurement], true_volumes_ml: Mapping[str, Mapping[str, float]] | None = None
) -> None:
    """Write the rows as CSV (UTF-8), units in the headings; what is not known is an empty cell.

    With the true volumes by case and organ there is a last column for them.
    """
    headings = [*CSV_HEADINGS, "true_volume_ml"] if true_volumes_ml else CSV_HEADINGS
    lines: list[list[object]] = []
    for row in rows:
        numbers = [
            row.volume_ml, row.outline_volume_ml, *(row.interval_ml or (None, None)), row.surface_volume_ml,
            row.ellipsoid_volume_ml, row.surface_area_mm2, *row.axes_mm, *row.extents_ras_mm, row.max_diameter_mm,
            *(row.centroid_ras_mm or (None, None, None)),
        ]  # fmt: skip
        true = [for_programs(true_volumes_ml[row.case][row.organ])] if true_volumes_ml else []
        lines.append([row.case, row.organ, row.voxel_count, *map(for_programs, numbers), " ".join(row.flags), *true])
    atomic_write_csv(path, [headings, *lines])
