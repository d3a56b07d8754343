"""The writing of volumes through SimpleITK, which indexes voxels [k, j, i]; here it is [i, j, k]."""

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
from .file_formats import nrrd
from .file_formats.voxel_data import read_frames
from .formats import WRITE_SUFFIXES, format_of
from .volume import Geometry
from .volume_files import read_header

_STDERR = 2
_stderr_lock = threading.Lock()


def write_with_itk(
    path: Path, voxels: NDArray[np.generic], geometry: Geometry, metadata: Mapping[str, str] | None = None
) -> None:
    """Write voxels (I, J, K), or (C, I, J, K), compressed, in the format of the suffix: all of the file or nothing.

    Raises:
        InputError: unknown suffix, no such folder, no write permission, or the disk is full.
    """
    suffix = format_of(path)
    if suffix not in WRITE_SUFFIXES:
        problem = "has a suffix that cannot be written"
        raise InputError(path, problem, f"use one of {', '.join(WRITE_SUFFIXES)}")
    if voxels.ndim == 4 and suffix != ".nrrd":
        raise InputError(path, "cannot hold several values a voxel", "write it as .nrrd")
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
        read_frames(nrrd.read_header(partial, values=True) if voxels.ndim == 4 else read_header(partial))
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


def _is_flat(geometry: Geometry) -> bool:
    """Whether a geometry says no more than that of a 2-D image."""
    across = (geometry.shape[2], geometry.spacing[2], geometry.origin[2], *geometry.direction[:, 2])
    return across == (1, 1.0, 0.0, 0.0, 0.0, 1.0)
