"""NRRD, the format of 3D Slicer: https://teem.sourceforge.net/nrrd/format.html (sections in brackets)."""

import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..geometry import Geometry
from .header import (
    Header,
    Role,
    VoxelData,
    check_units,
    checked_sizes,
    damaged,
    grid,
    real,
    refuse_tracked,
    understood,
    whole,
)
from .text_header import data_file, header_lines
from .voxel_data import open_file

_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_FIELDS = {
    "dimension", "type", "block size", "encoding", "endian", "content", "min", "max", "old min", "old max", "data file",
    "line skip", "byte skip", "number", "sample units", "sizes", "spacings", "thicknesses", "axis mins", "axis maxs",
    "centerings", "labels", "units", "kinds", "space", "space dimension", "space units", "space origin",
    "space directions", "measurement frame",
}  # fmt: skip
_ALIASES = {
    "blocksize": "block size", "oldmin": "old min", "oldmax": "old max", "datafile": "data file",
    "lineskip": "line skip", "byteskip": "byte skip", "sampleunits": "sample units", "axismins": "axis mins",
    "axismaxs": "axis maxs", "centers": "centerings",
}  # fmt: skip
_TO_LPS = {
    "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1), "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1), "scanner-xyz": (1, 1, 1), "3d-right-handed": (1, 1, 1),
    "3d-left-handed": (1, 1, 1),
}  # fmt: skip
_COLOURS = {"rgb-color": 3, "3-color": 3, "rgba-color": 4, "4-color": 4}
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_VECTOR = re.compile(r"\(([^()]*)\)|none", re.IGNORECASE)

_Vector = list[float] | None


def read_header(path: Path, *, values: bool = False) -> Header:
    """The header of a .nrrd or .nhdr file, alone or with its voxels in another file.

    With `values` several values a voxel are welcome, as probabilities of classes; they take the place of colours.

    Raises:
        InputError: damaged, not understood, without spacing in mm, vectors instead of grey values, or a tracked sweep.
        OSError: the file cannot be opened.
    """
    with understood(path):
        fields, texts, data_start = _read_fields(path)
        refuse_tracked(path, texts)
        sizes = checked_sizes(path, [whole(size) for size in fields["sizes"].split()])
        if len(sizes) != whole(fields["dimension"]):
            raise damaged(path, f"{len(sizes)} sizes for the dimension {fields['dimension']}")
        vectors = _directions(fields, len(sizes))
        roles = _roles(path, fields, texts, sizes, vectors, values)
        dtype = _dtype(fields)
        axes = tuple((role, size) for role, size in zip(roles, sizes, strict=True) if role is not None)
        geometry = _geometry(path, fields, sizes, roles, vectors)
        data = _voxel_data(path, fields, data_start)
        return Header(path, axes, dtype, geometry, data, texts=texts)


def _read_fields(path: Path) -> tuple[dict[str, str], dict[str, str], int]:
    """The fields, the key/value pairs, and the first byte after the header."""
    fields: dict[str, str] = {}
    texts: dict[str, str] = {}
    with open_file(path) as file:
        lines = header_lines(file, path)
        if not re.fullmatch("NRRD000[1-6]", next(lines, "")):
            raise damaged(path, "no NRRD000n in its first line")
        ended = False
        for line in lines:
            ended = not line
            if ended:
                break
            if line.startswith("#"):
                continue
            found = re.match(r"([^:]+):(=?)(.*)", line, re.DOTALL)
            if found is None:
                raise damaged(path, f"its line {line}")
            name, is_text, value = found.groups()
            if is_text:
                texts[name] = re.sub(r"\\([n\\])", lambda escape: "\n" if escape[1] == "n" else "\\", value)
                continue
            field = _ALIASES.get(name.lower(), name.lower())
            if field not in _FIELDS or field in fields:
                raise damaged(path, f"its field {name}")
            fields[field] = value.strip()
            if field == "data file" and value.split()[:1] == ["LIST"]:
                break  # names of files follow
        if not ended and "data file" not in fields:
            raise damaged(path, "its header has no end")
        return fields, texts, file.tell()


