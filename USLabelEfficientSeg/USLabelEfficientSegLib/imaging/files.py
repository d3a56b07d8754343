"""Volumes and label maps as files: NRRD, NIfTI, MetaImage, GIPL and DICOM. 2-D images are in `image_files`.

Voxels are indexed [i, j, k] in memory, the order of SimpleITK's `GetSize`.
"""

import errno
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name that its users know
from numpy.typing import NDArray

from ..errors import InputError
from . import dicom
from .integrity import UNCHECKED_BY_ITK, check_complete
from .units import check_millimetres
from .volume import Geometry, LabelMap, UltrasoundVolume, check_voxel_count

READ_SUFFIXES = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd", ".gipl", ".gipl.gz")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")  # of 2-D images without pixel size
WRITE_SUFFIXES = (".nrrd", ".nii", ".nii.gz", ".mha")
_FORMATS = "NRRD, NIfTI, MetaImage, GIPL or DICOM"
PLANAR_REMEDY = "give 3-D volumes, or make a study of 2-D images alone (study create --dimension 2)"
_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
_STDERR = 2
_stderr_lock = threading.Lock()

Frame = tuple[NDArray[np.generic], Geometry]


def read_volume(path: Path | str) -> UltrasoundVolume:
    """Read a 3-D ultrasound image; colour becomes grey (luminance of ITU-R BT.601).

    Integers of 8 and 16 bits keep their type, all other types become float32.

    Args:
        path: an NRRD, NIfTI, MetaImage, GIPL or DICOM file, or a folder that holds one DICOM series.

    Raises:
        InputError: missing, unreadable, truncated, not finite, constant, 2-D, 4-D, or too large.
    """
    path = Path(path)
    frames = _read_frames(path)
    if len(frames) > 1:
        problem = f"holds {len(frames)} volumes over time (4-D)"
        raise InputError(path, problem, "save the time point of interest as its own 3-D file")
    return _as_volume(path, frames[0], image_name(path))


def read_geometry(path: Path | str) -> Geometry:
    """The grid of a 3-D image file, from its header alone.

    Raises:
        InputError: missing, unreadable, or 2-D.
    """
    path, reader = Path(path), sitk.ImageFileReader()
    with reading(path):
        check_format(path, READ_SUFFIXES)
        reader.SetFileName(str(path))
        try:
            with quiet():
                reader.ReadImageInformation()
        except RuntimeError:
            raise InputError(path, "is damaged or not what its suffix says", "copy or export the file again") from None
        if reader.GetDimension() < 3:
            raise InputError(path, "is a 2-D image", "give a 3-D volume")
        return _geometry_of(reader)


def split_frames(path: Path | str) -> list[UltrasoundVolume]:
    """Read a 4-D image as one volume a time point, named NAME_000, NAME_001, ...; a 3-D image gives one.

    Raises:
        InputError: as for `read_volume`, except that 4-D is welcome.
    """
    path = Path(path)
    frames = _read_frames(path)
    return [_as_volume(path, frame, f"{image_name(path)}_{time:03d}") for time, frame in enumerate(frames)]


def read_label_map(path: Path | str) -> LabelMap:
    """Read a label map as uint8: 0 background, 1..254 organs, 255 unlabelled.

    Raises:
        InputError: as for `read_volume` (a constant label map is fine), colour, or values that are not
            integers from 0 to 255.
    """
    path = Path(path)
    frames = _read_frames(path)
    voxels, geometry = frames[0]
    if len(frames) > 1 or voxels.ndim != 3:
        raise InputError(path, "is not a label map (4-D or colour)", "give one integer label a voxel, in 3-D")
    with np.errstate(invalid="ignore"):
        labels = voxels.astype(np.uint8)
    if not np.array_equal(labels, voxels):
        raise InputError(path, "holds values that are not labels", "give integers from 0 to 255")
    with about(path):
        return LabelMap(labels, geometry, image_name(path))


def write_volume(path: Path | str, volume: UltrasoundVolume) -> None:
    """Write an image, compressed, in the format of the suffix; the file appears complete or not at all.

    Raises:
        InputError: unknown suffix, no such folder, no write permission, or the disk is full.
    """
    _write(Path(path), volume.voxels, volume.geometry)


def write_label_map(path: Path | str, label_map: LabelMap, metadata: Mapping[str, str] | None = None) -> None:
    """Write a label map like `write_volume`; NRRD and MetaImage keep `metadata`, texts by name."""
    _write(Path(path), label_map.voxels, label_map.geometry, metadata)


