"""Volumes and label maps as files: NRRD, NIfTI, MetaImage, GIPL and DICOM. 2-D images are in `image_files`.

Voxels are indexed [i, j, k] in memory, the order of SimpleITK's `GetSize`.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..disk.suffixes import PICTURE_SUFFIXES, READ_SUFFIXES, SEGMENTATION_SUFFIX, format_of, suffix_of
from ..errors import InputError, Notice
from . import dicom
from .dimension import Dimension
from .file_errors import about, reading, reason_of
from .file_formats import nrrd
from .file_formats.header import understood
from .file_formats.segmentation import fitted, image_grid, merged, segments_of
from .file_formats.voxel_data import TimePoint, read_time_points
from .file_formats.writing import write_image
from .formats import PLANAR_IN_PANEL, PLANAR_REMEDY, READ_FORMATS, check_format
from .geometry import Geometry
from .scan import LabelMap, Scan, as_volume
from .vendors import Vendor, passed_over, vendors_among
from .volume_files import read_geometry as read_geometry
from .volume_files import read_header, read_volumes

_SHOWN = 5  # names of files passed over
_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


def read_volume(path: Path | str) -> Scan:
    """Read a 3-D ultrasound image; colour becomes grey (luminance of ITU-R BT.601).

    Integers of 8 and 16 bits keep their type, all other types become float32.

    Args:
        path: an NRRD, NIfTI, MetaImage, GIPL or DICOM file, or a folder that holds one DICOM series.

    Raises:
        InputError: missing, unreadable, truncated, not finite, constant, 2-D, 4-D, or too large.

    Examples:
        >>> volume = read_volume("images/simulated_0000.nrrd")
        >>> volume.geometry.shape, volume.geometry.spacing
        ((24, 24, 16), (3.3, 3.3, 4.0))
    """
    path = Path(path)
    frames = _read_time_points(path, most=1)
    return _as_volume(path, frames[0], image_name(path))


def split_frames(path: Path | str) -> list[Scan]:
    """Read a 4-D image as one volume a time point, named NAME_000, NAME_001, ...; a 3-D image gives one.

    Raises:
        InputError: as for `read_volume`, except that 4-D is welcome.
    """
    path = Path(path)
    frames = _read_time_points(path)
    return [_as_volume(path, frame, f"{image_name(path)}_{time:03d}") for time, frame in enumerate(frames)]


def read_label_map(path: Path | str) -> LabelMap:
    """Read a label map as uint8: 0 background, 1..254 organs, 255 unlabelled.

    The layers of a segmentation of 3D Slicer become one label map. Slicer stores only the box around the segments: it
    is put on the grid of the image, which the file names or which lies beside it (else see `fitted`). A DICOM
    segmentation may leave out empty slices and is put there, too. A DICOM series holds labels as its stored numbers.

    Raises:
        InputError: as for `read_volume` (a constant label map is fine), colour, values that are not integers from 0
            to 255, or segments that overlap.

    Examples:
        >>> label_map = read_label_map("labels/simulated_0000.nrrd")
        >>> np.unique(label_map.voxels).tolist()
        [0, 1, 2]
    """
    path = Path(path)
    with reading(path):
        if dicom.is_dicom(path):
            return _read_dicom_labels(path)
        check_format(path, READ_SUFFIXES)
        header = read_header(path)
        with understood(path):
            segments = segments_of(header.texts)
        if not segments:
            _check_times(path, header.times, most=1)
            return _as_label_map(path, read_volumes(header), {})
        frames = read_volumes(header)
        voxels, names = merged(path, [layer for layer, _ in frames], segments)
        label_map = _as_label_map(path, [(voxels, header.geometry)], names)
        own_image = image_grid(path, header.texts) or _grid_of_image_beside(path)
        with about(path):
            return label_map if own_image is None else fitted(label_map, own_image)


def _read_dicom_labels(path: Path) -> LabelMap:
    if not dicom.is_segmentation(path):
        return _as_label_map(path, dicom.read_frames(path, labels=True), {})
    voxels, geometry, names = dicom.read_segmentation(path)
    return as_volume(LabelMap(voxels, geometry, image_name(path), names))


def _grid_of_image_beside(segmentation: Path) -> Geometry | None:
    """The grid of the image NAME.* in the folder of a segmentation NAME.seg.nrrd, if it can be read."""
    if suffix_of(segmentation) != SEGMENTATION_SUFFIX:
        return None
    for suffix in READ_SUFFIXES:
        try:
            return read_header(segmentation.with_name(image_name(segmentation) + suffix)).geometry
        except (InputError, OSError):
            continue
    return None


def _as_label_map(path: Path, frames: list[TimePoint], segments: Mapping[int, str]) -> LabelMap:
    voxels, geometry = frames[0]
    if len(frames) > 1 or voxels.ndim != 3:
        raise InputError(path, "is not a label map (4-D or colour)", "give one integer label a voxel, in 3-D")
    with np.errstate(invalid="ignore"):
        labels = voxels.astype(np.uint8)
    if not np.array_equal(labels, voxels):
        raise InputError(path, "holds values that are not labels", "give integers from 0 to 255")
    with about(path):
        return as_volume(LabelMap(labels, geometry, image_name(path), segments))


def write_volume(path: Path | str, volume: Scan) -> None:
    """Write an image, compressed, in the format of the suffix; the file appears complete or not at all.

    Raises:
        InputError: unknown suffix, no such folder, no write permission, or the disk is full.

    Examples:
        >>> write_volume("copy.nii.gz", read_volume("images/simulated_0000.nrrd"))
        >>> read_volume("copy.nii.gz").geometry.shape
        (24, 24, 16)
    """
    write_image(Path(path), volume.voxels, volume.geometry)


def write_label_map(path: Path | str, label_map: LabelMap, metadata: Mapping[str, str] | None = None) -> None:
    """Write a label map like `write_volume`; NRRD and MetaImage keep `metadata`, texts by name.

    Examples:
        >>> label_map = read_label_map("labels/simulated_0000.nrrd")
        >>> write_label_map("copy.nrrd", label_map)
        >>> bool((read_label_map("copy.nrrd").voxels == label_map.voxels).all())
        True
    """
    write_image(Path(path), label_map.voxels, label_map.geometry, metadata, runs=True)


def write_map(path: Path | str, values: NDArray[np.float32], geometry: Geometry) -> None:
    """Write values on the grid of a volume like `write_volume`: (I, J, K), or (C, I, J, K) with C a voxel."""
    write_image(Path(path), values, geometry)


def read_map(path: Path | str) -> tuple[NDArray[Any], Geometry]:
    """Read the values (C, I, J, K) that `write_map` wrote as NRRD, with their grid; C may also be an axis of a list.

    Raises:
        InputError: missing, unreadable, truncated, or not NRRD.
    """
    path = Path(path)
    with reading(path):
        check_format(path, (".nrrd",))
        frames = read_time_points(nrrd.read_header(path, values=True))
    voxels, geometry = frames[0]
    if voxels.ndim == 4 and len(frames) == 1:
        return np.moveaxis(voxels, 3, 0), geometry
    return np.stack([frame for frame, _ in frames]), geometry


def find_images(folder: Path | str, dimension: Dimension = 3, *, labels: bool = False) -> dict[str, Path]:
    """The images directly in a folder by name, sorted: files of a known format and sub-folders with DICOM.

    Hidden files and files of other kinds are passed over, and so are pictures (PNG and the like) unless the dimension
    is 2; volumes in formats of vendors with a notice. If an image and its segmentation (NAME.seg.nrrd) lie in one
    folder, the segmentation counts when `labels` are wanted, else the image. DICOM segmentations count when `labels`
    are wanted, or where there are no images; NAME_SEG.dcm has the name NAME.

    Raises:
        InputError: not a folder, no images, only volumes in the format of a vendor, or two images of the same name.

    Examples:
        >>> list(find_images("images"))
        ['simulated_0000', 'simulated_0001', 'simulated_0002']
    """
    folder, pictures = Path(folder), dimension == 2
    suffixes = (*READ_SUFFIXES, *PICTURE_SUFFIXES) if pictures else READ_SUFFIXES
    try:
        everything = sorted(folder.iterdir())
        entries = [entry for entry in everything if _is_image(entry, suffixes)]
        entries = _without_companions(folder, entries, labels=labels)
        vendors = vendors_among(everything)
    except NotADirectoryError:
        raise InputError(folder, "is a file, not a folder", "give the folder that it is in") from None
    except OSError as error:
        problem = f"cannot be read ({reason_of(error)})"
        raise InputError(error.filename or folder, problem, "give a readable folder of images") from None
    images: dict[str, Path] = {}
    for entry in entries:
        name = image_name(entry)
        if name in images:
            segmentations = [path for path in (images[name], entry) if _is_segmentation(path)]
            if len(segmentations) == 1:  # beside its image, in the folder of either
                images[name] = next(path for path in (images[name], entry) if (path in segmentations) == labels)
                continue
            problem = f"has two images of the name {name} ({images[name].name} and {entry.name})"
            raise InputError(folder, problem, "rename or remove one of them")
        images[name] = entry
    if not images:
        raise _without_images(folder, everything, vendors, pictures=pictures)
    if not labels:
        for notice in passed_over(folder, vendors, images):
            warnings.warn(notice, stacklevel=2)
    return dict(sorted(images.items()))


def _without_images(
    folder: Path, everything: Sequence[Path], vendors: Mapping[Path, Vendor], *, pictures: bool
) -> InputError:
    """The error about a folder in which nothing can be read."""
    for path, vendor in vendors.items():
        return vendor.refusal(path)
    if not pictures and any(suffix_of(entry) in PICTURE_SUFFIXES for entry in everything):
        return InputError(folder, "holds no volumes, only 2-D images", PLANAR_REMEDY, in_panel=PLANAR_IN_PANEL)
    formats = f"PNG, JPEG, BMP, TIFF, {READ_FORMATS}" if pictures else READ_FORMATS
    return InputError(folder, "holds no images", f"put {formats} files into it")


def image_name(path: Path) -> str:
    """The file name without its format suffix; the name of a folder as it is."""
    name = path.absolute().name
    if path.is_dir():
        return name
    return name[: len(name) - len(suffix_of(path))].removesuffix(dicom.FILE_ENDING if suffix_of(path) == ".dcm" else "")


def _is_image(entry: Path, suffixes: tuple[str, ...]) -> bool:
    if entry.name.startswith("."):
        return False
    return (format_of(entry) in suffixes and entry.is_file()) or dicom.is_dicom(entry)


def _is_dicom_segmentation(path: Path) -> bool:
    return dicom.is_dicom(path) and not dicom.holds(path, "image") and dicom.is_segmentation(path)


def _is_segmentation(path: Path) -> bool:
    return suffix_of(path) == SEGMENTATION_SUFFIX or _is_dicom_segmentation(path)


def _without_companions(folder: Path, entries: list[Path], *, labels: bool) -> list[Path]:
    """The images among entries, and DICOM segmentations among labels or alone; reports and the like never count."""
    images = [entry for entry in entries if not dicom.is_dicom(entry) or dicom.holds(entry, "image")]
    others = set(entries).difference(images)
    segmentations = [entry for entry in entries if entry in others and dicom.is_segmentation(entry)]
    kept = images + segmentations if labels or not images else images
    others.difference_update(kept)
    if passed := [entry.name for entry in entries if entry in others]:
        more = f" and {len(passed) - _SHOWN} more" if len(passed) > _SHOWN else ""
        what = f"passed over, as no images: {', '.join(passed[:_SHOWN])}{more}"
        warnings.warn(Notice(folder, what), stacklevel=3)
    return sorted(kept)


def _as_volume(path: Path, frame: TimePoint, name: str) -> Scan:
    voxels, geometry = frame
    with about(path):
        return as_volume(Scan(grey_voxels(voxels), geometry, name))


def grey_voxels(voxels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Grey (I, J, K) of (I, J, K) or colours (I, J, K, 3 or 4), in a type that images have in memory."""
    if voxels.ndim == 4:
        voxels = _luminance(voxels)
    if voxels.dtype not in (np.uint8, np.int8, np.uint16, np.int16):
        with np.errstate(over="ignore"):
            voxels = voxels.astype(np.float32)
    return voxels


