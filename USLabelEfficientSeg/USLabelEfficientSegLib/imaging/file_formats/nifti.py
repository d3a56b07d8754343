"""NIfTI-1 and NIfTI-2 in one file: https://nifti.nimh.nih.gov/nifti-1 and https://nifti.nimh.nih.gov/nifti-2."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..geometry import Geometry
from .header import RAS_TO_LPS, Header, Role, VoxelData, check_units, checked_sizes, damaged, grid, understood
from .voxel_data import first_bytes

SPACING_WITHIN = 0.01  # of each other, as a part
PLACE_WITHIN_VOXELS = 0.5  # anywhere in the volume

_ROUNDED = 1e-5  # float32, as the forms hold it
_BYTES = 544  # of the longer header and the mark of extensions
_LARGEST_OFFSET = 1 << 28
_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_COLOURS = {128: 3, 2304: 4}  # RGB24, RGBA32
_UNITS = {0: "mm", 1: "metres", 2: "mm", 3: "micrometres"}  # 0: not told, by convention mm


@dataclass(frozen=True)
class _Fields:
    """The fields that both versions have, by their names in the standard."""

    magic: bytes
    dim: tuple[int, ...]
    datatype: int
    bitpix: int
    pixdim: tuple[float, ...]
    vox_offset: float
    scl_slope: float
    scl_inter: float
    xyzt_units: int
    qform_code: int
    sform_code: int
    quatern: tuple[float, float, float]
    qoffset: tuple[float, float, float]
    srow: NDArray[np.float64]


def read_header(path: Path) -> Header:
    """The header of a .nii or .nii.gz file.

    The place of the voxels is that of the sform where its code is above zero, else of the qform, else of the voxel
    sizes alone.

    Raises:
        InputError: damaged, without spacing in mm, vectors instead of grey values, a sheared sform, or an sform and
            a qform that contradict each other.
        OSError: the file cannot be opened.
    """
    head, compressed = first_bytes(path, _BYTES)
    with understood(path):
        fields = _fields(path, head)
        sizes = _sizes(path, fields)
        roles: tuple[Role, ...] = ("space", "space", "space", "time")
        axes = list(zip(roles, sizes, strict=True))[: 2 if fields.dim[0] == 2 else 4]
        shape = [size for role, size in axes if role == "space"]
        if fields.datatype in _COLOURS:
            dtype = np.dtype("u1")
            axes.insert(0, ("colour", _COLOURS[fields.datatype]))
        elif fields.datatype in _TYPES:
            dtype = np.dtype(_order(head) + _TYPES[fields.datatype])
        else:
            problem = f"has voxels of the NIfTI datatype {fields.datatype}, not grey or RGB"
            raise InputError(path, problem, "give a grey or RGB image")
        if fields.bitpix != 8 * dtype.itemsize * _COLOURS.get(fields.datatype, 1):
            raise damaged(path, f"{fields.bitpix} bits a voxel for the datatype {fields.datatype}")
        check_units(path, [_UNITS.get(fields.xyzt_units & 7, "an unknown unit")])
        start = _offset(path, fields, 352 if _is_first(head) else 544)
        data = VoxelData(path, "gzip", 0, start) if compressed else VoxelData(path, "raw", start)
        slope, intercept = (1.0, 0.0) if fields.datatype in _COLOURS else _scaling(fields)
        return Header(path, tuple(axes), dtype, _geometry(path, fields, shape), data, slope, intercept)


def _order(head: bytes) -> str:
    """The byte order of the file, told by the size of its header."""
    return next(order for order in "<>" if struct.unpack_from(order + "i", head)[0] in (348, 540))


def _is_first(head: bytes) -> bool:
    return 348 in (struct.unpack_from(order + "i", head)[0] for order in "<>")


def _fields(path: Path, head: bytes) -> _Fields:
    if not any(len(head) >= size and size in struct.unpack_from("<i", head) + struct.unpack_from(">i", head)
               for size in (348, 540)):  # fmt: skip
        raise damaged(path, "no NIfTI header")
    order = _order(head)

    def at(position: int, kinds: str) -> tuple[float, ...]:
        return struct.unpack_from(order + kinds, head, position)

    if _is_first(head):
        (datatype, bitpix), pixdim = at(70, "2h"), at(76, "8f")
        offset, slope, inter = at(108, "3f")
        codes, numbers = at(252, "2h"), at(256, "18f")
        magic, dim, (units,) = head[344:348], at(40, "8h"), at(123, "B")
        expected = b"n+1\0"
    else:
        (datatype, bitpix), dim, pixdim = at(12, "2h"), at(16, "8q"), at(104, "8d")
        (offset,), (slope, inter) = at(168, "q"), at(176, "2d")
        codes, numbers = at(344, "2i"), at(352, "18d")
        magic, (units,) = head[4:12], at(500, "i")
        expected = b"n+2\0\r\n\x1a\n"
    if magic != expected:
        raise damaged(path, "no mark of a NIfTI file that holds its voxels")
    return _Fields(
        magic, tuple(map(int, dim)), int(datatype), int(bitpix), pixdim, offset, slope, inter, int(units),
        int(codes[0]), int(codes[1]), (numbers[0], numbers[1], numbers[2]), (numbers[3], numbers[4], numbers[5]),
        np.array(numbers[6:]).reshape(3, 4),
    )  # fmt: skip


def _sizes(path: Path, fields: _Fields) -> tuple[int, ...]:
    """Sizes of the axes i, j, k and of time."""
    dimension, *stated = fields.dim
    if not 2 <= dimension <= 7 or min(stated[: min(dimension, 3)]) < 1 or min(stated[:dimension]) < 0:
        raise damaged(path, f"its dimensions are {' '.join(map(str, fields.dim))}")
    sizes = [max(size, 1) for size in stated[:dimension]] + [1] * (7 - dimension)
    if max(sizes[4:]) > 1:
        problem = f"has {math.prod(sizes[4:])} values a voxel (a fifth dimension: vectors), not grey or RGB"
        raise InputError(path, problem, "give a grey or RGB image")
    return checked_sizes(path, sizes[:4])


def _offset(path: Path, fields: _Fields, least: int) -> int:
    """The first byte of the voxels in the decompressed file."""
    offset = fields.vox_offset or float(least)
    if not least <= offset <= _LARGEST_OFFSET or offset != int(offset):
        raise damaged(path, f"its voxels begin at byte {offset:g}")
    return int(offset)


def _scaling(fields: _Fields) -> tuple[float, float]:
    """Slope and intercept; a slope of zero or that is no number means none."""
    if fields.scl_slope == 0 or not math.isfinite(fields.scl_slope):
        return 1.0, 0.0
    if not math.isfinite(fields.scl_inter):
        raise ValueError(f"scl_inter is {fields.scl_inter}")
    return fields.scl_slope, fields.scl_inter


def _geometry(path: Path, fields: _Fields, shape: Sequence[int]) -> Geometry:
    spacing = fields.pixdim[1:4]
    alone = grid(path, shape, np.diag(RAS_TO_LPS), (0, 0, 0), spacing)  # refuses what is no spacing
    qform = _qform(path, fields, shape, alone.spacing) if fields.qform_code > 0 else None
    if fields.sform_code <= 0:
        return qform or alone
    try:
        sform = grid(path, shape, RAS_TO_LPS[:, None] * fields.srow[:, :3], RAS_TO_LPS * fields.srow[:, 3])
    except InputError as error:
        raise InputError(path, f"has a wrong sform: it {error.problem}", "save it again with a rigid sform") from None
    if np.allclose(sform.spacing, alone.spacing, rtol=_ROUNDED):
        sform = Geometry(sform.shape, alone.spacing, sform.origin, sform.direction)
    if qform is not None:
        _check_agreement(path, sform, qform)
    return sform


def _qform(path: Path, fields: _Fields, shape: Sequence[int], spacing: tuple[float, float, float]) -> Geometry:
    """The grid of the unit quaternion (METHOD 2 of the standard)."""
    b, c, d = fields.quatern
    rest = 1.0 - (b * b + c * c + d * d)
    if not rest > -_ROUNDED:
        problem = f"has a wrong qform: its quaternion ({b:g}, {c:g}, {d:g}) is longer than 1"
        raise InputError(path, problem, "save it again with a rigid qform")
    a = math.sqrt(max(rest, 0.0))
    length = math.sqrt(a * a + b * b + c * c + d * d)
    a, b, c, d = a / length, b / length, c / length, d / length
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    rotation[:, 2] *= -1.0 if fields.pixdim[0] < 0 else 1.0
    return grid(path, shape, RAS_TO_LPS[:, None] * rotation, RAS_TO_LPS * fields.qoffset, spacing)


def _check_agreement(path: Path, sform: Geometry, qform: Geometry) -> None:
    remedy = "save it again with the right one alone (code of the other 0)"
    if not np.allclose(sform.spacing, qform.spacing, rtol=SPACING_WITHIN):
        first, second = (" x ".join(f"{step:.4g}" for step in form.spacing) for form in (sform, qform))
        raise InputError(path, f"has voxels of {first} mm by its sform and of {second} mm by its qform", remedy)
    apart = sform.largest_distance(qform)
    if apart > PLACE_WITHIN_VOXELS:
        first, second = (str(tuple(round(x, 2) for x in form.origin)) for form in (sform, qform))
        problem = (
            f"has an sform and a qform that place its voxels up to {apart:.3g} voxels apart "
            f"(first voxel at {first} and {second} mm)"
        )
        raise InputError(path, problem, remedy)
