"""Which 2-D images to label next: few that stand for many others.

An image stands for those that look like it. The choice covers all images: each one costs its distance to the nearest
labelled or chosen image, and the next image is the one that lowers the sum of the costs most (facility location, whose
greedy solution is within 63 % of the best one: Nemhauser, Wolsey & Fisher, Mathematical Programming 1978). Where there
is a model, an image costs more the less sure the model is of it: an outlier that nothing resembles is not chosen for
being odd, and what the model knows well is not labelled again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from ..errors import InputError
from ..imaging.intensities import normalised_grey
from ..imaging.resampling import resample_axes
from ..imaging.scan import Scan

_SIDE = 16  # pixels: what an image shows on the whole, not its speckle
_MOST_COVERED = 2000  # images that stand for all, to bound memory


def appearance(scan: Scan) -> NDArray[np.float32]:
    """What a 2-D image looks like: (256,) its grey on 16 x 16 pixels, without brightness and contrast."""
    grey = normalised_grey(scan.voxels.astype(np.float32), np.ones(scan.voxels.shape, dtype=bool))
    small = resample_axes(grey, (_SIDE, _SIDE, 1)).ravel().astype(np.float32)
    small -= small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-6), dtype=np.float32)


def choose_images(
    looks: NDArray[np.floating],
    labelled: NDArray[np.bool_],
    count: int,
    *,
    weights: NDArray[np.floating] | None = None,
    seed: int = 0,
) -> list[int]:
    """Choose images to label by their numbers, the first first; fewer if there are not so many.

    Args:
        looks: (n, d) what each image looks like.
        labelled: (n,) which ones are labelled already.
        count: how many.
        weights: (n,) how much it matters that an image is covered, 0 or more; by default alike.
        seed: of the images that stand for all, where there are more than two thousand.

    Raises:
        InputError: a count below 1, or nothing left to choose.
    """
    if count < 1:
        raise InputError(f"count {count}", "is not at least 1", "ask for one image or more")
    if labelled.all():
        raise InputError("suggestion", "has no image left: all are labelled", "train with them")
    covered = np.sort(np.random.default_rng(seed).permutation(len(looks))[:_MOST_COVERED])
    weight = np.ones(len(covered)) if weights is None else weights[covered]
    distances = cdist(looks[covered], looks).astype(np.float32)
    nearest = distances[:, labelled].min(axis=1, initial=distances.max())
    free, chosen = ~labelled, []
    for _ in range(min(count, int(free.sum()))):
        gain = weight @ np.maximum(nearest[:, None] - distances, 0)
        number = int(np.where(free, gain, -1.0).argmax())
        free[number] = False
        nearest = np.minimum(nearest, distances[:, number])
        chosen.append(number)
    return chosen
