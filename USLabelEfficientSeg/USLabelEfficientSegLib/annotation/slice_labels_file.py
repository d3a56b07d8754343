"""The labelled slices of a volume, and strokes, in a small file: nobody waits for a file of the whole volume."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..disk.files import writing
from ..errors import InputError
from .sparse_labels import UNLABELLED, LabelledSlice

_PLACES, _LABELS = "places", "labels_{}"


def write_slice_labels(path: Path, slices: Mapping[LabelledSlice, NDArray[np.uint8]]) -> None:
    """Write labels of slices, each 2-D, its axes the other two array axes in their order. None at all may be given.

    Args:
        path: of the file, with the suffix `.npz`.
        slices: 0 background, n the n-th organ, 255 where nothing was drawn in a slice that is drawn in part.
    """
    arrays: dict[str, Any] = {_LABELS.format(number): one for number, one in enumerate(slices.values())}
    arrays[_PLACES] = np.array([(one.axis, one.index) for one in slices], dtype=np.int64).reshape(-1, 2)
    with writing(path), path.open("wb") as file:
        np.savez(file, **arrays)


def read_slice_labels(
    path: Path, shape: tuple[int, int, int], organs: Sequence[str]
) -> dict[LabelledSlice, NDArray[np.uint8]]:
    """The labelled slices of a file, in its order.

    Args:
        path: of the file.
        shape: of the volume.
        organs: names.

    Raises:
        InputError: no such file, a damaged one, or slices that are none of this volume or hold other labels.
    """
    slices = {}
    try:
        with np.load(path, allow_pickle=False) as stored:
            for number, (axis, index) in enumerate(stored[_PLACES].tolist()):
                labels = stored[_LABELS.format(number)]
                fits = axis in (0, 1, 2) and 0 <= index < shape[axis] and labels.dtype == np.uint8
                known = fits and bool(((labels <= len(organs)) | (labels == UNLABELLED)).all())
                if not known or labels.shape != shape[:axis] + shape[axis + 1 :]:
                    raise ValueError(f"slice {index} across axis {axis} does not fit")
                slices[LabelledSlice(axis, index)] = labels
    except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        problem = f"holds no labelled slices of this volume ({str(error).partition(chr(10))[0]})"
        raise InputError(path, problem, "write them as the documentation of the command serve has it") from error
    return slices
