"""GIPL (Guys Image Processing Lab): a header of 256 bytes, then the voxels, everything big-endian."""

import struct
from pathlib import Path

import numpy as np

from .header import Header, Role, VoxelData, checked_sizes, damaged, grid, understood
from .voxel_data import first_bytes

_BYTES = 256
_MAGIC = (0xEFFFE9B0, 0x2AE389B8)
_TYPES = {7: "i1", 8: "u1", 15: ">i2", 16: ">u2", 31: ">u4", 32: ">i4", 64: ">f4", 65: ">f8"}


def read_header(path: Path) -> Header:
    """The header of a .gipl or .gipl.gz file. GIPL has no direction: i, j, k run along x, y, z.

    Raises:
        InputError: damaged, without spacing, or of a type that is no grey value.
        OSError: the file cannot be opened.
    """
    head, compressed = first_bytes(path, _BYTES)
    with understood(path):
        if len(head) < _BYTES:
            raise damaged(path, "its header is cut short")
        (magic,) = struct.unpack_from(">I", head, 252)
        if magic not in _MAGIC:
            raise damaged(path, "no mark of a GIPL file")
        *stated, kind = struct.unpack_from(">5H", head)
        if kind not in _TYPES:
            raise damaged(path, f"voxels of the unknown type {kind}")
        # Axes that are not there have the size 0 or 1.
        sizes = checked_sizes(path, (*stated[:2], max(stated[2], 1), max(stated[3], 1)))
        spacing = struct.unpack_from(">3f", head, 10)
        origin = struct.unpack_from(">3d", head, 204)
        geometry = grid(path, sizes[:3], np.eye(3), origin, spacing)
        roles: tuple[Role, ...] = ("space", "space", "space", "time")
        data = VoxelData(path, "gzip", 0, _BYTES) if compressed else VoxelData(path, "raw", _BYTES)
        return Header(path, tuple(zip(roles, sizes, strict=True)), np.dtype(_TYPES[kind]), geometry, data)
