"""The JSON files of measurements, of volumes and of 2-D images alike.

    {"format": 2, "program": "uslabelseg 1.2.3", "measurements": [{"case": ..., "organ": ..., ...}, ...]}

Segmenting writes such a file `NAME_measurements.json` beside each segmentation NAME, with its checksum: the intervals
in it hold for that segmentation, not for an edited one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from .. import __version__
from ..errors import InputError
from ..imaging.files import image_name
from ..segmentation.segments import RECORD_SUFFIX
from ..study.files import atomic_write_json, sha256_of
from .measurements import in_words_of_today

FORMAT = 2
Row = TypeVar("Row")


@dataclass(frozen=True)
class RecordKind(Generic[Row]):
    """What the rows of a file are, and problem and remedy of a file that holds no such rows."""

    rows: TypeAdapter[list[Row]]
    problem: str
    remedy: str


def write_record(path: Path, measurements: Sequence[Mapping[str, Any]]) -> None:
    """Write measurements as JSON, atomically. Raises `InputError` as `atomic_write_json` does."""
    atomic_write_json(path, _record(measurements))


def write_record_of(segmentation: Path, measurements: Sequence[Mapping[str, Any]]) -> None:
    """Write the measurements of a segmentation file beside it."""
    atomic_write_json(record_of(segmentation), _record(measurements) | {"segmentation_sha256": sha256_of(segmentation)})


def read_record(path: Path, kind: RecordKind[Row]) -> list[Row]:
    """The measurements of a file, as they were written.

    Raises:
        InputError: missing, damaged, of another kind, or of a newer version.
    """
    return _read(path, kind)[0]


def read_record_of(segmentation: Path, kind: RecordKind[Row]) -> list[Row] | None:
    """What was measured when the file was segmented; None if nothing was or the file has been edited since.

    Raises:
        InputError: the file beside the segmentation is damaged, of another kind, or of a newer version.
    """
    path = record_of(segmentation)
    if not path.exists():
        return None
    rows, checksum = _read(path, kind)
    return rows if checksum == sha256_of(segmentation) else None


def record_of(segmentation: Path) -> Path:
    """Where the measurements of a segmentation file lie, if they were kept."""
    return segmentation.with_name(f"{image_name(segmentation)}{RECORD_SUFFIX}")


def _record(measurements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"format": FORMAT, "program": f"uslabelseg {__version__}", "measurements": list(measurements)}


def _read(path: Path, kind: RecordKind[Row]) -> tuple[list[Row], str | None]:
    """The rows, and the checksum of the segmentation that they are of, where it was stored."""
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] > FORMAT:
            raise InputError(path, "was made by a newer version of this program", "update the program")
        rows = [in_words_of_today(row) for row in record["measurements"]]
        return kind.rows.validate_python(rows), record.get("segmentation_sha256")
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "check the path and its permissions") from None
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise InputError(path, kind.problem, kind.remedy) from error
