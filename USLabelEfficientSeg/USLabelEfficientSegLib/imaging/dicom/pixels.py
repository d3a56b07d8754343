"""From Pixel Data to grey values or red, green and blue (PS3.3 C.7.6.3, PS3.5 section 8).

The number of bytes is compared with the declared one before anything is decoded: a small file cannot ask for much
memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import generate_frames, parse_fragments
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, convert_color_space
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    JPEG2000,
    UID,
    JPEG2000Lossless,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSTransferSyntaxes,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

from ...disk.ascii_folder import ascii_folder
from ...errors import InputError
from ..geometry import check_voxel_count
from .gdcm import decode_with_gdcm
from .jpeg import decode_jpeg, transformed_by_jpeg2000
from .values import count_of, frame_count, shown, told

_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_PALETTE = "PALETTE COLOR"
_OF_GDCM = (
    *JPEGLSTransferSyntaxes, JPEG2000, JPEG2000Lossless, JPEGLossless, JPEGLosslessSV1, JPEGExtended12Bit,
)  # fmt: skip
_PIXEL_ATTRIBUTES = (
    "SamplesPerPixel", "NumberOfFrames", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PlanarConfiguration",
)  # fmt: skip
_JPEG = (JPEGBaseline8Bit, JPEGExtended12Bit)
_UNPACKED_BYTES, _PACKING = 1 << 27, 100  # compressed pixels may be so many, or so many times their bytes


@dataclass(frozen=True)
class _Layout:
    """The pixels that a data set declares."""

    rows: int
    columns: int
    samples: int
    frames: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    photometric: str

    @property
    def shape(self) -> tuple[int, ...]:
        """(F, J, I) or (F, J, I, 3)."""
        return (self.frames, self.rows, self.columns, *((self.samples,) if self.samples > 1 else ()))

    @property
    def bytes(self) -> int:
        """Of native pixels; YBR_FULL_422 leaves out half of the chroma."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return -(-self.frames * self.rows * self.columns * samples * self.bits_allocated // 8)


def pixels_of(dataset: Dataset, file: Path, *, stored: bool = False) -> NDArray[np.generic]:
    """Decode all frames.

    MONOCHROME1 is turned so that large values are bright, a palette becomes its colours, and rescale slope, intercept
    or look-up table are applied. Windows (VOI LUT) are not: they cut off values and are for display.

    Args:
        dataset: with its pixels.
        file: that it was read from, for messages.
        stored: return the numbers that are stored, which are the labels of a label map.

    Returns:
        Grey (F, J, I), or red, green and blue (F, J, I, 3).

    Raises:
        InputError: pixels of a kind or compression that cannot be read, or another amount than declared.
        ValueError, RuntimeError, ...: damaged.
    """
    layout = _layout(dataset, file)
    check_voxel_count(layout.shape[:3], str(file))
    _check_amount(dataset, layout, file)
    pixels = _decoded(dataset, layout, file)
    if pixels.size != prod(layout.shape):
        problem = f"declares {layout.frames} frames, but holds {pixels.size / prod(layout.shape[1:]):g}"
        raise InputError(file, problem, "export the file again")
    pixels = pixels.reshape(layout.shape)
    if stored:
        return pixels
    if layout.photometric == _PALETTE:
        pixels = apply_color_lut(pixels, dataset)
        return pixels[..., 0] if (pixels == pixels[..., :1]).all() else pixels[..., :3]
    if layout.photometric == "MONOCHROME1":
        pixels = (-1 if layout.signed else 2**layout.bits_stored - 1) - pixels
    return _rescaled(pixels, dataset)


