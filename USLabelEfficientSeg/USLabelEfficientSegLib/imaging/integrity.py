"""Whether an image file holds all the voxels that its header declares.

ITK reads a truncated NIfTI, GIPL, JPEG or BMP file without complaint and leaves the missing voxels to chance; its
readers of the other formats notice by themselves.
"""

import gzip
import struct
import zlib
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import InputError

UNCHECKED_BY_ITK = (".nii", ".nii.gz", ".gipl", ".gipl.gz", ".jpg", ".jpeg", ".bmp")
_CHUNK = 1 << 24
_CAMERA_BYTES = 1 << 16  # that some devices append to a JPEG
_JPEG_END = b"\xff\xd9"
_GIPL_HEADER_BYTES = 256
_GIPL_VOXEL_BITS = {7: 8, 8: 8, 15: 16, 16: 16, 31: 32, 32: 32, 64: 32, 65: 64}


def check_complete(path: Path) -> None:
    """Refuse a NIfTI or GIPL file (compressed or not), a JPEG or BMP that is shorter than it should be, or corrupt.

    Raises:
        InputError: the file is cut short, fails its checksum, or its header is damaged.
        OSError: the file cannot be opened.
    """
    remedy = "copy or export the file again"
    if path.suffix.lower() in (".jpg", ".jpeg", ".bmp"):
        if not _picture_is_complete(path):
            raise InputError(path, "is cut short", remedy)
        return
    try:
        with _open(path) as file:
            header = file.read(540)
            declared = _gipl_bytes(header) if ".gipl" in path.name.lower() else _nifti_bytes(header)
            held = len(header)
            while chunk := file.read(_CHUNK):
                held += len(chunk)
    except EOFError:
        raise InputError(path, "is cut short", remedy) from None
    except (gzip.BadGzipFile, zlib.error, struct.error, KeyError):
        raise InputError(path, "is damaged", remedy) from None
    if held < declared:
        raise InputError(path, f"is cut short ({held} of {declared} bytes)", remedy)


def _picture_is_complete(path: Path) -> bool:
    """Whether a JPEG ends with its end marker (zeros may follow), a BMP with the size that it tells."""
    data = path.read_bytes()
    if data.startswith(b"BM"):
        return len(data) >= struct.unpack_from("<I", data.ljust(6, b"\0"), 2)[0]
    return _JPEG_END in data[-_CAMERA_BYTES:]


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if compressed else path.open("rb")


def _nifti_bytes(header: bytes) -> int:
    """Size in bytes that a NIfTI-1 or NIfTI-2 header declares, of the header and the voxels together."""
    for order in "<>":
        (header_size,) = struct.unpack_from(order + "i", header)
        if header_size == 348:
            dimensions = struct.unpack_from(order + "8h", header, 40)
            (bits,) = struct.unpack_from(order + "h", header, 72)
            (offset,) = struct.unpack_from(order + "f", header, 108)
        elif header_size == 540:
            (bits,) = struct.unpack_from(order + "h", header, 14)
            dimensions = struct.unpack_from(order + "8q", header, 16)
            (offset,) = struct.unpack_from(order + "q", header, 168)
        else:
            continue
        return int(offset) + _product(dimensions[1 : 1 + dimensions[0]]) * bits // 8
    raise struct.error("no NIfTI header")


def _gipl_bytes(header: bytes) -> int:
    """Size in bytes that a GIPL header declares, of the header and the voxels together."""
    *dimensions, voxel_type = struct.unpack_from(">5H", header)
    return _GIPL_HEADER_BYTES + _product(dimensions) * _GIPL_VOXEL_BITS[voxel_type] // 8


def _product(dimensions: Iterable[int]) -> int:
    return prod(max(size, 1) for size in dimensions)  # formats write 0 or 1 for an axis that is not there
