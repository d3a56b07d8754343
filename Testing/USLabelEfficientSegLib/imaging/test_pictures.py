"""PNG, JPEG, BMP and TIFF: the grey that one sees, upright, or a sentence."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.image_files import read_image, read_image_labels
from USLabelEfficientSegLib.imaging.pixel_sizes import PixelSizes

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 20), dtype=np.uint8)  # rows, columns
CLASSES = (np.arange(240).reshape(12, 20) // 7 % 3).astype(np.uint8)
HALF_MM = PixelSizes(otherwise=0.5)
UPRIGHT: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).T,
    8: np.rot90,
}


def grey_of(path):
    return read_image(path, HALF_MM).voxels[..., 0].T


def labels_of(path):
    return read_image_labels(path, None, HALF_MM).voxels[..., 0].T


def saved(path, image, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_the_exif_orientation_turns_image_and_label_upright(tmp_path, orientation, suffix):
    smooth = np.add.outer(np.arange(12) * 9, np.arange(20) * 5).astype(np.uint8)
    image = Image.fromarray(smooth)
    if suffix == "tif":
        image.save(tmp_path / "a.tif", tiffinfo={274: orientation})
    else:
        exif = Image.Exif()
        exif[274] = orientation
        options: dict[str, Any] = {"quality": 100} if suffix == "jpg" else {}
        image.save(tmp_path / f"a.{suffix}", exif=exif, **options)

    upright = UPRIGHT[orientation](smooth)

    assert grey_of(tmp_path / f"a.{suffix}").shape == upright.shape
    assert np.abs(grey_of(tmp_path / f"a.{suffix}").astype(int) - upright).max() <= (3 if suffix == "jpg" else 0)


def test_a_label_is_turned_like_its_image(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(CLASSES).save(tmp_path / "a.png", exif=exif)

    found = read_image_labels(tmp_path / "a.png", Geometry((12, 20, 1), (0.2, 0.3, 1.0), (0, 0, 0), np.eye(3)))

    np.testing.assert_array_equal(found.voxels[..., 0].T, np.rot90(CLASSES, -1))


def test_grey_with_opacity_is_grey_and_transparency_is_refused(tmp_path):
    opaque = np.dstack([PIXELS, np.full_like(PIXELS, 255)])
    np.testing.assert_array_equal(grey_of(saved(tmp_path / "a.png", Image.fromarray(opaque, "LA"))), PIXELS)

    opaque[3, 3, 1] = 254
    with pytest.raises(InputError, match="transparent in places, which have no grey value; save it without"):
        read_image(saved(tmp_path / "b.png", Image.fromarray(opaque, "LA")), HALF_MM)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_a_grey_palette_gives_its_grey(tmp_path, suffix):
    image = Image.fromarray(PIXELS, "P")
    image.putpalette(np.repeat(np.arange(255, -1, -1, dtype=np.uint8), 3).tobytes())

    np.testing.assert_array_equal(grey_of(saved(tmp_path / f"a.{suffix}", image)), 255 - PIXELS)


def test_a_coloured_palette_gives_luminance_and_class_numbers(tmp_path):
    image = Image.fromarray(CLASSES, "P")
    image.putpalette([0, 0, 0, 200, 30, 10, 20, 150, 90])
    path = saved(tmp_path / "a.png", image)

    expected = (np.array([[0, 0, 0], [200, 30, 10], [20, 150, 90]]) @ [0.299, 0.587, 0.114])[CLASSES]
    assert np.abs(grey_of(path) - expected).max() <= 0.51
    np.testing.assert_array_equal(labels_of(path), CLASSES)


def test_a_palette_with_transparency_is_refused(tmp_path):
    image = Image.fromarray(PIXELS, "P")
    image.putpalette(np.repeat(np.arange(256, dtype=np.uint8), 3).tobytes())

    with pytest.raises(InputError, match="transparent in places"):
        read_image(saved(tmp_path / "a.png", image, transparency=int(PIXELS[0, 0])), HALF_MM)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_one_bit_is_black_and_white_and_a_mask(tmp_path, suffix):
    path = saved(tmp_path / f"a.{suffix}", Image.fromarray(PIXELS > 99))

    np.testing.assert_array_equal(grey_of(path), np.where(PIXELS > 99, 255, 0))
    mask = np.zeros((24, 30), bool)
    mask[4:20, 6:26] = True
    np.testing.assert_array_equal(labels_of(saved(tmp_path / f"b.{suffix}", Image.fromarray(mask))), mask)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_kept(tmp_path, suffix):
    deep = PIXELS.astype(np.uint16) * 251

    voxels = grey_of(saved(tmp_path / f"a.{suffix}", Image.fromarray(deep)))

    assert voxels.dtype == np.uint16
    np.testing.assert_array_equal(voxels, deep)


def png(pixels, bits, kind):
    """A PNG of samples of `bits`: of grey (kind 0) or colour (kind 2)."""
    rows = pixels.reshape(len(pixels), -1)
    if bits < 8:
        digits = np.unpackbits(rows[..., None].astype(np.uint8), axis=2)[..., 8 - bits :]
        packed = np.packbits(digits.reshape(len(rows), -1), axis=1)
        lines = [b"\0" + row.tobytes() for row in packed]
    else:
        lines = [b"\0" + row.astype(">u2").tobytes() for row in rows]
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], bits, kind, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(lines))), (b"IEND", b"")):
        content += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return content


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_are_brightened_in_an_image_and_class_numbers_in_a_label(tmp_path, bits):
    path = tmp_path / "a.png"
    path.write_bytes(png(CLASSES, bits, 0))

    np.testing.assert_array_equal(grey_of(path), CLASSES * (255 // (2**bits - 1)))
    np.testing.assert_array_equal(labels_of(path), CLASSES)


def test_colours_of_sixteen_bits_are_refused(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(np.dstack([PIXELS.astype(np.uint16)] * 3), 16, 2))

    with pytest.raises(InputError, match="has colours of 16 bits; save it in grey, or with 8 bits a colour"):
        read_image(path, HALF_MM)


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_colours_for_printing_are_refused(tmp_path, suffix):
    image = Image.fromarray(np.dstack([PIXELS] * 3)).convert("CMYK")

    with pytest.raises(InputError, match=r"has colours for printing \(CMYK\); save it in grey or RGB"):
        read_image(saved(tmp_path / f"a.{suffix}", image), HALF_MM)


def test_several_pages_are_no_image(tmp_path):
    image = Image.fromarray(PIXELS)

    with pytest.raises(InputError, match="is no 2-D image but 2 pages"):
        read_image(saved(tmp_path / "a.tif", image, save_all=True, append_images=[image]), HALF_MM)


@pytest.mark.parametrize("bits", [1, 8, 16])
def test_a_tiff_whose_white_is_zero_is_turned(tmp_path, bits):
    pixels = {1: PIXELS > 99, 8: PIXELS, 16: PIXELS.astype(np.uint16) * 200}[bits]
    path = saved(tmp_path / "a.tif", Image.fromarray(pixels))
    content = path.read_bytes()
    black_is_zero = struct.pack("<HHIHH", 262, 3, 1, 1, 0)
    assert content.count(black_is_zero) == 1
    path.write_bytes(content.replace(black_is_zero, struct.pack("<HHIHH", 262, 3, 1, 0, 0)))

    highest = {1: 255, 8: 255, 16: 65535}[bits]
    np.testing.assert_array_equal(grey_of(path), highest - pixels.astype(int) * (255 if bits == 1 else 1))


@pytest.mark.parametrize(
    "options",
    [
        ("png", {}),
        ("jpg", {}),
        ("jpg", {"progressive": True}),
        ("bmp", {}),
        ("tif", {}),
        ("tif", {"compression": "tiff_lzw"}),
        ("tif", {"compression": "jpeg"}),
    ],
)
def test_a_picture_cut_anywhere_is_refused_or_whole(tmp_path, options):
    suffix, how = options
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix), **how)
    content = stream.getvalue()
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    whole = grey_of(path)

    refused = 0
    for kept in range(0, len(content), 3):
        path.write_bytes(content[:kept])
        try:
            np.testing.assert_array_equal(grey_of(path), whole)
        except InputError:
            refused += 1
    assert refused > 0.8 * len(content) / 3


def test_a_flipped_bit_in_a_png_is_noticed(tmp_path):
    content = saved(tmp_path / "a.png", Image.fromarray(PIXELS)).read_bytes()
    for at in range(8, len(content) - 12, 7):
        flipped = bytearray(content)
        flipped[at] ^= 4
        (tmp_path / "a.png").write_bytes(flipped)
        try:
            np.testing.assert_array_equal(grey_of(tmp_path / "a.png"), PIXELS)
        except InputError:
            continue


def bmp(width, height, data, *, told=None):
    size = 54 + len(data) if told is None else told
    return struct.pack("<2sIHHI", b"BM", size, 0, 0, 54) + struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 2835, 2835, 0, 0
    ) + data  # fmt: skip


def test_a_bmp_whose_header_hides_that_it_is_cut_is_refused(tmp_path):
    path = tmp_path / "a.bmp"
    path.write_bytes(bmp(40, 30, bytes(1200)))

    with pytest.raises(InputError, match="damaged or cut short"):
        read_image(path, HALF_MM)


@pytest.mark.parametrize(("width", "height"), [(60_000, 53_000), (40_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_a_header_cannot_ask_for_gigabytes(tmp_path, width, height):
    path = tmp_path / "a.bmp"
    path.write_bytes(bmp(width, height, bytes(1200)))

    with pytest.raises(InputError, match=r"pixels in \d+ bytes|far too large|more than 2\^31|damaged"):
        read_image(path, HALF_MM)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are POSIX")
def test_a_pipe_or_device_is_no_picture(tmp_path):
    os.mkfifo(tmp_path / "a.png")

    with pytest.raises(InputError):
        read_image(tmp_path / "a.png", HALF_MM)
