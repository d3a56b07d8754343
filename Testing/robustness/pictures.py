"""PNG, JPEG, BMP and TIFF files, cut, with flipped bits and other headers: read sensibly or refused."""

import io
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from robustness.bombs import check_memory, peak_megabytes
from robustness.runner import Check
from robustness.valid_files import outcome
from USLabelEfficientSegLib.imaging.image_files import read_image, read_image_labels
from USLabelEfficientSegLib.imaging.pixel_sizes import PixelSizes
from USLabelEfficientSegLib.imaging.scan_files import dimension_of

SIZES = PixelSizes(otherwise=0.5)
WORDS = (0, 1, 2, 3, 4, 8, 16, 24, 32, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1)
WITHOUT_LOSS = ("png", "bmp", "tif")


def checks(count: int, seed: int, folder: Path) -> Iterator[Check]:
    """Changes of a random picture; the last check is of the memory."""
    random = np.random.default_rng(seed)
    pictures = valid_pictures()
    before = peak_megabytes()
    for _ in range(count - 1):
        suffix, name = sorted(pictures)[random.integers(len(pictures))]
        content, path = pictures[suffix, name], folder / f"a.{suffix}"
        way = random.choice(["cut", "bits", "words", "piece"])
        if way == "cut":
            kept = int(random.integers(len(content)))
            yield f"{name}.{suffix} cut at {kept}", partial(_check_cut, path, content, kept)
            continue
        changed = {"bits": _bits, "words": _words, "piece": _piece}[str(way)](content, random)
        yield f"{name}.{suffix} {way}", partial(_check_changed, path, changed)
    yield "memory", partial(check_memory, before)


def valid_pictures() -> dict[tuple[str, str], bytes]:
    """Pictures of every format and kind, by suffix and what they are."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)
    grey, colour = Image.fromarray(pixels[..., 0].copy()), Image.fromarray(pixels)
    kinds = {
        "grey": grey, "colour": colour, "palette": colour.convert("P"), "bit": grey.convert("1"),
        "opacity": grey.convert("LA"), "deep": Image.fromarray(pixels[..., 0].astype(np.uint16) * 250),
    }  # fmt: skip
    ways: list[tuple[str, str, str, dict[str, Any]]] = [
        *(("png", "PNG", name, {}) for name in kinds),
        *(("bmp", "BMP", name, {}) for name in ("grey", "colour", "palette", "bit")),
        *(("tif", "TIFF", name, {"compression": how}) for name in kinds for how in (None, "tiff_lzw", "packbits")),
        *(("jpg", "JPEG", name, {"progressive": how}) for name in ("grey", "colour") for how in (False, True)),
    ]
    made = {}
    for suffix, kind, name, options in ways:
        stream = io.BytesIO()
        kinds[name].save(stream, kind, **options)
        made[suffix, f"{name} {' '.join(map(str, options.values()))}".strip()] = stream.getvalue()
    return made


def _bits(content: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for _ in range(int(random.integers(1, 9))):
        changed[random.integers(len(changed))] ^= 1 << random.integers(8)
    return bytes(changed)


def _words(content: bytes, random: np.random.Generator) -> bytes:
    """Numbers of the header become others."""
    changed = bytearray(content)
    for _ in range(int(random.integers(1, 4))):
        order, size = random.choice(["<", ">"]), random.choice(["H", "I"])
        at = int(random.integers(0, min(len(content), 300) - 4))
        value = WORDS[random.integers(len(WORDS))] % (1 << (16 if size == "H" else 32))
        struct.pack_into(f"{order}{size}", changed, at, value)
    return bytes(changed)


def _piece(content: bytes, random: np.random.Generator) -> bytes:
    start, end = sorted(random.integers(0, len(content), 2).tolist())
    return content[:start] + content[end:] if random.random() < 0.5 else content[:end] + content[start:]


def _check_cut(path: Path, content: bytes, kept: int) -> None:
    path.write_bytes(content)
    whole = outcome(partial(read_image, sizes=SIZES), path)
    path.write_bytes(content[:kept])
    found = outcome(partial(read_image, sizes=SIZES), path)
    assert found is None or (whole is not None and np.array_equal(found.voxels, whole.voxels)), "other pixels"


def _check_changed(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    outcome(dimension_of, path)
    image = outcome(partial(read_image, sizes=SIZES), path)
    labels = outcome(partial(read_image_labels, sizes=SIZES), path)
    for found in (image, labels):
        if found is not None:
            assert found.voxels.shape == found.geometry.shape
            assert np.isfinite(np.asarray(found.voxels, dtype=np.float64)).all()
