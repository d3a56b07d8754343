"""What the readers of all formats say about a file before its voxels are read."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from struct import error as StructError
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import InputError
from ..file_errors import about
from ..geometry import Geometry, check_voxel_count

Role = Literal["space", "time", "colour"]
Encoding = Literal["raw", "zlib", "gzip"]

ORTHOGONAL_WITHIN = 0.01
"""Largest cosine between two axes, and deviation of a unit vector's length, that is put down to rounding.

Three decimals do that to the vectors of voxels of 0.2 mm. Axes are made orthogonal then; volumes change by 0.005 %."""
_SMALLEST_MM, _LARGEST_MM = 1e-6, 1e6  # of a spacing; no position is farther away
_EXACT_WITHIN = 1e-6  # axes that deviate less are kept to the last bit

EXPORT_AGAIN = "copy or export the file again"
_MILLIMETRES = {"mm", "millimeter", "millimeters", "millimetre", "millimetres"}
_NOT_TOLD = {"", "?", "??", "???", "none"}
_WHOLE = re.compile(r"[-+]?[0-9]{1,30}")
_REAL = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,4})?|[-+]?(nan|inf|infinity)", re.IGNORECASE)
RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])  # factors of x, y, z
_TRACKED_FRAME = re.compile(r"Seq_Frame([0-9]+)_", re.IGNORECASE)


@dataclass(frozen=True)
class VoxelData:
    """Where a file holds its voxels.

    Args:
        path: the file, which may be another than the one with the header.
        encoding: raw, or compressed (zlib also stands for gzip, as in MetaImage).
        start: the first byte, of the compressed stream where there is one; None for raw voxels at the end of the file.
        skip: decoded bytes that come before the voxels.
        stored: number of compressed bytes, where the header tells it.
    """

    path: Path
    encoding: Encoding = "raw"
    start: int | None = 0
    skip: int = 0
    stored: int | None = None


@dataclass(frozen=True)
class Header:
    """An image without its voxels.

    Args:
        path: the file.
        axes: role and size of each axis, the fastest first.
        dtype: of a voxel or colour, with its byte order.
        geometry: of the axes in space; a 2-D image lies at k = 0, 1 mm thick.
        data: where the voxels are.
        slope: voxels are stored values times this.
        intercept: voxels are stored values plus this, after the slope.
        texts: free texts of the file by name.
    """

    path: Path
    axes: tuple[tuple[Role, int], ...]
    dtype: np.dtype[np.generic]
    geometry: Geometry
    data: VoxelData
    slope: float = 1.0
    intercept: float = 0.0
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def times(self) -> int:
        """Number of time points."""
        return math.prod(size for role, size in self.axes if role == "time")

    @property
    def dimension(self) -> int:
        """Number of axes in space, 2 or 3."""
        return sum(role == "space" for role, _ in self.axes)

    @property
    def nbytes(self) -> int:
        """Size of all stored values in bytes."""
        return math.prod(size for _, size in self.axes) * self.dtype.itemsize


def damaged(path: Path, reason: str = "") -> InputError:
    """The error about a file that cannot be understood."""
    detail = f" ({_short(reason)})" if reason else ""
    return InputError(path, f"is damaged or not what its suffix says{detail}", EXPORT_AGAIN)


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Turn whatever a damaged header leads to into one sentence that names the file."""
    try:
        with about(path):
            yield
    except InputError:  # a ValueError, too
        raise
    except (ValueError, TypeError, LookupError, ArithmeticError, StructError) as error:
        raise damaged(path, str(error)) from None


def whole(text: str) -> int:
    """A whole number; `ValueError` if it is none."""
    if not _WHOLE.fullmatch(text.strip()):
        raise ValueError(f"{_short(text)} is no whole number")
    return int(text)


def real(text: str) -> float:
    """A number, perhaps NaN or infinite; `ValueError` if it is none."""
    if not _REAL.fullmatch(text.strip()):
        raise ValueError(f"{_short(text)} is no number")
    return float(text)


def checked_sizes(path: Path, sizes: Sequence[int]) -> tuple[int, ...]:
    """Sizes of axes, each at least 1, with at most 2^31 voxels together.

    Raises:
        InputError: too many voxels, or a size that is not positive.
    """
    if min(sizes) < 1:
        raise damaged(path, f"its size is {' x '.join(map(str, sizes))}")
    check_voxel_count(sizes, path.name)
    return tuple(sizes)


