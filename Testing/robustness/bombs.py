"""Small files that claim or unpack to very much: refused soon, without the memory that they ask for."""

import gzip
import struct
import sys
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from robustness.runner import Check
from robustness.valid_files import check_refused

MEGABYTE = 1 << 20
NRRD = "NRRD0004\ntype: {}\ndimension: {}\nsizes: {}\nencoding: {}\nendian: little\nspacings: {}\n\n"
META = (
    "ObjectType = Image\nNDims = {}\nCompressedData = {}\nElementSpacing = {}\nDimSize = {}\n"
    "ElementType = {}\nElementDataFile = LOCAL\n"
)
SIZES = (
    (2, 2, 2),
    (60, 61, 62),
    (2000, 1000, 1000),
    (2**31, 1, 1),
    (2**62, 2, 2),
    (2**33, 2**33, 2**33),
    (30, 30, 30, 9),
)


def checks(count: int, seed: int, folder: Path) -> Iterator[Check]:
    """Sizes, types and ways of packing in a random order; the last check is of the memory."""
    random = np.random.default_rng(seed)
    zeros = {size: bytes(size * MEGABYTE) for size in (1, 64)}
    streams = {
        ("raw", 0): b"", ("raw", 1): b"\0",
        ("gzip", 1): gzip.compress(zeros[1]), ("gzip", 64): gzip.compress(zeros[64], 1),
        ("zlib", 64): zlib.compress(zeros[64]), ("gzip", 128): gzip.compress(zeros[64], 1) * 2,
        ("gzip", 0): gzip.compress(b"") * 5000,
    }  # fmt: skip
    before = peak_megabytes()
    for number in range(count - 1):
        sizes = SIZES[random.integers(len(SIZES))]
        (packing, size), stream = list(streams.items())[random.integers(len(streams))]
        kind = random.choice(["nrrd", "mha", "nii", "gipl"])
        path = folder / f"{number}.{kind}"
        name = f"{kind} {packing} {size} MB as {sizes}"
        yield name, partial(_check, path, _content(kind, sizes, packing, stream, zeros))
    yield "memory", partial(check_memory, before)


def _content(kind: str, sizes: tuple[int, ...], packing: str, stream: bytes, zeros: dict[int, bytes]) -> bytes:
    listed, ones = " ".join(map(str, sizes)), " ".join("1" for _ in sizes)
    if kind == "nrrd":
        return NRRD.format("float", len(sizes), listed, "raw" if packing == "raw" else "gzip", ones).encode() + stream
    if kind == "mha":
        return META.format(len(sizes), packing != "raw", ones, listed, "MET_DOUBLE").encode() + stream
    head = _nifti(sizes) if kind == "nii" else _gipl(sizes)
    # A header alone in its own member, and then what follows.
    return head + stream if packing == "raw" else gzip.compress(head) + stream


def _nifti(sizes: tuple[int, ...]) -> bytes:
    head = bytearray(544)
    struct.pack_into("<i8s2h8q", head, 0, 540, b"n+2\0\r\n\x1a\n", 64, 64, len(sizes), *sizes, *[1] * (7 - len(sizes)))
    struct.pack_into("<8d", head, 104, *[1.0] * 8)
    struct.pack_into("<q", head, 168, 544)
    return bytes(head)


def _gipl(sizes: tuple[int, ...]) -> bytes:
    head = bytearray(256)
    struct.pack_into(">5H4f", head, 0, *[min(size, 65535) for size in (*sizes, 1)[:4]], 65, 1, 1, 1, 1)
    struct.pack_into(">I", head, 252, 719555000)
    return bytes(head)


def _check(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        check_refused(path)
    finally:
        path.unlink()


def check_memory(before: float) -> None:
    grown = peak_megabytes() - before
    assert grown < 600, f"{grown:.0f} MB"


def peak_megabytes() -> float:
    """The most memory that this process has held; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0.0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