def write_map(path: Path | str, values: NDArray[np.float32], geometry: Geometry) -> None:
    """Write values on the grid of a volume like `write_volume`: (I, J, K), or (C, I, J, K) with C a voxel."""
    _write(Path(path), values, geometry)


def find_images(folder: Path | str, *, pictures: bool = False) -> dict[str, Path]:
    """The images directly in a folder by name, sorted: files of a known format and sub-folders with DICOM.

    Hidden files and files of other kinds are passed over, and so are pictures unless `pictures` asks for them.

    Raises:
        InputError: not a folder, no images, or two images of the same name.
    """
    folder = Path(folder)
    suffixes = (*READ_SUFFIXES, *PICTURE_SUFFIXES) if pictures else READ_SUFFIXES
    try:
        entries = sorted(entry for entry in folder.iterdir() if _is_image(entry, suffixes))
        others = () if entries or pictures else tuple(folder.iterdir())
    except OSError as error:
        problem = f"cannot be read ({_reason(error)})"
        raise InputError(error.filename or folder, problem, "give a readable folder of images") from None
    images: dict[str, Path] = {}
    for entry in entries:
        name = image_name(entry)
        if name in images:
            problem = f"has two images of the name {name} ({images[name].name} and {entry.name})"
            raise InputError(folder, problem, "rename or remove one of them")
        images[name] = entry
    if any(_suffix(entry) in PICTURE_SUFFIXES for entry in others):
        raise InputError(folder, "holds no volumes, only 2-D images", PLANAR_REMEDY)
    if not images:
        formats = f"PNG, JPEG, BMP, TIFF, {_FORMATS}" if pictures else _FORMATS
        raise InputError(folder, "holds no images", f"put {formats} files into it")
    return dict(sorted(images.items()))


def image_name(path: Path) -> str:
    """The file name without its format suffix; the name of a folder as it is."""
    name = path.absolute().name
    return name if path.is_dir() else name[: len(name) - len(_suffix(path))]


def _is_image(entry: Path, suffixes: tuple[str, ...]) -> bool:
    if entry.name.startswith("."):
        return False
    return (_suffix(entry) in suffixes and entry.is_file()) or dicom.is_dicom(entry)


def _suffix(path: Path) -> str:
    name = path.name.lower()
    known = [suffix for suffix in (*READ_SUFFIXES, *PICTURE_SUFFIXES, ".dcm") if name.endswith(suffix)]
    return max(known, key=len, default="")


def _as_volume(path: Path, frame: Frame, name: str) -> UltrasoundVolume:
    voxels, geometry = frame
    with about(path):
        return UltrasoundVolume(grey_voxels(voxels), geometry, name)


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
    grey = colours[..., :3].astype(np.float32) @ _LUMINANCE
    return np.rint(grey).astype(colours.dtype) if colours.dtype.kind in "iu" else grey


def _read_frames(path: Path) -> list[Frame]:
    """The time points of an image: voxels (I, J, K) or (I, J, K, colours), with their grid."""
    with reading(path):
        if dicom.is_dicom(path):
            return dicom.read_frames(path)
        check_format(path, READ_SUFFIXES)
        return read_with_itk(path)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system says while reading a file into one sentence that names it."""
    try:
        with about(path):
            yield
    except OSError as error:
        problem = f"cannot be read ({_reason(error)})"
        raise InputError(path, problem, "check the path and its permissions") from None
    except MemoryError:
        raise InputError(path, "does not fit into memory", "crop the image or close other programs") from None


def check_format(path: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse a folder, a missing file (`OSError`), and a file without one of the suffixes."""
    if path.is_dir():
        problem = "is a folder without DICOM images"
        raise InputError(path, problem, "give an image file or the folder of a DICOM series")
    with path.open("rb"):  # tells about a missing file or permission in plain words
        pass
    if _suffix(path) in suffixes:
        return
    if _suffix(path) in PICTURE_SUFFIXES:
        raise InputError(path, "is a 2-D image", PLANAR_REMEDY)
    raise InputError(path, "is not of a format that can be read", f"convert it to {_FORMATS}")


