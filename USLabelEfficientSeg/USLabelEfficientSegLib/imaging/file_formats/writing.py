"""Volumes as NRRD, MetaImage and NIfTI files, compressed but for .nii, and complete or not there at all."""

import errno
import os
import secrets
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...disk.in_use import is_in_use, remove_file, replace_file
from ...disk.suffixes import WRITE_SUFFIXES, format_of
from ...errors import InputError
from ..file_errors import about, reason_of
from ..geometry import Geometry
from .header import RAS_TO_LPS

_LEVEL = 4  # of compression: images take no longer than with 3
_SLICES = 16  # that are turned at a time
_NRRD_TYPES = {
    "i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32", "u4": "uint32", "i8": "int64",
    "u8": "uint64", "f4": "float", "f8": "double",
}  # fmt: skip
_META_TYPES = {
    "i1": "MET_CHAR", "u1": "MET_UCHAR", "i2": "MET_SHORT", "u2": "MET_USHORT", "i4": "MET_INT", "u4": "MET_UINT",
    "i8": "MET_LONG_LONG", "u8": "MET_ULONG_LONG", "f4": "MET_FLOAT", "f8": "MET_DOUBLE",
}  # fmt: skip
_NIFTI_TYPES = {
    "u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "i1": 256, "u2": 512, "u4": 768, "i8": 1024, "u8": 1280,
}  # fmt: skip
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_image(
    path: Path,
    voxels: NDArray[np.generic],
    geometry: Geometry,
    texts: Mapping[str, str] | None = None,
    *,
    runs: bool = False,
) -> None:
    """Write voxels (I, J, K), or (C, I, J, K) as NRRD, in the format of the suffix: all of the file or nothing.

    NRRD and MetaImage keep texts by name. With `runs`, as of labels, only runs of one value are compressed: it takes
    half the time.

    Raises:
        InputError: unknown suffix, no such folder, no write permission, or the disk is full.
    """
    suffix = format_of(path)
    if suffix not in WRITE_SUFFIXES:
        problem = "has a suffix that cannot be written"
        raise InputError(path, problem, f"use one of {', '.join(WRITE_SUFFIXES)}")
    if voxels.ndim == 4 and suffix != ".nrrd":
        raise InputError(path, "cannot hold several values a voxel", "write it as .nrrd")
    # A short name of its own: the target's may already be as long as the file system allows.
    partial = path.with_name(f".{secrets.token_hex(8)}{suffix}")
    try:
        with partial.open("xb") as file, about(path):
            _write_content(file, suffix, voxels, geometry, texts or {}, zlib.Z_RLE if runs else zlib.Z_DEFAULT_STRATEGY)
            file.flush()
            os.fsync(file.fileno())
        replace_file(partial, path)
    except OSError as error:
        if error.errno in _FULL_DISK:
            raise InputError(path, "cannot be written completely", "free space on the disk") from None
        remedy = "choose an existing folder that you may write to"
        if is_in_use(error):
            remedy = f"close the file in other programs, or {remedy}"
        raise InputError(path, f"cannot be written ({reason_of(error)})", remedy) from None
    finally:
        remove_file(partial, missing_ok=True)


def _write_content(
    file: BinaryIO,
    suffix: str,
    voxels: NDArray[np.generic],
    geometry: Geometry,
    texts: Mapping[str, str],
    strategy: int,
) -> None:
    data = _bytes_of(voxels)
    if suffix == ".nrrd":
        file.write(_nrrd_header(voxels, geometry, texts))
        file.writelines(_compressed(data, 31, strategy))
    elif suffix == ".mha":
        stream = list(_compressed(data, 15, strategy))
        file.write(_meta_header(voxels, geometry, texts, sum(map(len, stream))))
        file.writelines(stream)
    else:
        whole = _after(_nifti_header(voxels, geometry), data)
        file.writelines(_compressed(whole, 31, strategy) if suffix == ".nii.gz" else whole)


def _bytes_of(voxels: NDArray[np.generic]) -> Iterator[bytes]:
    """Little-endian values, the first axis fastest, some slices at a time."""
    stored = voxels.dtype.newbyteorder("<")
    for start in range(0, voxels.shape[-1], _SLICES):
        yield voxels[..., start : start + _SLICES].T.astype(stored).tobytes()


