"""MetaImage (.mha, .mhd): https://itk.org/Wiki/ITK/MetaIO/Documentation."""

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
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
_SYNONYMS = {
    "Position": "Offset", "Origin": "Offset", "Orientation": "TransformMatrix", "Rotation": "TransformMatrix",
    "ElementByteOrderMSB": "BinaryDataByteOrderMSB",
}  # fmt: skip


def read_header(path: Path) -> Header:
    """The header of a .mha or .mhd file, alone or with its voxels in another file.

    Raises:
        InputError: damaged, not understood, without spacing in mm, vectors instead of grey values, or a tracked sweep.
        OSError: the file cannot be opened.
    """
    with understood(path):
        fields, data_start = _read_fields(path)
        refuse_tracked(path, fields)
        if fields.get("ObjectType", "Image") != "Image" or not _flag(fields, "BinaryData", default=True):
            problem = "is no image of binary voxels"
            raise InputError(path, problem, "save it again as a binary image")
        dimension = whole(fields["NDims"])
        sizes = checked_sizes(path, [whole(size) for size in fields["DimSize"].split()])
        if len(sizes) != dimension or dimension not in (2, 3, 4):
            raise damaged(path, f"{len(sizes)} sizes for {dimension} axes")
        roles: tuple[Role, ...] = ("space", "space", "space", "time")
        axes = list(zip(roles, sizes))  # noqa: B905 - as many as there are
        dtype = _dtype(fields)
        channels = whole(fields.get("ElementNumberOfChannels", "1"))
        if channels != 1:
            _check_colour(path, channels, dtype)
            axes.insert(0, ("colour", channels))
        check_units(path, [fields.get("DistanceUnits", "")])
        return Header(
            path,
            tuple(axes),
            dtype,
            _geometry(path, fields, sizes),
            _voxel_data(path, fields, data_start),
            slope=_scale(fields, "ElementToIntensityFunctionSlope", 1.0),
            intercept=_scale(fields, "ElementToIntensityFunctionOffset", 0.0),
            texts=fields,
        )


def _read_fields(path: Path) -> tuple[dict[str, str], int]:
    """The fields up to `ElementDataFile`, the last one, and the first byte after the header."""
    fields: dict[str, str] = {}
    with open_file(path) as file:
        for line in header_lines(file, path):
            if not line.strip():
                continue
            found = re.match(r"([^=:]+)[=:](.*)", line, re.DOTALL)
            if found is None:
                raise damaged(path, f"its line {line}")
            name = _SYNONYMS.get(found[1].strip(), found[1].strip())
            if name in fields and fields[name] != found[2].strip():
                raise damaged(path, f"its field {name} twice")
            fields[name] = found[2].strip()
            if name == "ElementDataFile":
                return fields, file.tell()
    raise damaged(path, "its header has no end (ElementDataFile)")


def _flag(fields: dict[str, str], name: str, *, default: bool) -> bool:
    if name not in fields:
        return default
    return {"t": True, "1": True, "f": False, "0": False}[fields[name][:1].lower()]


def _dtype(fields: dict[str, str]) -> np.dtype[np.generic]:
    kind = fields["ElementType"]
    if kind not in _TYPES:
        raise ValueError(f"voxels of the type {kind}")
    return np.dtype((">" if _flag(fields, "BinaryDataByteOrderMSB", default=False) else "<") + _TYPES[kind])


def _check_colour(path: Path, channels: int, dtype: np.dtype[np.generic]) -> None:
    """Refuse vectors: bytes in threes or fours are colours, which is all that the format says."""
    if channels not in (3, 4) or dtype != np.uint8:
        problem = f"has {channels} values of the type {dtype.name} a voxel, not grey or RGB"
        raise InputError(path, problem, "give a grey or RGB image")


def _geometry(path: Path, fields: dict[str, str], sizes: tuple[int, ...]) -> Geometry:
    dimension = len(sizes)
    axes = min(dimension, 3)
    # The file lists the vector of each axis after the other.
    rows = _numbers(fields, "TransformMatrix", np.eye(dimension).ravel()).reshape(dimension, dimension)
    if dimension == 4 and (rows[3, :3].any() or rows[:3, 3].any()):
        raise damaged(path, "an axis runs through space and time")
    spacing = fields.get("ElementSpacing") or fields.get("ElementSize")
    steps = _numbers({"ElementSpacing": spacing} if spacing else {}, "ElementSpacing", np.zeros(dimension))
    origin = _numbers(fields, "Offset", np.zeros(dimension))
    return grid(path, sizes[:3], rows[:axes, :axes].T, origin[:axes], steps[:axes])


def _numbers(fields: dict[str, str], name: str, default: NDArray[np.float64]) -> NDArray[np.float64]:
    if name not in fields:
        return default
    values = [real(part) for part in fields[name].split()]
    if len(values) != len(default):
        raise ValueError(f"{name} has {len(values)} values for {len(default)}")
    return np.array(values)


def _scale(fields: dict[str, str], name: str, default: float) -> float:
    value = real(fields.get(name, str(default)))
    if not math.isfinite(value) or (default and value == 0):
        raise ValueError(f"{name} is {value}")
    return value


def _voxel_data(path: Path, fields: dict[str, str], data_start: int) -> VoxelData:
    name, start = fields["ElementDataFile"], 0
    if name.upper() == "LOCAL":
        file, start = path, data_start
    else:
        file = data_file(path, name)
    skip = whole(fields.get("HeaderSize", "0"))
    compressed = _flag(fields, "CompressedData", default=False)
    if skip < -1 or (skip > 0 and skip < start) or (skip and compressed):
        raise damaged(path, f"HeaderSize {skip}")
    if compressed:
        told = fields.get("CompressedDataSize")
        return VoxelData(file, "zlib", start, stored=None if told is None else whole(told))
    if skip == -1:
        return VoxelData(file, "raw", None)
    return VoxelData(file, "raw", skip or start)