def read_with_itk(path: Path, *, planar: bool = False) -> list[Frame]:
    """Read a file with SimpleITK: the volume of each time point, or with `planar` the one slice of a 2-D image.

    The spacing of a picture means nothing.

    Raises:
        InputError: damaged, too large, of another dimension, or without a spacing in mm.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        with quiet():
            reader.ReadImageInformation()
            size = reader.GetSize()
            if planar and max(size[2:], default=1) > 1:
                problem = f"is no 2-D image but a volume of {' x '.join(map(str, size))} voxels"
                raise InputError(path, problem, "keep volumes and 2-D images in folders of their own")
            if not planar and len(size) < 3:
                raise InputError(path, "is a 2-D image", PLANAR_REMEDY)
            check_voxel_count(size, path.name)
            check_millimetres(path, 2 if planar else 3)
            if _suffix(path) in UNCHECKED_BY_ITK:
                check_complete(path)
            image = reader.Execute()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].split("ERROR: ")[-1].rstrip(".! ")
        detail = "" if "Reason:" in reason or "Unable to determine" in reason else f" ({reason})"
        problem = f"is damaged, cut short or not what its suffix says{detail}"
        raise InputError(path, problem, "copy or export the file again") from None
    colours, kind = image.GetNumberOfComponentsPerPixel(), image.GetPixelIDTypeAsString()
    if colours not in (1, 3, 4) or "complex" in kind:
        problem = f"has voxels of the kind {kind} with {colours} values"
        raise InputError(path, problem, "give a grey or RGB image")
    geometry = _geometry_of(image)
    channels = (colours,) if colours > 1 else ()
    frames = sitk.GetArrayViewFromImage(image).reshape(-1, *geometry.shape[::-1], *channels)
    order = (2, 1, 0, 3)[: frames.ndim - 1]
    return [(np.array(frame.transpose(order), order="C"), geometry) for frame in frames]


def _geometry_of(image: sitk.Image | sitk.ImageFileReader) -> Geometry:
    """The first three axes of a 3-D or 4-D image; a 2-D image lies at k = 0, 1 mm thick."""
    dimension = image.GetDimension()
    direction = np.eye(3)
    axes = min(dimension, 3)
    direction[:axes, :axes] = np.array(image.GetDirection()).reshape(dimension, dimension)[:3, :3]
    i, j, k = (*image.GetSize(), 1)[:3]
    x, y, z = (*image.GetOrigin(), 0.0)[:3]
    return Geometry((i, j, k), (*image.GetSpacing(), 1.0)[:3], (x, y, z), direction)


def _is_flat(geometry: Geometry) -> bool:
    """Whether a geometry says no more than that of a 2-D image."""
    across = (geometry.shape[2], geometry.spacing[2], geometry.origin[2], *geometry.direction[:, 2])
    return across == (1, 1.0, 0.0, 0.0, 0.0, 1.0)


def _write(
    path: Path, voxels: NDArray[np.generic], geometry: Geometry, metadata: Mapping[str, str] | None = None
) -> None:
    suffix = _suffix(path)
    if suffix not in WRITE_SUFFIXES:
        problem = "has a suffix that cannot be written"
        raise InputError(path, problem, f"use one of {', '.join(WRITE_SUFFIXES)}")
    axes = 2 if _is_flat(geometry) else 3
    grid = voxels[..., 0] if axes == 2 else voxels
    image = sitk.GetImageFromArray(np.ascontiguousarray(grid.T), isVector=voxels.ndim == 4)
    image.SetSpacing(geometry.spacing[:axes])
    image.SetOrigin(geometry.origin[:axes])
    image.SetDirection(geometry.direction[:axes, :axes].ravel().tolist())
    for name, text in (metadata or {}).items():
        image.SetMetaData(name, text)
    # A short name of its own: the target's may already be as long as the file system allows.
    partial = path.with_name(f".{secrets.token_hex(8)}{suffix}")
    try:
        with partial.open("wb"):  # tells about a missing folder or permission in plain words
            pass
        with quiet():
            sitk.WriteImage(image, str(partial), useCompression=True)
            # A full disk is not always reported while writing: see whether everything arrived.
            if suffix in UNCHECKED_BY_ITK:
                check_complete(partial)
            else:
                sitk.ReadImage(str(partial))
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free space on the disk" if full else "choose an existing folder that you may write to"
        raise InputError(path, f"cannot be written ({_reason(error)})", remedy) from None
    except (RuntimeError, InputError):
        raise InputError(path, "cannot be written completely", "free space on the disk") from None
    finally:
        partial.unlink(missing_ok=True)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Let an error of the voxels or the geometry name the file; one that names a file already passes."""
    try:
        yield
    except InputError as error:
        if isinstance(error.subject, Path):
            raise
        raise InputError(path, error.problem, error.remedy) from None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep ITK's libraries from printing to the error stream: what matters comes as an exception."""
    # One at a time: a second redirection would take the first one's for the real error stream.
    with _stderr_lock, open(os.devnull, "wb") as nowhere:
        try:
            stderr = os.dup(_STDERR)
        except OSError:  # a windowed program without an error stream
            yield
            return
        try:
            os.dup2(nowhere.fileno(), _STDERR)
            yield
        finally:
            os.dup2(stderr, _STDERR)
            os.close(stderr)
