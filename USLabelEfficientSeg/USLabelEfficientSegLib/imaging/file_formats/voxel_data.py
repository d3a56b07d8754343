"""From the bytes of a file to voxels: checked before they are allocated, and to their last checksum."""

import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...disk.in_use import patiently
from ...errors import InputError
from ..geometry import Geometry
from .header import EXPORT_AGAIN, Header, VoxelData

TimePoint = tuple[NDArray[np.generic], Geometry]

_CHUNK = 1 << 18
_LARGEST_RATIO = 1032  # of deflate, https://zlib.net/zlib_tech.html
_WINDOW = {"zlib": 47, "gzip": 31}  # wbits of zlib: either kind of stream, or gzip alone; both check their checksum
_SLICES = 16  # that are turned at a time: they fit into the processor's cache


def open_file(path: Path) -> BinaryIO:
    """Open a regular file; never waits for a pipe or device.

    Raises:
        InputError: neither a file nor a folder.
        OSError: it cannot be opened.
    """
    if "\0" in str(path):
        raise InputError(path, "is no name of a file", "give an image file")
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = patiently(lambda: os.open(path, flags))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(path, "is no regular file", "give an image file")
    return os.fdopen(descriptor, "rb")


def first_bytes(path: Path, count: int) -> tuple[bytes, bool]:
    """At most so many first bytes of a file, decompressed if it is gzip, and whether it is."""
    with open_file(path) as file:
        head = file.read(2)
        file.seek(0)
        if head != b"\x1f\x8b":
            return file.read(count), False
        found = b""
        try:
            for piece in _decompressed(file, "gzip"):
                found += piece
                if len(found) >= count:
                    break
        except (zlib.error, EOFError):
            pass  # whoever needs the rest tells that it is missing
        return found[:count], True


def read_time_points(header: Header) -> list[TimePoint]:
    """The time points of an image: voxels (I, J, K) or (I, J, K, colours), with their grid.

    Raises:
        InputError: the file holds less or more than its header declares, or fails its checksum.
        OSError: the file cannot be opened.
    """
    stored = _decoded(header.data, header.nbytes, header.path).view(header.dtype)
    roles = [role for role, _ in header.axes]
    values = stored.reshape([size for _, size in header.axes][::-1]).T
    order = [axis for wanted in ("time", "space", "colour") for axis, role in enumerate(roles) if role == wanted]
    frames = values.transpose(order).reshape(header.times, *header.geometry.shape, *_colours(header))
    return [(_copy(frame, header), header.geometry) for frame in frames]


def _colours(header: Header) -> tuple[int, ...]:
    return tuple(size for role, size in header.axes if role == "colour")


def _copy(frame: NDArray[np.generic], header: Header) -> NDArray[np.generic]:
    """Voxels in the order and byte order of memory, scaled."""
    scaled = (header.slope, header.intercept) != (1.0, 0.0)
    copy = np.empty(frame.shape, np.float32 if scaled else header.dtype.newbyteorder("="))
    for start in range(0, frame.shape[2], _SLICES):
        part = frame[:, :, start : start + _SLICES]
        with np.errstate(over="ignore", invalid="ignore"):
            copy[:, :, start : start + _SLICES] = _scaled(part, header) if scaled else part
    return copy


def _scaled(stored: NDArray[np.generic], header: Header) -> NDArray[np.float64]:
    return np.asarray(stored.astype(np.float64) * header.slope + header.intercept)


def _decoded(data: VoxelData, count: int, path: Path) -> NDArray[np.uint8]:
    """So many bytes, which must be all that the file holds."""
    with open_file(data.path) as file:
        held = os.fstat(file.fileno()).st_size
        if data.encoding == "raw":
            start = held - count if data.start is None else data.start
            _check_size(data.path, held, max(start, 0) + count)
            file.seek(start)
            voxels = np.fromfile(file, np.uint8, count)
            _check_size(data.path, start + len(voxels), start + count)
            return voxels
        start = data.start or 0
        if data.stored is not None:
            _check_size(data.path, held, start + data.stored)
        if data.skip + count > (held - start) * _LARGEST_RATIO:
            problem = f"is cut short: {held} bytes cannot hold the {count} bytes of voxels that its header declares"
            raise InputError(path, problem, EXPORT_AGAIN)
        file.seek(start)
        return _filled(_decompressed(file, data.encoding), count, data)


def _check_size(path: Path, held: int, declared: int) -> None:
    if held < declared:
        raise InputError(path, f"is cut short ({held} of {declared} bytes)", EXPORT_AGAIN)
    if held > declared:
        problem = f"is damaged: it holds {held} bytes where its header declares {declared}"
        raise InputError(path, problem, EXPORT_AGAIN)


def _filled(pieces: Iterator[bytes], count: int, data: VoxelData) -> NDArray[np.uint8]:
    """So many bytes of a stream, after those to be skipped and up to its end."""
    voxels = np.empty(count, np.uint8)
    target, position = voxels.data, -data.skip
    try:
        for piece in pieces:
            end = position + len(piece)
            if end > count:
                problem = f"is damaged: it holds more than the {count} bytes of voxels that its header declares"
                raise InputError(data.path, problem, EXPORT_AGAIN)
            if end > 0:
                first = max(position, 0)
                target[first:end] = piece[first - position :]
            position = end
    except EOFError:
        raise InputError(data.path, "is cut short", EXPORT_AGAIN) from None
    except zlib.error as error:
        reason = str(error).rpartition(": ")[2]
        raise InputError(data.path, f"is damaged ({reason})", EXPORT_AGAIN) from None
    if position < count:
        problem = f"is cut short ({max(position, 0)} of {count} bytes of voxels)"
        raise InputError(data.path, problem, EXPORT_AGAIN)
    return voxels


def _decompressed(file: BinaryIO, encoding: str) -> Iterator[bytes]:
    """A stream from here to the end of the file, in pieces; gzip may have several members.

    Raises:
        zlib.error: damaged, or something follows it.
        EOFError: cut short.
    """
    decoder, begun = zlib.decompressobj(_WINDOW[encoding]), False
    while chunk := file.read(_CHUNK):
        while chunk:
            if decoder.eof:
                if encoding != "gzip":
                    raise zlib.error("data after the end of the compressed voxels")
                decoder = zlib.decompressobj(_WINDOW[encoding])
            begun = True
            piece = decoder.decompress(chunk, _CHUNK)
            while len(piece) == _CHUNK:  # there may be more without more input
                yield piece
                piece = decoder.decompress(decoder.unconsumed_tail, _CHUNK)
            yield piece
            chunk = decoder.unconsumed_tail or decoder.unused_data
    if not (begun and decoder.eof):
        raise EOFError