def _layout(dataset: Dataset, file: Path) -> _Layout:
    samples = count_of(dataset, "SamplesPerPixel", 1)
    bits = count_of(dataset, "BitsAllocated", 8)
    layout = _Layout(
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        samples=samples,
        frames=frame_count(dataset),
        bits_allocated=bits,
        bits_stored=count_of(dataset, "BitsStored", bits),
        signed=count_of(dataset, "PixelRepresentation", 0) == 1,
        photometric=str(told(dataset, "PhotometricInterpretation") or ("MONOCHROME2" if samples == 1 else "RGB")),
    )
    known = (*_GREY, _PALETTE) if samples == 1 else _COLOURS
    if samples not in (1, 3) or layout.photometric not in known:
        problem = f"has pixels of the kind {shown(layout.photometric)} with {samples} values"
        raise InputError(file, problem, "export it in grey or RGB")
    if layout.photometric == _PALETTE and not told(dataset, "RedPaletteColorLookupTableDescriptor"):
        problem = f"has pixels of the kind {layout.photometric}, but no palette"
        raise InputError(file, problem, "export it in grey or RGB")
    if min(layout.shape) < 1 or bits not in (1, 8, 16, 32) or not 1 <= layout.bits_stored <= bits:
        sizes = f"{' x '.join(map(str, layout.shape))} pixels of {layout.bits_stored} in {bits} bits"
        raise ValueError(sizes)
    return layout


def _check_amount(dataset: Dataset, layout: _Layout, file: Path) -> None:
    """Refuse pixel data that are fewer, or more by a frame, than declared."""
    data = dataset.PixelData
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        if not layout.bytes <= len(data) < layout.bytes * (1 + 1 / layout.frames):
            problem = f"declares {layout.bytes} bytes of pixels ({layout.frames} frames), but holds {len(data)}"
            raise InputError(file, f"is damaged or cut short: it {problem}", "copy or export the file again")
        return
    items, _ = parse_fragments(data)
    if layout.frames > items:
        problem = f"is damaged or cut short: it declares {layout.frames} frames, but holds at most {items}"
        raise InputError(file, problem, "copy or export the file again")
    unpacked = prod(layout.shape) * layout.bits_allocated // 8
    if unpacked > max(_UNPACKED_BYTES, _PACKING * len(data)):
        problem = f"declares {unpacked >> 20} MB of pixels in {len(data)} compressed bytes"
        raise InputError(file, problem, "export it without compression")


def _decoded(dataset: Dataset, layout: _Layout, file: Path) -> NDArray[np.generic]:
    """All values, in the order of frames, rows and columns; colours as red, green and blue."""
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    _complete(dataset, layout)
    if syntax in _JPEG and layout.bits_allocated == 8:
        return _of_jpeg(dataset, layout)
    if layout.bits_allocated == 1 and not syntax.is_encapsulated:  # frames need not begin with a byte (PS3.5 8.1.1)
        return np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")[: prod(layout.shape)]
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        problem = f"has pixels in a transfer syntax that cannot be read ({shown(syntax.name)})"
        raise InputError(file, problem, "export it without compression") from None
    beyond_pillow = syntax == JPEGExtended12Bit and decoder.available_plugins == ("pillow",)
    if decoder.is_available and not beyond_pillow:
        if syntax in JPEG2000TransferSyntaxes and layout.samples == 3:
            dataset.PhotometricInterpretation = _colours_of_jpeg2000(dataset, layout)
        return _without_unused_bits(pixel_array(dataset, allow_excess_frames=False), layout)
    if syntax in _OF_GDCM:
        return _without_unused_bits(_by_gdcm(dataset, layout), layout)
    missing = next((line.rpartition("requires ")[2] for line in decoder.missing_dependencies), "a plugin of pydicom")
    problem = f"is compressed as {syntax.name}, for which {missing} is missing"
    raise InputError(file, problem, "install it, or export the file without compression")


