"""Image files through SimpleITK, which indexes voxels [k, j, i]; in memory they are indexed [i, j, k]."""

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
from .file_errors import reason_of
from .formats import PLANAR_REMEDY, WRITE_SUFFIXES, suffix_of
from .integrity import UNCHECKED_BY_ITK, check_complete
from .units import check_millimetres
from .volume import Geometry, check_voxel_count

_STDERR = 2
_LABELS = {str(label) for label in range(1, 255)}
_stderr_lock = threading.Lock()

Frame = tuple[NDArray[np.generic], Geometry]


def read_header(path: Path) -> sitk.ImageFileReader:
    """A reader that knows the file's header. Raises `RuntimeError` where there is none."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with quiet():
        reader.ReadImageInformation()
    return reader


def read_grid(path: Path) -> Geometry:
    """The grid of a 3-D image file, from its header alone.

    Raises:
        InputError: damaged, or 2-D.
    """
    try:
        reader = read_header(path)
    except RuntimeError:
        raise InputError(path, "is damaged or not what its suffix says", "copy or export the file again") from None
    if reader.GetDimension() < 3:
        raise InputError(path, "is a 2-D image", "give a 3-D volume")
    return _geometry_of(reader)


def read_segments(path: Path) -> dict[int, str]:
    """What the file calls its labels, by label value: the fields `SegmentN_LabelValue` and `SegmentN_Name`.

    3D Slicer writes them into NRRD files; a segment without a name has none here.
    """
    try:
        reader = read_header(path)
    except RuntimeError:
        return {}
    fields = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys() if key.startswith("Segment")}
    named = {
        int(value): fields.get(key.replace("_LabelValue", "_Name"), "")
        for key, value in fields.items()
        if key.endswith("_LabelValue") and value in _LABELS
    }
    return {label: name for label, name in sorted(named.items()) if name}


def segment_fields(segments: Mapping[int, str]) -> dict[str, str]:
    """The fields that `read_segments` reads, of names by label value."""
    return {
        f"Segment{number}_{field}": text
        for number, (label, name) in enumerate(sorted(segments.items()))
        for field, text in (("LabelValue", str(label)), ("Name", name))
    }


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
            if suffix_of(path) in UNCHECKED_BY_ITK:
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


def write_with_itk(
    path: Path, voxels: NDArray[np.generic], geometry: Geometry, metadata: Mapping[str, str] | None = None
) -> None:
    """Write voxels (I, J, K), or (C, I, J, K), compressed, in the format of the suffix: all of the file or nothing.

    Raises:
        InputError: unknown suffix, no such folder, no write permission, or the disk is full.
    """
    suffix = suffix_of(path)
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
        raise InputError(path, f"cannot be written ({reason_of(error)})", remedy) from None
    except (RuntimeError, InputError):
        raise InputError(path, "cannot be written completely", "free space on the disk") from None
    finally:
        partial.unlink(missing_ok=True)


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
