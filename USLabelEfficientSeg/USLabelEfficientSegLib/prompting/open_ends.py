"""An organ beyond the outermost of the parallel slices that show it.

The network has mostly learnt from slices near the middle of organs. Asked for one that parallel slices show from end to
end, it draws it a quarter too large. Beyond the outermost slices the log-odds are therefore moved by

    b = -5 min(1, s / 0.8 d)

with s the distance between these slices and d the diameter of a disc as large as the largest section: the more of its
width the slices span, the less of the organ can lie beyond them. A side on which a slice shows that the organ has ended
stays as it is. The numbers were chosen on seven sets of volumes (docs/propagation.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..imaging.geometry import Geometry
from ..imaging.resampling import Shape
from .drawing import OpenEnds

_MOST = 5.0
_WHOLE_SPAN = 0.8


def beyond_ends(ends: OpenEnds | None, geometry: Geometry, shape: Shape) -> NDArray[np.float32]:
    """By how much the log-odds of an organ are moved in each voxel; broadcasts to the shape.

    Args:
        ends: of the organ; None: nothing is moved.
        geometry: of the volume.
        shape: of the working grid of the volume's extent.
    """
    if ends is None:
        return np.zeros((1, 1, 1), np.float32)
    axis, spacing, fine = ends.axis, geometry.spacing, geometry.shape[ends.axis]
    pixel_mm2 = float(np.prod([step for other, step in enumerate(spacing) if other != axis]))
    diameter = 2 * np.sqrt(ends.area * pixel_mm2 / np.pi)
    offset = -_MOST * min(1.0, (ends.last - ends.first) * spacing[axis] / (_WHOLE_SPAN * diameter))
    index = (np.arange(shape[axis]) + 0.5) * fine / shape[axis] - 0.5
    outside = (ends.below & (index < ends.first)) | (ends.above & (index > ends.last))
    return np.expand_dims(np.where(outside, offset, 0), tuple({0, 1, 2} - {axis})).astype(np.float32)