def _luminance(colours: NDArray[np.generic]) -> NDArray[np.generic]:
    """Grey (I, J, K) of red, green, blue and perhaps opacity (I, J, K, 3 or 4), in the type of the input."""
    whole = colours.dtype.kind in "iu"
    luminance = np.empty(colours.shape[:-1], colours.dtype if whole else np.float32)
    for grey, slab in zip(luminance, colours[..., :3], strict=True):  # one after the other, to spare memory
        values = slab.astype(np.float32) @ _LUMINANCE
        grey[...] = np.rint(values) if whole else values
    return luminance


def _read_time_points(path: Path, most: int | None = None) -> list[TimePoint]:
    """The time points of an image, perhaps at most so many: voxels (I, J, K) or (I, J, K, colours), with their grid."""
    with reading(path):
        if dicom.is_dicom(path):
            frames = dicom.read_frames(path)
            _check_times(path, len(frames), most)
            return frames
        check_format(path, READ_SUFFIXES)
        header = read_header(path)
        if suffix_of(path) == SEGMENTATION_SUFFIX:
            raise InputError(path, "is a segmentation, not an image", "give the image that was segmented")
        _check_times(path, header.times, most)
        return read_volumes(header)


def _check_times(path: Path, times: int, most: int | None) -> None:
    if most is not None and times > most:
        problem = f"holds {times} volumes over time (4-D)"
        remedy = "save the time point of interest as a file of its own"
        where = "uslabelseg split, Slicer's Sequences"
        raise InputError(path, problem, f"{remedy} ({where})", in_panel=f"{remedy} in Slicer's module Sequences")
