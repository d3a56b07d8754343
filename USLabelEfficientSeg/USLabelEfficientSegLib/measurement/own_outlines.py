"""Which organs of a segmentation are outlined by its probabilities, if no record tells.

The sum of probabilities is the volume of the organ that they outline, by a threshold or as the most probable class. It
is not the volume of an organ that was corrected, erased or drawn by hand.
"""

import numpy as np
from numpy.typing import NDArray

_HIGHEST_THRESHOLD = 0.5


def own_outlines(labels: NDArray[np.integer], probabilities: NDArray[np.floating]) -> set[int]:
    """The labels whose voxels agree with the probabilities.

    Args:
        labels: (...) label 1 + n for the n-th organ.
        probabilities: (C, ...) class probabilities, background first.
    """
    return {
        label
        for label, probability in enumerate(probabilities[1:], start=1)
        if _is_above_threshold(labels, label, probability)
        or np.array_equal(labels == label, probabilities.argmax(axis=0) == label)
    }


def _is_above_threshold(labels: NDArray[np.integer], label: int, probability: NDArray[np.floating]) -> bool:
    """Whether no voxel outside all organs is as likely as the least likely one of the organ."""
    inside, outside = probability[labels == label], probability[labels == 0]
    threshold = float(inside.min()) if inside.size else _HIGHEST_THRESHOLD
    return not outside.size or float(outside.max()) < threshold
