"""What a slice tells of its organs while somebody is still drawing in it.

What was drawn or erased is told as it is. Of the rest nothing is known as yet; but drawings of organs alone would say
that there is organ everywhere, and outlines would grow. So where nobody has drawn, and no organ was expected nearby
either, there is background.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .sparse_labels import UNLABELLED

_REACH = 1  # voxel of the outline's grid around organs and strokes, of which nothing is told


def told_by_strokes(
    painted: NDArray[np.uint8], before: NDArray[np.uint8], outline: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8] | None:
    """Labels of a slice that is being drawn in: 0 background, n the n-th organ, 255 where nothing is told.

    Args:
        painted: (J, K) labels as they are now.
        before: (J, K) as they were before the user came.
        outline: (j, k) labels that were expected in the slice, on a grid of the same extent; None: nothing was.

    Returns:
        None where nothing was drawn.
    """
    drawn = painted != before
    if not drawn.any():
        return None
    if outline is None:
        return np.where(drawn, painted, np.uint8(UNLABELLED))
    sides = zip(painted.shape, outline.shape, strict=True)
    rows, columns = ((2 * np.arange(fine) + 1) * coarse // (2 * fine) for fine, coarse in sides)
    organs = (painted > 0) | (outline[np.ix_(rows, columns)] > 0)
    reach = [2 * -(-_REACH * fine // coarse) + 1 for fine, coarse in zip(painted.shape, outline.shape, strict=True)]
    near = ndimage.maximum_filter(organs, size=reach)
    return np.where(drawn, painted, np.where(near, np.uint8(UNLABELLED), np.uint8(0)))
