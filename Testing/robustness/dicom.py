"""DICOM files of every kind, cut, with flipped bits, changed attributes and lengths: read sensibly or refused."""

import io
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813
from dicom_files import ULTRASOUND_IMAGE, dicom_image, enhanced, item, oblique, segmentation_of, series_of
from PIL import Image
from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
)

from robustness.bombs import check_memory, peak_megabytes
from robustness.runner import Check
from robustness.valid_files import outcome
from USLabelEfficientSegLib.imaging.files import find_images, read_label_map, read_volume, split_frames
from USLabelEfficientSegLib.imaging.image_files import read_image, read_image_labels
from USLabelEfficientSegLib.imaging.pixel_sizes import PixelSizes
from USLabelEfficientSegLib.imaging.scan_files import dimension_of

SIZES = PixelSizes(otherwise=0.5)
SHORT = 64  # values of attributes that are changed
VALUES = (
    "", "0", "-1", "1", "2", "3", "255", "65535", "65536", "2147483647", "2147483648", "-2147483648", "1e308", "-1e308",
    "nan", "inf", "1e-320", "x", "1\\2", "1\\2\\3", "1\\0\\0\\0\\1\\0", "0\\0\\0\\0\\0\\0", "nan\\0\\0", "\\", "é",
    "\x1b[2J",
    "9" * 5000, "MONOCHROME1", "PALETTE COLOR", "YBR_FULL_422", "RGB", "CMYK", "BINARY", "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2", "1.2.840.10008.5.1.4.1.1.66.4", "ISO_IR 13",
)  # fmt: skip
NAMES = (
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PhotometricInterpretation", "PlanarConfiguration", "PixelSpacing", "ImagePositionPatient",
    "ImageOrientationPatient", "SpacingBetweenSlices", "SliceThickness", "ImagerPixelSpacing", "RescaleSlope",
    "RescaleIntercept", "FrameTime", "FrameTimeVector", "FrameIncrementPointer", "InstanceNumber", "SOPClassUID",
    "SOPInstanceUID", "SeriesInstanceUID", "SpecificCharacterSet", "TemporalPositionIdentifier", "SegmentationType",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "SequenceOfUltrasoundRegions",
    "RedPaletteColorLookupTableDescriptor", "MaximumFractionalValue", "SegmentSequence", "SliceLocationVector",
)  # fmt: skip


def checks(count: int, seed: int, folder: Path) -> Iterator[Check]:
    """One to three changes of a random file; the last check is of the memory."""
    random = np.random.default_rng(seed)
    files = valid_files()
    before = peak_megabytes()
    ways: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (_bits, _length, _piece, _attributes)
    for _ in range(count - 1):
        name = str(random.choice(sorted(files)))
        content = files[name]
        if random.random() < 0.25:
            kept = int(random.integers(len(content)))
            yield f"{name} cut at {kept}", partial(_check_cut, folder / "a.dcm", content, kept)
            continue
        told = []
        for _ in range(int(random.integers(1, 4))):
            way = ways[random.integers(len(ways))]
            content = way(content, random)
            told.append(way.__name__)
        yield f"{name} {' '.join(told)}", partial(_check_changed, folder / "a.dcm", content)
    yield "memory", partial(check_memory, before)


def valid_files() -> dict[str, bytes]:
    """Files of every kind that is read, by what they are."""
    grid = oblique()
    voxels = np.random.default_rng(0).integers(0, 256, grid.shape).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(np.arange(48 * 64, dtype=np.uint8).reshape(48, 64)).save(stream, "JPEG")
    jpeg = dicom_image(np.zeros((1, 48, 64), np.uint8), ULTRASOUND_IMAGE, "1.2.3")
    jpeg.file_meta.TransferSyntaxUID, jpeg.PixelData = JPEGBaseline8Bit, encapsulate([stream.getvalue()])
    jpeg["PixelData"].is_undefined_length = True
    region = item(RegionSpatialFormat=1, PhysicalUnitsXDirection=3, PhysicalUnitsYDirection=3)
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.03
    jpeg.SequenceOfUltrasoundRegions = [region]
    packed, deflated, implicit = (enhanced(voxels.astype(kind), grid) for kind in (np.uint8, np.uint8, np.uint16))
    packed.compress(RLELossless)
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    implicit.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    lossless = enhanced(voxels, grid)
    lossless.file_meta.TransferSyntaxUID, lossless.PixelData = JPEGLosslessSV1, _lossless_jpeg(voxels)
    lossless["PixelData"].is_undefined_length = True
    datasets = {
        "enhanced": enhanced(voxels, grid, "Patient"), "over time": enhanced(voxels, grid, times=2), "packed": packed,
        "lossless": lossless,
        "deflated": deflated, "implicit": implicit, "jpeg": jpeg, "slice": series_of(voxels, grid)[1],
        "segmentation": segmentation_of(), "fractions": segmentation_of(kind="FRACTIONAL"),
        "labels": segmentation_of(kind="LABELMAP"),
    }  # fmt: skip
    return {name: _bytes_of(dataset) for name, dataset in datasets.items()}