def _after(head: bytes, data: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from data


def _compressed(data: Iterator[bytes], window: int, strategy: int) -> Iterator[bytes]:
    """A stream of zlib (window 15) or gzip (31)."""
    packer = zlib.compressobj(_LEVEL, wbits=window, strategy=strategy)
    for part in data:
        yield packer.compress(part)
    yield packer.flush()


def _axes(geometry: Geometry) -> int:
    """Number of axes in the file: 2 where the geometry says no more than that of a 2-D image."""
    across = (geometry.shape[2], geometry.spacing[2], geometry.origin[2], *geometry.direction[:, 2])
    return 2 if across == (1, 1.0, 0.0, 0.0, 0.0, 1.0) else 3


def _nrrd_header(voxels: NDArray[np.generic], geometry: Geometry, texts: Mapping[str, str]) -> bytes:
    axes, several = _axes(geometry), voxels.ndim == 4
    sizes = [*voxels.shape[:1], *geometry.shape[:axes]] if several else geometry.shape[:axes]
    columns = geometry.direction[:axes, :axes] * geometry.spacing[:axes]
    vectors = [f"({','.join(map(_number, column))})" for column in columns.T]
    lines = [
        "NRRD0005",
        f"type: {_NRRD_TYPES[_code(voxels)]}",
        f"dimension: {len(sizes)}",
        "space: left-posterior-superior" if axes == 3 else "space dimension: 2",
        f"sizes: {' '.join(map(str, sizes))}",
        f"space directions: {' '.join(['none'] * several + vectors)}",
        f"kinds: {' '.join(['vector'] * several + ['domain'] * axes)}",
        "endian: little",
        "encoding: gzip",
        f"space origin: ({','.join(map(_number, geometry.origin[:axes]))})",
    ]
    for name, text in texts.items():
        escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
        lines.append(f"{name}:={escaped}")
    return ("\n".join(lines) + "\n\n").encode()


def _meta_header(voxels: NDArray[np.generic], geometry: Geometry, texts: Mapping[str, str], stored: int) -> bytes:
    axes = _axes(geometry)
    fields = {
        "ObjectType": "Image",
        "NDims": str(axes),
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": str(stored),
        "TransformMatrix": " ".join(map(_number, geometry.direction[:axes, :axes].T.ravel())),
        "Offset": " ".join(map(_number, geometry.origin[:axes])),
        "ElementSpacing": " ".join(map(_number, geometry.spacing[:axes])),
        **{name: " ".join(text.splitlines()) for name, text in texts.items()},
        "DimSize": " ".join(map(str, geometry.shape[:axes])),
        "ElementType": _META_TYPES[_code(voxels)],
        "ElementDataFile": "LOCAL",
    }
    return "".join(f"{name} = {value}\n" for name, value in fields.items()).encode()


def _nifti_header(voxels: NDArray[np.generic], geometry: Geometry) -> bytes:
    """Header of NIfTI-1 with the same place as sform and as qform."""
    axes = _axes(geometry)
    if max(voxels.shape) > np.iinfo(np.int16).max:
        raise InputError("NIfTI-1", f"has no room for {max(voxels.shape)} voxels on an axis", "write it as .nrrd")
    head = bytearray(352)
    sizes = [axes, *geometry.shape[:axes], *[1] * (7 - axes)]
    direction = RAS_TO_LPS[:, None] * geometry.direction
    turned = np.linalg.det(direction) < 0
    rotation = direction * (1, 1, -1) if turned else direction
    from scipy.spatial.transform import Rotation  # takes long to import, and NIfTI alone needs it

    x, y, z, w = Rotation.from_matrix(rotation).as_quat()
    sign = -1 if w < 0 else 1  # the standard has no room for the first number: it is not negative
    origin = RAS_TO_LPS * geometry.origin
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, *sizes)
    struct.pack_into("<2h", head, 70, _NIFTI_TYPES[_code(voxels)], 8 * voxels.dtype.itemsize)
    struct.pack_into("<8f", head, 76, -1 if turned else 1, *geometry.spacing, 1, 1, 1, 1)
    struct.pack_into("<3f", head, 108, 352, 1, 0)
    head[123] = 2  # mm
    struct.pack_into("<2h", head, 252, 1, 1)
    struct.pack_into("<6f", head, 256, sign * x, sign * y, sign * z, *origin)
    struct.pack_into("<12f", head, 280, *np.column_stack([direction * geometry.spacing, origin]).ravel())
    head[344:348] = b"n+1\0"
    return bytes(head)


def _code(voxels: NDArray[np.generic]) -> str:
    return voxels.dtype.str[1:]


def _number(value: float) -> str:
    """As many digits as tell it from every other number, and no exponent that integers do not need."""
    return repr(int(value)) if value == int(value) and abs(value) < 1 << 53 else repr(float(value))
