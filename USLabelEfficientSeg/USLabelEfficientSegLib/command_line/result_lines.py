"""The lines of `segment --json`: one result a line, in which an unknown number is null."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..measurement.organ import OrganMeasurement
    from ..measurement.planar import PlanarMeasurement


def volumes_line(file: Path, rows: Sequence["OrganMeasurement"]) -> str:
    """The volumes of every organ of a segmented volume, with their intervals and reasons for caution."""
    organs = [
        {
            "organ": row.organ,
            "volume_ml": row.volume_ml,
            "interval_ml": row.interval_ml,
            "outline_volume_ml": row.outline_volume_ml,
            "flags": [flag.value for flag in row.flags],
        }
        for row in rows
    ]
    volumes_ml = {row.organ: row.volume_ml for row in rows}
    intervals_ml = {row.organ: row.interval_ml for row in rows}
    return _line({"file": str(file), "volumes_ml": volumes_ml, "intervals_ml": intervals_ml, "organs": organs})


def areas_line(file: Path, rows: Sequence["PlanarMeasurement"]) -> str:
    """Areas and circumferences of every organ of a segmented 2-D image, with intervals and reasons for caution."""
    organs = [
        {
            "organ": row.organ,
            "area_mm2": row.area_mm2,
            "area_interval_mm2": row.area_interval_mm2,
            "outline_area_mm2": row.outline_area_mm2,
            "circumference_mm": row.circumference_mm,
            "circumference_interval_mm": row.circumference_interval_mm,
            "flags": [flag.value for flag in row.flags],
        }
        for row in rows
    ]
    areas = {row.organ: row.area_mm2 for row in rows}
    circumferences = {row.organ: row.circumference_mm for row in rows}
    return _line({"file": str(file), "areas_mm2": areas, "circumferences_mm": circumferences, "organs": organs})


def _line(record: dict[str, Any]) -> str:
    return json.dumps(_known(record), allow_nan=False)


def _known(value: Any) -> Any:
    """A value in which null stands for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: _known(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_known(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
