"""Masks: label maps of one organ that hold 255 where it is and 0 elsewhere.

In the labels of a volume 255 means unlabelled as well: sparse labels whose slices show no organ hold 0 and 255, too.
In sparse labels whole slices are unlabelled, except for the lines where labelled slices of other axes cross them. An
organ fills no slice, and what lies between its slices is more than rows and columns.
"""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import Notice
from ..imaging.scan import LabelMap
from .sparse_labels import UNLABELLED

_MOST_OF_A_VOLUME = 0.6  # that an organ can fill


def is_mask(voxels: NDArray[np.uint8]) -> bool:
    """Whether 255 in the label (I, J, K) of a volume is an organ rather than unlabelled; where unclear, it is not."""
    marked = voxels == UNLABELLED
    count = int(np.count_nonzero(marked))
    if not 0 < count <= _MOST_OF_A_VOLUME * voxels.size or voxels[~marked].any():
        return False
    others = [tuple({0, 1, 2} - {axis}) for axis in range(3)]
    if any(marked.all(axis=across).any() for across in others):
        return False
    places = [np.flatnonzero(marked.any(axis=across)) for across in others]
    fills_its_box = count == int(np.prod([len(along) for along in places]))
    in_one_piece = all(along[-1] - along[0] + 1 == len(along) for along in places)
    return in_one_piece or not fills_its_box


def mask_as_organ(label_map: LabelMap, path: Path) -> LabelMap:
    """The label map of a volume as it is or, if it is a mask, with 1 for the organ; a `Notice` tells of it.

    A label map that names its labels is no mask.
    """
    if label_map.segments or not is_mask(label_map.voxels):
        return label_map
    tell_mask(path)
    return replace(label_map, voxels=(label_map.voxels == UNLABELLED).astype(np.uint8), mask=True)


def tell_mask(path: Path) -> None:
    """Warn that a file was taken for a mask."""
    warnings.warn(Notice(path, "255 is taken for the organ, as there is nothing but 0 and 255"), stacklevel=3)