def _dtype(fields: dict[str, str]) -> np.dtype[np.generic]:
    name = " ".join(fields["type"].lower().split())
    code = next((code for code, names in _TYPES.items() if name in names), None)
    if code is None:
        raise ValueError(f"voxels of the type {name}")
    if np.dtype(code).itemsize == 1:
        return np.dtype(code)
    return np.dtype({"little": "<", "big": ">"}[fields["endian"].lower()] + code)


def _directions(fields: dict[str, str], dimension: int) -> list[_Vector] | None:
    """The vector of each axis in space, as the file has it; None for an axis without one, or for all."""
    if "space directions" not in fields:
        return None
    text = fields["space directions"]
    found = list(_VECTOR.finditer(text))
    if _VECTOR.sub("", text).strip() or len(found) != dimension:
        raise ValueError(f"space directions {text}")
    vectors = [None if match[1] is None else [real(part) for part in match[1].split(",")] for match in found]
    # Some writers say (nan,nan,nan) for none.
    vectors = [None if vector is None or all(map(math.isnan, vector)) else vector for vector in vectors]
    if any(vector is not None and len(vector) != _space_dimension(fields) for vector in vectors):
        raise ValueError(f"space directions {text}")
    return vectors


def _space_dimension(fields: dict[str, str]) -> int:
    if "space" not in fields:
        return whole(fields["space dimension"])
    name = fields["space"].lower()
    if _without_time(name) not in _TO_LPS:
        raise ValueError(f"the space {name}")
    return 3 if name == _without_time(name) else 4


def _without_time(space: str) -> str:
    return space.removesuffix("-time") if len(space) > 4 else space.removesuffix("t")


def _roles(
    path: Path,
    fields: dict[str, str],
    texts: dict[str, str],
    sizes: tuple[int, ...],
    vectors: list[_Vector] | None,
    values: bool,
) -> list[Role | None]:
    """What each axis is, None for one of size 1 that is nothing ("kinds", section 5)."""
    kinds = fields["kinds"].lower().split() if "kinds" in fields else ["???"] * len(sizes)
    if len(kinds) != len(sizes):
        raise damaged(path, f"{len(kinds)} kinds for {len(sizes)} axes")
    roles = [
        _role(
            path,
            kind,
            size,
            has_place=vectors is None or vectors[axis] is not None,
            listed=f"axis {axis} index type" in texts,
            layered="Segment0_ID" in texts,
            values=values,
        )
        for axis, (kind, size) in enumerate(zip(kinds, sizes, strict=True))
    ]
    if roles.count("space") == 4:  # the fourth domain of a film, as ITK writes it
        roles[len(roles) - 1 - roles[::-1].index("space")] = "time"
    pairs = zip(roles, sizes, strict=True)
    lone: list[Role | None] = [None if role == "time" and size == 1 else role for role, size in pairs]
    if lone.count("time") > 1 or lone.count("colour") > 1 or lone.count("space") not in (2, 3):
        raise InputError(path, f"has axes of the kinds {' '.join(kinds)}", "give a volume, or volumes over time")
    if lone.count("space") == 2 and "time" in lone:
        problem = f"is a film of {sizes[lone.index('time')]} 2-D images, not a volume"
        raise InputError(path, problem, "give a volume, or its frames as 2-D images")
    return lone


def _role(
    path: Path, kind: str, size: int, *, has_place: bool, listed: bool, layered: bool, values: bool
) -> Role | None:
    """What an axis of a kind and size is.

    Args:
        path: named in errors.
        kind: of the axis.
        size: of the axis.
        has_place: whether it has a direction in space.
        listed: whether the file tells what its steps are.
        layered: whether the file holds segments.
        values: whether several values a voxel are read, whatever they are.
    """
    unknown = kind in ("???", "none")
    if has_place and (kind in ("domain", "space") or unknown):
        return "space"
    if listed or kind in ("time", "list", "domain", "space"):
        return "time"
    if size == 1 and kind not in _COLOURS:
        return None
    if _COLOURS.get(kind) == size or (values and kind == "vector"):
        return "colour"
    if layered and (unknown or kind == "vector"):  # layers, as Slicer 4 wrote them
        return "time"
    problem = f"has {size} values a voxel of the kind {kind}, not grey or RGB"
    remedy = "give a grey or RGB image (kinds: RGB-color), or volumes over time (kinds: list)"
    raise InputError(path, problem, remedy)