def _lossless_jpeg(voxels: np.ndarray) -> bytes:
    """The encapsulated frames, as GDCM compresses them."""
    with tempfile.TemporaryDirectory() as folder:
        writer = sitk.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG")
        writer.SetFileName(f"{folder}/a.dcm")
        writer.Execute(sitk.GetImageFromArray(np.swapaxes(voxels, 0, 2)))
        return pydicom.dcmread(f"{folder}/a.dcm").PixelData


def _bytes_of(dataset: Dataset) -> bytes:
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _bits(content: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for _ in range(int(random.integers(1, 9))):
        changed[random.integers(len(changed))] ^= 1 << random.integers(8)
    return bytes(changed)


def _length(content: bytes, random: np.random.Generator) -> bytes:
    """A length, or whatever stands there, becomes very large."""
    at = int(random.integers(132, max(len(content) - 4, 133)))
    value = random.choice([b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\x01\0\0\0", b"\xfe\xff\0\xe0"])
    return content[:at] + bytes(value) + content[at + 4 :]


def _piece(content: bytes, random: np.random.Generator) -> bytes:
    """A piece is left out, doubled, or put somewhere else."""
    start, end, at = sorted(random.integers(0, len(content), 3).tolist())
    end = min(end, start + 200)
    piece = content[start:end]
    places = {"out": (start, end, b""), "doubled": (end, end, piece), "elsewhere": (at, at, piece)}
    before, after, put = places[str(random.choice(sorted(places)))]
    return content[:before] + put + content[after:]


def _attributes(content: bytes, random: np.random.Generator) -> bytes:
    """An attribute, at the top or deeper down, is removed or gets another value."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return _with_another_attribute(pydicom.dcmread(io.BytesIO(content)), random)
    except Exception:  # damaged by an earlier change, or a value that cannot be written
        return content


def _with_another_attribute(dataset: Dataset, random: np.random.Generator) -> bytes:
    name = str(random.choice(NAMES))
    places = [dataset, *_items(dataset)]
    place = places[random.integers(len(places))] if random.random() < 0.5 else dataset
    inside = [element.keyword for element in place if element.keyword and element.keyword != "PixelData"]
    if inside and random.random() < 0.6:
        name = str(random.choice(inside))
    value, tag = str(random.choice(VALUES)), tag_for_keyword(name)
    assert tag is not None
    place.pop(tag, None)
    if random.random() < 0.85:
        kind = dictionary_VR(tag)
        kind = "UN" if kind not in ("DS", "IS", "CS", "UI", "LO", "PN") else kind
        encoded = value.encode("latin-1", "replace") if kind == "UN" else value
        place.add(DataElement(tag, kind, encoded, validation_mode=config.IGNORE))
    return _bytes_of(dataset)


def _items(dataset: Dataset) -> Iterator[Dataset]:
    for element in dataset:
        if element.VR == "SQ":
            for entry in element.value:
                yield entry
                yield from _items(entry)


def _check_cut(path: Path, content: bytes, kept: int) -> None:
    """A file that was cut is refused, or nothing was lost."""
    path.write_bytes(content)
    whole = _found(path)
    path.write_bytes(content[:kept])
    for one, other in zip(whole, _found(path), strict=True):
        assert other is None or (one is not None and np.array_equal(one.voxels, other.voxels)), "other voxels"
        assert other is None or one.geometry.same_grid(other.geometry, 1e-9), "another place"


def _check_changed(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for found in _found(path):
        if found is not None:
            assert found.voxels.shape == found.geometry.shape
            assert np.isfinite(np.asarray(found.voxels, dtype=np.float64)).all()
            assert found.voxels.size <= 100 * len(content), "more than the file can hold"


def _found(path: Path) -> list:
    """What all readers make of a file; what is refused is None."""
    outcome(find_images, path.parent)
    outcome(dimension_of, path)
    outcome(split_frames, path)
    planar = partial(read_image, sizes=SIZES), partial(read_image_labels, sizes=SIZES)
    return [outcome(read, path) for read in (read_volume, read_label_map, *planar)]
