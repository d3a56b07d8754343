"""The colours of JPEG and JPEG 2000 streams, which their DICOM attributes often tell wrongly.

A JPEG stream says itself how its colours are stored: by an Adobe or JFIF marker, by components named R, G and B, or by
chroma at a lower resolution, which only luminance and chroma have (ITU-T T.81, T.872). Pillow, that is libjpeg, goes by
the same signs. Only where there are none, as in some streams of three equal components, Photometric Interpretation
counts, unless the content contradicts it clearly.
"""

import struct
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_START, _END_OF_HEADER = 0xD8, 0xDA
_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_BARE = {0x01, *range(0xD0, 0xD9)}  # markers without length
_NAMES_OF_RGB = (b"RGB", b"rgb")
_CHROMA_OF_GREY = 128
_CLEARLY = 0.5
_J2K_START, _J2K_CODING, _J2K_TILE = b"\xff\x4f\xff\x51", 0xFF52, 0xFF90


def decode_jpeg(stream: bytes, size: tuple[int, int], *, rgb: bool) -> NDArray[np.uint8]:
    """Decode a JPEG stream of 8 bits to grey (J, I) or red, green and blue (J, I, 3).

    Args:
        stream: one frame.
        size: columns and rows that it must have.
        rgb: whether its attributes say that it holds red, green and blue, not luminance and chroma.

    Raises:
        ValueError: another size, or damaged.
        OSError: damaged or cut short.
    """
    with Image.open(BytesIO(stream), formats=["JPEG"]) as image:
        if image.size != size:
            raise ValueError(f"a JPEG stream of {image.size[0]} x {image.size[1]} pixels")
        if image.mode not in ("L", "RGB"):
            raise ValueError(f"a JPEG stream of the kind {image.mode}")
        if image.mode == "L" or _tells_its_colours(stream):
            return np.asarray(image)
        image.draft("YCbCr", image.size)  # as they are stored
        image.load()
        if _are_rgb(np.asarray(image), otherwise=rgb):
            return np.asarray(image)
        return np.asarray(image.convert("RGB"))


def transformed_by_jpeg2000(stream: bytes) -> bool:
    """Whether a JPEG 2000 decoder turns what was stored into red, green and blue (ITU-T T.800 A.6.1)."""
    at = stream.find(_J2K_START)
    if at < 0:
        return False
    at += 2
    while at + 4 <= len(stream):
        marker, length = struct.unpack_from(">HH", stream, at)
        if marker == _J2K_CODING:
            return at + 9 <= len(stream) and stream[at + 8] == 1
        if marker == _J2K_TILE:
            return False
        at += 2 + length
    return False


def _tells_its_colours(stream: bytes) -> bool:
    for marker, segment in _segments(stream):
        if (marker == 0xE0 and segment.startswith(b"JFIF")) or (marker == 0xEE and segment.startswith(b"Adobe")):
            return True
        if marker in _FRAME_HEADERS and len(segment) >= 15:
            names, sampling = segment[6:15:3], segment[7:15:3]
            return names in _NAMES_OF_RGB or len(set(sampling)) > 1
    return False


def _segments(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """The markers of the header of a JPEG stream and what follows each."""
    at = 2
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker == _END_OF_HEADER:
            return
        if marker == 0xFF:  # filling
            at += 1
            continue
        if marker in _BARE:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", stream, at + 2)
        yield marker, stream[at + 4 : at + 2 + length]
        at += 2 + length


def _are_rgb(parts: NDArray[np.uint8], *, otherwise: bool) -> bool:
    """Whether three parts are red, green and blue: in grey ultrasound they are equal, else chroma is constant."""
    first, others = parts[..., :1].astype(np.int16), parts[..., 1:].astype(np.int16)
    to_first, to_chroma = np.abs(others - first).mean(), np.abs(others - _CHROMA_OF_GREY).mean()
    if min(to_first, to_chroma) > _CLEARLY * max(to_first, to_chroma):
        return otherwise
    return bool(to_first < to_chroma)