def _complete(dataset: Dataset, layout: _Layout) -> None:
    """Fill in attributes that decoders need and that are absent or empty."""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = layout.samples, layout.photometric
    dataset.BitsAllocated, dataset.BitsStored = layout.bits_allocated, layout.bits_stored
    dataset.HighBit = count_of(dataset, "HighBit", layout.bits_stored - 1)
    dataset.PixelRepresentation = int(layout.signed)
    dataset.NumberOfFrames = layout.frames
    if layout.samples > 1:
        dataset.PlanarConfiguration = count_of(dataset, "PlanarConfiguration", 0)


def _streams(dataset: Dataset, layout: _Layout) -> Iterator[bytes]:
    """The compressed frames."""
    offsets = told(dataset, "ExtendedOffsetTable"), told(dataset, "ExtendedOffsetTableLengths")
    return generate_frames(
        dataset.PixelData,
        number_of_frames=layout.frames,
        extended_offsets=offsets if offsets[0] and offsets[1] else None,
    )


def _of_jpeg(dataset: Dataset, layout: _Layout) -> NDArray[np.uint8]:
    pixels = np.empty(layout.shape, dtype=np.uint8)
    count = 0
    for count, stream in enumerate(_streams(dataset, layout), start=1):
        if count > layout.frames:
            raise ValueError(f"more than {layout.frames} frames")
        frame = decode_jpeg(stream, (layout.columns, layout.rows), rgb=layout.photometric == "RGB")
        pixels[count - 1] = frame
    if count < layout.frames:
        raise ValueError(f"{count} of {layout.frames} frames")
    return pixels


def _colours_of_jpeg2000(dataset: Dataset, layout: _Layout) -> str:
    if transformed_by_jpeg2000(next(_streams(dataset, layout))):
        return "YBR_RCT"  # pydicom: decoders return it as red, green and blue
    return "RGB" if layout.photometric in ("YBR_RCT", "YBR_ICT") else layout.photometric


def _by_gdcm(dataset: Dataset, layout: _Layout) -> NDArray[np.generic]:
    """Decode with GDCM, which sees the pixels alone: it would turn, rescale and colour them by itself."""
    bare = Dataset()
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    for name in (*_PIXEL_ATTRIBUTES, "PixelData"):
        if name in dataset:
            bare[name] = dataset[name]
    bare.SOPClassUID = bare.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    bare.SOPInstanceUID = bare.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    bare.PhotometricInterpretation = "MONOCHROME2" if layout.samples == 1 else "RGB"
    with ascii_folder() as folder:
        path = folder / "pixels.dcm"
        bare.save_as(path, enforce_file_format=True)
        pixels = decode_with_gdcm(path)
    if layout.photometric.startswith("YBR_FULL"):
        return convert_color_space(pixels.reshape(layout.shape), "YBR_FULL", "RGB")
    return pixels


def _without_unused_bits(pixels: NDArray[np.generic], layout: _Layout) -> NDArray[np.generic]:
    """Values of the bits that are stored: above them there may be overlays or anything (PS3.5 8.1.1)."""
    unused = 8 * pixels.itemsize - layout.bits_stored
    if layout.samples > 1 or layout.bits_allocated == 1 or unused <= 0 or pixels.dtype.kind not in "iu":
        return pixels
    kind = np.dtype(f"{'i' if layout.signed else 'u'}{pixels.itemsize}")
    return (pixels.astype(kind) << kind.type(unused)) >> kind.type(unused)


def _rescaled(pixels: NDArray[np.generic], dataset: Dataset) -> NDArray[np.generic]:
    slope, intercept = told(dataset, "RescaleSlope"), told(dataset, "RescaleIntercept")
    if told(dataset, "ModalityLUTSequence"):
        return apply_modality_lut(pixels, dataset)
    slope, intercept = float(1 if slope is None else slope), float(intercept or 0)
    if not (np.isfinite([slope, intercept]).all() and slope):
        raise ValueError(f"rescale slope {slope:g} and intercept {intercept:g}")
    return pixels if (slope, intercept) == (1, 0) else pixels.astype(np.float64) * slope + intercept
