"""How large slices are shown to a network: magnified as far as the thinnest organ on them asks for.

Imports nothing heavy: an estimate of a training's time depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

_ENLARGED, _MOST_ENLARGED = 1.5, 2.5  # slices are magnified by at least as much: the network halves them at once
WIDTH = 14.0  # pixels across the thinnest organ, as the network is to see it
_FEWEST_PIXELS = 20  # of an organ: a slice that hardly touches it tells nothing


def shown_side(largest: float, thinnest: float, max_voxels: int) -> int:
    """Pixels of the longer side of slices as the network sees them.

    Slices are magnified 1.5 times, but become no longer than `max_voxels`; both by as much more, up to 2.5 / 1.5, as
    the thinnest organ on the labelled slices asks for.

    Args:
        largest: longer side of the largest slice, in units of the smaller side of a pixel.
        thinnest: width of the thinnest organ in the same units, see `organ_width`.
        max_voxels: of the settings.
    """
    enlarged = min(_MOST_ENLARGED, max(_ENLARGED, WIDTH / thinnest))
    return min(round(max_voxels * enlarged / _ENLARGED), round(enlarged * largest))


def organ_width(organ: NDArray[np.bool_], sides: Sequence[float]) -> float | None:
    """The width of an organ on a slice in units of the smaller pixel side; None if the slice hardly shows it.

    Four times the mean distance of its pixels to what lies outside: a strip of width w has the mean w / 4.

    Args:
        organ: (rows, columns) where it is.
        sides: of a pixel in mm.
    """
    if organ.sum() < _FEWEST_PIXELS:
        return None
    units = np.array(sides)
    distances = distance_transform_edt(np.pad(organ, 1), sampling=units / units.min())
    return float(4 * distances.sum() / organ.sum())
