"""Connected pieces of an organ in an image, and how certain each of them is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_UNSURE = 1e-3  # what a pixel with a probability of 1/2 or less counts
_SMALL_FRAGMENT = 0.1  # of the most certain piece of an organ: what counts less is noise


def certain_pieces(
    mask: NDArray[np.bool_], probability: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The pieces of an organ, and how much each counts: the sum of its probabilities' excess over 1/2.

    A network is certain of an organ, and rarely certain of mistakes elsewhere: a large doubtful piece counts less than
    a small certain one.

    Args:
        mask: (I, J) of the organ; pixels that touch at a corner are of one piece.
        probability: (I, J) of the organ.

    Returns:
        The number of each pixel's piece (I, J), from 1, 0 outside of the mask; and by number how much it counts, of 0
        nothing.
    """
    pieces, _ = ndimage.label(mask, np.ones((3, 3)))
    certainty = np.bincount(pieces.ravel(), np.maximum(probability - 0.5, _UNSURE).ravel()).astype(np.float64)
    certainty[0] = 0
    return pieces, certainty


def tidied(mask: NDArray[np.bool_], probability: NDArray[np.float32], others: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """An organ's mask (I, J) without small fragments and pinholes, both small beside its main piece.

    Args:
        mask: of the organ.
        probability: of the organ.
        others: where other organs are; these pixels are no holes.
    """
    if not mask.any():
        return mask
    pieces, certainty = certain_pieces(mask, probability)
    organ = mask & (certainty >= _SMALL_FRAGMENT * certainty.max())[pieces]
    holes, _ = ndimage.label(ndimage.binary_fill_holes(organ) & ~organ & ~others)
    extents = np.bincount(holes.ravel())
    tiny = extents < _SMALL_FRAGMENT * np.count_nonzero(pieces == certainty.argmax())
    tiny[0] = False
    return np.asarray(organ | tiny[holes])


def main_piece(mask: NDArray[np.bool_], probability: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The most certain piece of an organ's mask (I, J), its holes filled."""
    if not mask.any():
        return mask
    pieces, certainty = certain_pieces(mask, probability)
    return np.asarray(ndimage.binary_fill_holes(pieces == certainty.argmax()))
