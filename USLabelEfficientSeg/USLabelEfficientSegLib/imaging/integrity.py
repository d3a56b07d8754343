"""Whether a picture holds all the pixels that its header declares.

ITK reads a truncated JPEG or BMP file without complaint and leaves the missing pixels to chance; its readers of PNG and
TIFF notice by themselves.
"""

import struct
from pathlib import Path

from ..errors import InputError

UNCHECKED_BY_ITK = (".jpg", ".jpeg", ".bmp")
_CAMERA_BYTES = 1 << 16  # that some devices append to a JPEG
_JPEG_END = b"\xff\xd9"


def check_complete(path: Path) -> None:
    """Refuse a JPEG or BMP file that is shorter than it should be.

    Raises:
        InputError: the file is cut short.
        OSError: the file cannot be opened.
    """
    if not _picture_is_complete(path):
        raise InputError(path, "is cut short", "copy or export the file again")


def _picture_is_complete(path: Path) -> bool:
    """Whether a JPEG ends with its end marker (zeros may follow), a BMP with the size that it tells."""
    data = path.read_bytes()
    if data.startswith(b"BM"):
        return len(data) >= struct.unpack_from("<I", data.ljust(6, b"\0"), 2)[0]
    return _JPEG_END in data[-_CAMERA_BYTES:]
