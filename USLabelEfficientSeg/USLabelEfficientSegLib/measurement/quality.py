"""Reasons not to trust a measurement, found from the segmentation, its probabilities and its image.

Every rule is tested on simulated volumes that should and should not raise it (`benchmarks/quality_flags.py`).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..imaging.geometry import Geometry
from .flags import Flag

_CUT_SHARE = 0.01  # of the organ's surface that lies at the edge of the image
_CUT_BY_SECTOR_SHARE = 0.06  # the sector's outline is only known roughly
_PIECE_SHARE = 0.02  # of the organ's volume that is not in its largest piece
_HOLE_SHARE = 0.005
_LEAST_DICE = 0.7  # to be expected
_SPACING_MM = (0.02, 5.0)
_EXTENT_MM = (5.0, 600.0)
_LARGEST_ANISOTROPY = 12.0


def voxel_flags(mask: NDArray[np.bool_], corner: NDArray[np.int64], shape: tuple[int, ...]) -> Iterator[Flag]:
    """Flags that the voxels of an organ alone raise.

    Args:
        mask: (I, J, K) of the organ, cut out of the volume, with at least one voxel.
        corner: (3,) index in the volume of the first voxel of `mask`.
        shape: of the volume.
    """
    if _at_edge(mask, corner, shape) > _CUT_SHARE * _surface_voxels(mask):
        yield Flag.CUT_BY_EDGE
    voxels = np.count_nonzero(mask)
    pieces, count = ndimage.label(mask, np.ones((3, 3, 3)))
    if count > 1 and voxels - np.bincount(pieces.ravel())[1:].max() > _PIECE_SHARE * voxels:
        yield Flag.SEVERAL_COMPONENTS
    if np.count_nonzero(ndimage.binary_fill_holes(mask)) - voxels > _HOLE_SHARE * voxels:
        yield Flag.HOLES


def sector_flags(
    mask: NDArray[np.bool_], corner: NDArray[np.int64], sector: NDArray[np.bool_], shape: tuple[int, ...]
) -> Iterator[Flag]:
    """`CUT_BY_EDGE` where an organ reaches the edge of the ultrasound sector.

    Args:
        mask, corner, shape: see `voxel_flags`.
        sector: bool, which voxels carry image, on any grid of the same extent.
    """
    outside = ~np.pad(sector, 1, constant_values=True)
    # The outline errs towards inside by up to a voxel of its own grid.
    near = ndimage.binary_dilation(outside, np.ones((3, 3, 3)))[1:-1, 1:-1, 1:-1]
    places = [
        (2 * (np.arange(n) + start) + 1) * coarse // (2 * fine)
        for n, start, coarse, fine in zip(mask.shape, corner, sector.shape, shape, strict=True)
    ]
    border = mask & ~ndimage.binary_erosion(mask, border_value=1)
    at_sector = np.count_nonzero(border & near[np.ix_(*places)])
    if at_sector >= _CUT_BY_SECTOR_SHARE * _surface_voxels(mask):
        yield Flag.CUT_BY_EDGE


def uncertain(expected_dice: float) -> bool:
    """Whether the expected Dice of a mask shows that its boundary is little more than a guess."""
    return expected_dice < _LEAST_DICE


def implausible_grid(geometry: Geometry) -> bool:
    """Whether no ultrasound scanner makes such voxels: the unit is not mm, or axes are mixed up."""
    extents = [step * size for step, size in zip(geometry.spacing, geometry.shape, strict=True)]
    return (
        min(geometry.spacing) < _SPACING_MM[0]
        or max(geometry.spacing) > _SPACING_MM[1]
        or max(geometry.spacing) > _LARGEST_ANISOTROPY * min(geometry.spacing)
        or max(extents) < _EXTENT_MM[0]
        or max(extents) > _EXTENT_MM[1]
    )


def _at_edge(mask: NDArray[np.bool_], corner: NDArray[np.int64], shape: tuple[int, ...]) -> int:
    """Faces of the organ's voxels that are faces of the volume."""
    count = 0
    for axis in range(3):
        if corner[axis] == 0:
            count += int(np.count_nonzero(np.take(mask, 0, axis=axis)))
        if corner[axis] + mask.shape[axis] == shape[axis]:
            count += int(np.count_nonzero(np.take(mask, -1, axis=axis)))
    return count


def _surface_voxels(mask: NDArray[np.bool_]) -> int:
    """Voxels of the organ with a face towards something else, at least one."""
    return max(1, int(np.count_nonzero(mask & ~ndimage.binary_erosion(mask))))
