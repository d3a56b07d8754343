"""The ultrasound sector: which voxels carry image, found from the voxels alone.

Outside the sector a scan converter writes one constant; processing may have added a little noise. Inside, shadows and
fluid can be just as dark, so darkness alone does not decide. The outside is what a cube from beyond the volume can
sweep without ever meeting signal: the cube does not fit into shadows, and cannot reach fluid inside the body.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .resampling import resample_axes, resample_slab

_COARSE_VOXELS = 96  # per axis at most: the sector's outline is smooth
_CUBE = 0.06  # half the side of the sweeping cube, as a share of the volume's extent
_DARKEST = 2  # percent of the voxels that tell the level and the noise outside the sector
_ABOVE_NOISE = 2.0  # local standard deviations above that level at which signal begins
_ABOVE_DARK = 0.002  # of the grey range, where the outside has no noise at all
_SPECKLE = 0.15  # of the grey range: more than this is the speckle of tissue, so there is no outside
_SPECK = 0.05  # signal smaller than this share of the largest connected one is text or noise
_SLAB = 64


def sector_mask(voxels: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Which voxels lie inside the ultrasound sector.

    The mask errs towards inside: it leaves out only what surely carries no image. A volume without an outside
    gives True everywhere, and so does one without an inside, such as a blank one with a bright dot. Works on a grid
    of at most 96 voxels an axis, so its outline is that coarse.

    Args:
        voxels: (I, J, K) grey values, the outside darker than most of the inside.

    Returns:
        (I, J, K) bool.
    """
    shape = voxels.shape
    coarse_shape = (
        min(shape[0], _COARSE_VOXELS),
        min(shape[1], _COARSE_VOXELS),
        min(shape[2], _COARSE_VOXELS),
    )
    inside = ~_swept_from_outside(~_signal(resample_axes(voxels, coarse_shape)))
    mask = np.empty(shape, dtype=bool)
    for start in range(0, shape[2], _SLAB):
        stop = min(start + _SLAB, shape[2])
        mask[:, :, start:stop] = resample_slab(inside, (shape[0], shape[1], shape[2]), start, stop) > 0.5
    return mask if mask.any() else ~mask


def _signal(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Voxels brighter than the darkest parts of the image, where their neighbourhood is so too."""
    mean = ndimage.gaussian_filter(image, 1.0)
    deviation = np.sqrt(np.maximum(ndimage.gaussian_filter(image**2, 1.0) - mean**2, 0))
    darkest = mean <= np.percentile(mean, _DARKEST)
    level, noise = np.median(mean[darkest]), np.median(deviation[darkest])
    grey_range = np.percentile(mean, 99) - level
    if noise > _SPECKLE * grey_range:
        return np.ones(image.shape, dtype=bool)
    threshold = level + max(_ABOVE_DARK * grey_range, _ABOVE_NOISE * noise)
    bright = mean > threshold
    parts, _ = ndimage.label(bright)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    large = (sizes >= max(_SPECK * sizes.max(), 1))[parts]
    # The neighbourhood reaches across the outline, the voxel itself does not.
    return np.asarray(large & (image > threshold))


def _swept_from_outside(empty: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a cube from beyond the volume can sweep while all of it stays in empty space.

    A pocket that opens to the faces of one axis only is left out: it is fluid cut by the volume's end.
    """
    reach = [max(1, round(_CUBE * n)) for n in empty.shape]
    size = [2 * r + 1 for r in reach]
    beyond = np.pad(empty, [(2 * r, 2 * r) for r in reach], constant_values=True).astype(np.uint8)
    swept = ndimage.maximum_filter(ndimage.minimum_filter(beyond, size), size)
    swept = swept[tuple(slice(2 * r, -2 * r) for r in reach)]
    parts, count = ndimage.label(swept)
    open_axes = np.zeros(count + 1, dtype=int)
    for axis in range(3):
        faces = np.take(parts, [0, -1], axis=axis)
        open_axes[np.unique(faces)] += 1
    open_axes[0] = 0
    return np.asarray((open_axes > 1)[parts])
