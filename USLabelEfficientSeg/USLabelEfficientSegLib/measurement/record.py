"""The JSON files of measurements, of volumes and of 2-D images alike.

    {"format": 2, "program": "uslabelseg 1.2.3", "measurements": [{"case": ..., "organ": ..., ...}, ...], "origin": ...,
     "sha256": ...}

The checksum covers all the rest: an edited or damaged file is not read. Segmenting writes such a file
`NAME_measurements.json` beside each segmentation NAME. Its origin holds checksums: of the voxels of each organ, of the
image, of the model, and of what a user had drawn in the image if that had a part in it. An organ's measurement,
interval and probabilities count only for these voxels in their place; for an edited organ the outline counts.

Each entry of `measurements` holds the fields of `OrganMeasurement` or `PlanarMeasurement` under their own names, units
in the names, flags by their values, absent values as null.
"""

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from .. import __version__
from ..disk.files import atomic_write_json, sha256_of
from ..disk.json_files import read_json
from ..disk.study_layout import RECORD_SUFFIX
from ..disk.suffixes import PICTURE_SUFFIXES, suffix_of
from ..errors import InputError, Notice
from ..imaging.checksums import VoxelChecksum, organ_checksums
from ..imaging.files import image_name
from ..imaging.scan import LabelMap
from .organ import OrganMeasurement
from .planar import PlanarMeasurement
from .quantities import in_words_of_today

FORMAT = 2
AnyMeasurement = OrganMeasurement | PlanarMeasurement
_NAMELESS = (".nii", ".nii.gz", ".gipl", ".gipl.gz", *PICTURE_SUFFIXES)
_ROWS: TypeAdapter[list[OrganMeasurement] | list[PlanarMeasurement]] = TypeAdapter(
    list[OrganMeasurement] | list[PlanarMeasurement]
)
_PROBLEM, _REMEDY = "holds no measurements of this program", "measure the segmentation again"


@dataclass(frozen=True)
class Maker:
    """The image and the model of a segmentation, as far as they are known, and what was drawn in the image before."""

    image: VoxelChecksum | None = None
    model_sha256: str | None = None
    drawing_sha256: str | None = None  # None: nothing was drawn


UNKNOWN = Maker()


@dataclass(frozen=True)
class Origin:
    """A segmentation as it was when it was measured.

    Attributes:
        organs: its voxels, by label from 1.
        maker: of it.
    """

    organs: list[VoxelChecksum]
    maker: Maker = UNKNOWN


@dataclass(frozen=True)
class Record:
    """The content of a file; `origin` is None in one that is not about one segmentation, or of an earlier version."""

    rows: list[AnyMeasurement]
    origin: Origin | None
    segmentation_sha256: str | None = None  # all that format 1 tells of the segmentation

    def unchanged(self, segmentation: Path, label_map: LabelMap) -> set[int]:
        """Labels of the organs whose voxels are as they were measured."""
        if self.origin is None:
            same = self.segmentation_sha256 == sha256_of(segmentation)
            return {row.label for row in self.rows} if same else set()
        now = organ_checksums(label_map, len(self.origin.organs))
        pairs = zip(self.origin.organs, now, strict=True)
        return {label for label, (then, current) in enumerate(pairs, start=1) if then.same(current)}


def fields_of(rows: Sequence[AnyMeasurement]) -> list[dict[str, Any]]:
    """Measurements as JSON values."""
    return [asdict(row) for row in rows]


def read_fields(fields: Sequence[Mapping[str, Any]]) -> list[AnyMeasurement]:
    """The measurements in such values. Raises `ValueError` where they are none."""
    return [*_ROWS.validate_json(json.dumps(fields), strict=True)]


def write_measurements(path: Path, rows: Sequence[AnyMeasurement]) -> None:
    """Write measurements as JSON, atomically. Raises `InputError` as `atomic_write_json` does."""
    atomic_write_json(path, _content(rows, {}))


def write_record_of(segmentation: Path, rows: Sequence[AnyMeasurement], label_map: LabelMap, maker: Maker) -> None:
    """Write the measurements of a segmentation file, which holds `label_map`, beside it."""
    origin = Origin(organ_checksums(label_map, len(rows)), maker)
    atomic_write_json(record_of(segmentation), _content(rows, {"origin": asdict(origin)}))


def recorded_names(segmentation: Path) -> dict[int, str]:
    """The organs named by the file beside a segmentation, by label, if its own format holds no names; else none.

    They hold for an edited segmentation as well: programs that paint NIfTI files and pictures keep the numbers.
    """
    if suffix_of(segmentation) not in _NAMELESS:
        return {}
    try:
        rows = read_json(record_of(segmentation))["measurements"]
        return {int(row["label"]): str(row["organ"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def read_measurements(path: Path) -> list[AnyMeasurement]:
    """The measurements of a file, as they were written. Raises `InputError` as `read_record` does."""
    return read_record(path).rows


def read_record(path: Path) -> Record:
    """The measurements of a file, as they were written.

    Raises:
        InputError: missing, damaged, no measurements, or of a newer version.
    """
    try:
        record: Any = read_json(path)
        if record["format"] > FORMAT:
            raise InputError(path, "was made by a newer version of this program", "update the program")
        if not _is_whole(record):
            raise InputError(path, "was edited or damaged since it was written", _REMEDY)
        measurements = json.dumps([in_words_of_today(row) for row in record["measurements"]])
        rows: list[AnyMeasurement] = [*_ROWS.validate_json(measurements, strict=True)]
        origin = record.get("origin")
        return Record(
            rows,
            None if origin is None else _ORIGIN.validate_json(json.dumps(origin), strict=True),
            record.get("segmentation_sha256"),
        )
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "check the path and its permissions") from None
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ValidationError) as error:
        raise InputError(path, _PROBLEM, _REMEDY) from error


def read_record_of(segmentation: Path) -> Record | None:
    """The file beside a segmentation; None if there is none, or if it is useless, and then a `Notice` tells it."""
    path = record_of(segmentation)
    if not path.exists() and not path.is_symlink():
        return None
    try:
        if not path.is_file():
            raise InputError(path, "is no file", _REMEDY)
        record = read_record(path)
        if [row.label for row in record.rows] != list(range(1, len(record.rows) + 1)):
            raise InputError(path, _PROBLEM, _REMEDY)
        if record.origin is not None and len(record.origin.organs) != len(record.rows):
            raise InputError(path, _PROBLEM, _REMEDY)
    except InputError as error:
        text = f"{error.problem}, so nothing is taken over from it, and there are no intervals"
        warnings.warn(Notice(path, text), stacklevel=2)
        return None
    return record


def record_of(segmentation: Path) -> Path:
    """The place of the measurements of a segmentation file, if they were kept."""
    return segmentation.with_name(f"{image_name(segmentation)}{RECORD_SUFFIX}")


_ORIGIN = TypeAdapter(Origin)


def _content(rows: Sequence[AnyMeasurement], more: Mapping[str, Any]) -> dict[str, Any]:
    measurements = [asdict(row) | {quantity.column: quantity.value for quantity in row.headline} for row in rows]
    content = {"format": FORMAT, "program": f"uslabelseg {__version__}", "measurements": measurements, **more}
    return content | {"sha256": _checksum(json.loads(json.dumps(content)))}  # as it is read


def _checksum(content: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in content.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _is_whole(record: Mapping[str, Any]) -> bool:
    """Whether nothing was changed; files of earlier versions do not tell."""
    return record.get("format") == 1 or record.get("sha256") == _checksum(record)
