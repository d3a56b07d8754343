"""The uncertainty of a segmentation in files: its own map, or else computed from the probabilities beside it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..imaging.files import read_map
from ..imaging.scan import LabelMap
from ..segmentation.segments import UNCERTAINTY_SUFFIX
from .record import record_of
from .segmentation_files import probability_file

_REMEDY = "remove it, or segment the image again with its uncertainty"


def read_uncertainty(segmentation: Path, label_map: LabelMap) -> NDArray[np.floating] | None:
    """The uncertainty (I, J, K) in [0, 1] of the model about an image, on the grid of its segmentation.

    It is the entropy of the class probabilities over its largest possible value. None if neither a map of it nor
    probabilities lie beside the segmentation.

    Raises:
        InputError: such a file cannot be read, or lies on another grid.
    """
    own = segmentation.parent / f"{label_map.name}{UNCERTAINTY_SUFFIX}.nrrd"
    for path in (own, probability_file(segmentation, label_map.name)):
        if not path.exists() or record_of(path).exists():  # a segmentation of an image with such a name
            continue
        values, geometry = read_map(path)
        if not geometry.same_grid(label_map.geometry):
            difference = geometry.difference(label_map.geometry)
            raise InputError(path, f"has another geometry than its segmentation: it {difference}", _REMEDY)
        if (len(values) == 1) != (path == own) or not np.isfinite(values).all():
            raise InputError(path, "is not what its name says: it holds other numbers", _REMEDY)
        return values[0] if path == own else entropy_of(values)
    return None


def entropy_of(probabilities: NDArray[np.floating]) -> NDArray[np.floating]:
    """Entropy (I, J, K) of class probabilities (C, I, J, K), over its largest possible value."""
    entropy = -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=0)
    return np.asarray(entropy / np.float32(np.log(len(probabilities))))