def grid(
    path: Path, shape: Sequence[int], vectors: ArrayLike, origin: ArrayLike, spacing: ArrayLike | None = None
) -> Geometry:
    """The grid of 2 or 3 axes.

    Args:
        path: the file that errors name.
        shape: number of voxels along the axes.
        vectors: columns that lead from a voxel to the next along each axis, in LPS mm, (D, D) or (3, D);
            unit vectors where there is a spacing.
        origin: position of the first voxel in LPS mm, (D,) or (3,).
        spacing: in mm, where it is told apart from the directions.

    Raises:
        InputError: no spacing, or axes that are not finite and orthogonal.
    """
    columns, place = _in_space(np.array(vectors, np.float64), np.array(origin, np.float64))
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt((columns**2).sum(axis=0))
    told = lengths[: len(shape)] if spacing is None else np.array(spacing, np.float64)
    pairs = enumerate(zip(told, shape, strict=False))
    steps = [_checked_spacing(path, float(step), size, axis) for axis, (step, size) in pairs]
    if len(shape) == 2:
        shape, steps = (*shape, 1), [*steps, 1.0]
    if spacing is None:
        # A lone slice may say nothing about the axis across it.
        columns = np.where(lengths > 0, columns / np.where(lengths > 0, lengths, 1), _across(columns))
    i, j, k = shape
    x, y, z = place
    if not max(map(abs, place)) <= _LARGEST_MM:
        raise InputError(path, f"lies at ({x:g}, {y:g}, {z:g}) mm", "export it again with its position")
    return Geometry((i, j, k), (steps[0], steps[1], steps[2]), (x, y, z), _orthogonal(path, columns))


def check_units(path: Path, units: Sequence[str]) -> None:
    """Refuse a spacing that is told to be in another unit than mm.

    Raises:
        InputError: another unit.
    """
    foreign = [unit for unit in units if unit.lower() not in _MILLIMETRES | _NOT_TOLD]
    if foreign:
        raise InputError(path, f"has its spacing in {_short(foreign[0])}", "export it again with its spacing in mm")


def refuse_tracked(path: Path, texts: Mapping[str, str]) -> None:
    """Refuse frames of a tracked probe (Plus sequence files), whose places the grid of the file does not tell.

    https://perk-software.cs.queensu.ca/plus/doc/nightly/user/FileSequenceFile.html

    Raises:
        InputError: a sequence of several frames.
    """
    frames = {found[1] for name in texts if (found := _TRACKED_FRAME.match(name))}
    if len(frames) > 1:
        problem = f"is a tracked sweep of {len(frames)} frames, each with a place of its own, not a volume"
        remedy = "reconstruct the volume first (SlicerIGSIO or PlusServer, Volume Reconstruction) and give that"
        raise InputError(path, problem, remedy)


def _checked_spacing(path: Path, step: float, size: int, axis: int) -> float:
    if axis == 2 and size == 1 and (step == 0 or math.isnan(step)):
        return 1.0  # a 2-D image
    if step == 0 or math.isnan(step):
        problem = "does not say how large its voxels are (no spacing)"
    elif not _SMALLEST_MM <= step <= _LARGEST_MM:
        problem = f"has the spacing {step:g} mm"
    else:
        return step
    raise InputError(path, problem, "export it again with its spacing in mm")


def _in_space(vectors: NDArray[np.float64], origin: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[float]]:
    """Vectors (3, 3) and origin (3), made from those of 2 or 3 axes in 2-D or 3-D."""
    columns = np.zeros((3, 3))
    columns[: vectors.shape[0], : vectors.shape[1]] = vectors
    if vectors.shape[1] == 2:
        columns[:, 2] = (0, 0, 1) if vectors.shape[0] == 2 else _across(columns)[:, 2]
    return columns, [*map(float, origin), 0.0][:3]


def _across(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """In the third column the unit vector across the first two."""
    with np.errstate(all="ignore"):
        normal = np.cross(columns[:, 0], columns[:, 1])
        length = np.linalg.norm(normal)
        return np.column_stack([columns[:, :2], normal / length if length > 0 else normal])


def _orthogonal(path: Path, directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions as they are, or the nearest orthogonal ones where they were rounded."""
    with np.errstate(all="ignore"):
        deviation = np.abs(directions.T @ directions - np.eye(3)).max()
    if not deviation <= 2 * ORTHOGONAL_WITHIN:
        problem = "has axes that are not finite"
        if np.isfinite(deviation):
            problem = f"has no orthonormal directions (its axes deviate by {deviation:.3g})"
        raise InputError(path, problem, "resample the volume to a rectangular grid")
    if deviation <= _EXACT_WITHIN:
        return directions
    left, _, right = np.linalg.svd(directions)
    return np.asarray(left @ right)


def _short(text: str) -> str:
    """A text of a header as messages show it."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."