def _geometry(
    path: Path, fields: dict[str, str], sizes: tuple[int, ...], roles: list[Role | None], vectors: list[_Vector] | None
) -> Geometry:
    axes = [axis for axis, role in enumerate(roles) if role == "space"]
    shape = [sizes[axis] for axis in axes]
    if vectors is None:
        units = _quoted(fields.get("units", ""))
        check_units(path, [units[axis] for axis in axes if axis < len(units)])
        spacing = _numbers(fields.get("spacings"), len(sizes))[axes]
        return grid(path, shape, np.eye(len(axes)), _axis_origin(fields, spacing, axes, len(sizes)), spacing)
    space = _space_dimension(fields)
    # In space and time each axis has its vector in all of it.
    extent = min(space, 3)
    columns = np.array([vectors[axis] for axis in axes], np.float64).T
    if np.any(columns[extent:] != 0):
        raise damaged(path, "an axis runs through space and time")
    check_units(path, _quoted(fields.get("space units", ""))[:extent])
    origin = np.zeros(extent)
    if "space origin" in fields:
        found = _VECTOR.fullmatch(fields["space origin"])
        if found is None or found[1] is None or found[1].count(",") != space - 1:
            raise ValueError(f"space origin {fields['space origin']}")
        origin = np.array([real(part) for part in found[1].split(",")])[:extent]
    signs = _TO_LPS[_without_time(fields["space"].lower())] if "space" in fields else (1, 1, 1)
    to_lps = np.array(signs[:extent])
    geometry = grid(path, shape, to_lps[:, None] * columns[:extent], to_lps * origin)
    _check_spacings(path, geometry, _numbers(fields.get("spacings"), len(sizes))[axes])
    return geometry


def _check_spacings(path: Path, geometry: Geometry, told: NDArray[np.float64]) -> None:
    """Refuse spacings that contradict the directions; the standard allows only one of them an axis."""
    for spacing, other in zip(geometry.spacing, told, strict=False):
        if not math.isnan(other) and abs(other - spacing) > 0.01 * spacing:
            problem = f"has a spacing of {spacing:.6g} mm by its space directions and {other:.6g} mm by its spacings"
            raise InputError(path, problem, "export it again with one of them")


def _axis_origin(
    fields: dict[str, str], spacing: NDArray[np.float64], axes: list[int], dimension: int
) -> NDArray[np.float64]:
    """Position of the first voxel on axes without a place in space; an axis begins at the side of a cell."""
    mins = _numbers(fields.get("axis mins"), dimension)[axes]
    centerings = fields.get("centerings", "").lower().split() + ["cell"] * dimension
    half = [0.0 if centerings[axis] == "node" else 0.5 for axis in axes]
    return np.where(np.isnan(mins), 0.0, mins + half * spacing)


def _numbers(text: str | None, count: int) -> NDArray[np.float64]:
    """One number an axis, NaN where there is none."""
    if text is None:
        return np.full(count, np.nan)
    values = [real(part) for part in text.split()]
    if len(values) != count:
        raise ValueError(f"{len(values)} values for {count} axes")
    return np.array(values)


def _quoted(text: str) -> list[str]:
    return [first or second for first, second in _QUOTED.findall(text)]


def _voxel_data(path: Path, fields: dict[str, str], data_start: int) -> VoxelData:
    encoding = fields["encoding"].lower()
    if encoding not in ("raw", "gz", "gzip"):
        raise InputError(path, f"has voxels in the encoding {encoding[:20]}", "save it raw or compressed with gzip")
    lines, skip = whole(fields.get("line skip", "0")), whole(fields.get("byte skip", "0"))
    if lines < 0 or skip < -1 or (skip == -1 and encoding != "raw"):
        raise damaged(path, f"line skip {lines}, byte skip {skip}")
    file, start = path, data_start
    if "data file" in fields:
        file, start = data_file(path, fields["data file"]), 0
    if lines:
        start = _after_lines(file, start, lines)
    if encoding != "raw":
        return VoxelData(file, "gzip", start, skip)
    return VoxelData(file, "raw", None if skip == -1 else start + skip)


def _after_lines(path: Path, start: int, count: int) -> int:
    with open_file(path) as file:
        file.seek(start)
        for _ in range(count):
            if not file.readline():
                raise damaged(path, "it has fewer lines than are to be skipped")
        return file.tell()
