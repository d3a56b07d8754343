"""2-D images as PNG, JPEG, BMP and TIFF, through Pillow.

A picture is turned upright as its EXIF orientation says, which is how viewers show it. Pictures without one grey value
a pixel are refused: transparency, colours for printing, 16 bits a colour, several pages. The size of a picture is
compared with its file before anything is decoded.
"""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import InputError
from ..text.display import printable
from .geometry import check_voxel_count
from .itk_messages import quiet

_FORMATS = ["PNG", "JPEG", "BMP", "TIFF"]
_GREY = {"1", "L", "I", "F", "I;16", "I;16B", "I;16L"}
_SIXTEEN_BITS = {"I;16", "I;16B", "I;16L"}
_PIXELS, _PIXELS_A_BYTE = 1 << 24, 32  # a file may have so many pixels, or so many times its bytes
_PNG_GREY, _TIFF_WHITE_IS_ZERO = 0, 0
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262  # TIFF 6.0
_JPEG_END, _CAMERA_BYTES = b"\xff\xd9", 1 << 16  # some devices append data to a JPEG
_REMEDY = "copy or export the file again"
_BROKEN = (OSError, SyntaxError, ValueError, LookupError, TypeError, ArithmeticError, RuntimeError, AttributeError)


def read_picture(path: Path, *, labels: bool = False) -> NDArray[np.generic]:
    """The pixels (I, J, 1), or (I, J, 1, 3 colours), of a picture.

    Args:
        path: the file.
        labels: return class numbers where they are stored as such: the indices of a coloured palette, and grey values
            of 2 and 4 bits, which are brightened in an image.

    Raises:
        InputError: no such picture, damaged, cut short, too large, or of a kind that has no one grey value.
        OSError: the file cannot be opened.
    """
    if not path.is_file():
        path.stat()  # tells about a missing file in plain words
        raise InputError(path, "is no file", "give the file of a picture")
    opened = path.open("rb")  # tells about a permission in plain words
    try:
        # From an open file: of a path Pillow maps plain TIFF into memory, and then turns it wrongly.
        with (
            opened,
            quiet(),
            warnings.catch_warnings(action="ignore"),
            Image.open(opened, formats=_FORMATS) as image,
        ):
            _check_size(path, image)
            _check_kind(path, image)
            _check_complete(path, image)
            inverted = image.format == "TIFF" and image.mode in _SIXTEEN_BITS and _told(image, _PHOTOMETRIC) == 0
            depth = _bits_of_png(path) if image.format == "PNG" and image.mode == "L" else 8
            pixels = _pixels(path, ImageOps.exif_transpose(image), labels=labels)
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise InputError(path, "declares a picture that is far too large", "crop or downsample it") from None
    except UnidentifiedImageError:
        raise InputError(path, "is damaged or not what its suffix says", _REMEDY) from None
    except _BROKEN as error:
        reason = printable(str(error).partition("\n")[0])[:120] or type(error).__name__
        raise InputError(path, f"is damaged or cut short ({reason})", _REMEDY) from None
    if inverted:
        pixels = np.iinfo(np.uint16).max - pixels
    if labels and pixels.ndim == 2 and depth in (2, 4):
        pixels = pixels.astype(np.uint8) // (255 // (2**depth - 1))
    return np.ascontiguousarray(np.swapaxes(pixels, 0, 1)[:, :, None])


def _check_size(path: Path, image: Image.Image) -> None:
    check_voxel_count(image.size, str(path))
    size = path.stat().st_size
    if image.width * image.height > _PIXELS + _PIXELS_A_BYTE * size:
        problem = f"declares {image.width} x {image.height} pixels in {size} bytes"
        raise InputError(path, problem, "crop or downsample it, or export it again")


def _check_kind(path: Path, image: Image.Image) -> None:
    pages = getattr(image, "n_frames", 1)
    if pages > 1 and image.format != "MPO":  # a JPEG of some phones: its first picture counts
        raise InputError(path, f"is no 2-D image but {pages} pages", "save each as a file of its own")
    if image.mode not in _GREY | {"LA", "P", "PA", "RGB", "RGBA"}:
        kind = "colours for printing (CMYK)" if image.mode == "CMYK" else f"pixels of the kind {image.mode}"
        raise InputError(path, f"has {kind}", "save it in grey or RGB")
    sixteen = image.format == "PNG" and _bits_of_png(path) == 16 and _colours_of_png(path) != _PNG_GREY
    if image.format == "TIFF":
        bits = _told(image, _BITS_PER_SAMPLE)
        sixteen = isinstance(bits, tuple) and len(bits) > 1 and max(bits) > 8
    if sixteen:
        raise InputError(path, "has colours of 16 bits", "save it in grey, or with 8 bits a colour")


def _check_complete(path: Path, image: Image.Image) -> None:
    """Refuse a PNG that fails its checksums and a JPEG without its end; Pillow notices the rest while it decodes."""
    if image.format == "PNG":
        with Image.open(path, formats=["PNG"]) as again:
            again.verify()
    elif image.format in ("JPEG", "MPO") and _JPEG_END not in path.read_bytes()[-_CAMERA_BYTES:]:
        raise InputError(path, "is cut short", _REMEDY)


def _pixels(path: Path, image: Image.Image, *, labels: bool) -> NDArray[np.generic]:
    """Grey (J, I) or colours (J, I, 3)."""
    if image.mode in ("P", "PA"):
        transparent = image.mode == "PA" or "transparency" in image.info
        colours = np.asarray(image.convert("RGBA"))
        if labels and not _is_grey(colours):
            return np.asarray(image.getchannel(0) if image.mode == "PA" else image)
        image = image.convert("RGBA") if transparent else image.convert("RGB")
    elif "transparency" in image.info and image.mode in ("1", "L", "RGB"):  # one grey or colour stands for nothing
        image = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    if image.mode in ("LA", "RGBA"):
        if image.getchannel("A").getextrema()[0] != 255:
            raise InputError(path, "is transparent in places, which have no grey value", "save it without transparency")
        image = image.convert(image.mode[:-1])
    if image.mode == "1":
        image = image.convert("L")
    pixels = np.array(image)
    if pixels.ndim == 3 and _is_grey(pixels):
        return pixels[..., 0]
    # Older versions of Pillow read grey of 16 bits into 32.
    if image.mode in _SIXTEEN_BITS or (image.mode == "I" and pixels.min() >= 0 and pixels.max() < 1 << 16):
        return pixels.astype(np.uint16)
    return pixels


def _is_grey(colours: NDArray[np.generic]) -> bool:
    return bool((colours[..., 0] == colours[..., 1]).all() and (colours[..., 0] == colours[..., 2]).all())


def _told(image: Image.Image, tag: int) -> object:
    """A tag of a TIFF file."""
    return image.tag_v2.get(tag)  # type: ignore[attr-defined]


def _bits_of_png(path: Path) -> int:
    """Of a sample; the header comes first (PNG 11.2.1)."""
    with path.open("rb") as file:
        return file.read(26)[24]


def _colours_of_png(path: Path) -> int:
    with path.open("rb") as file:
        return file.read(26)[25]
