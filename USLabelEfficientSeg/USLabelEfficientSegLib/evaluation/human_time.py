"""How long somebody draws: a simulated user at a fixed pace, so that ways to label can be compared in seconds.

The pace is assumed, as in simulations of corrective labelling: strokes and travel at so many pixels of the screen a
second, time to find where to begin, a key for each step. It is the same for all ways that are compared; nobody was
timed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
_SMOOTHING = 1.0  # pixels: the steps of a mask are no part of an outline
_LEAST_THICKNESS = 2  # pixels: thinner differences are left as they are


@dataclass(frozen=True)
class Pace:
    """Of a user.

    Attributes:
        drawing: pixels of the screen that are drawn in a second.
        travel: pixels of the screen that the pointer travels in a second.
        search: seconds until it is known where a stroke begins, or that an outline is right.
        key: seconds of a keystroke, such as the next slice, or to keep one.
        view: pixels of the screen along the longer side of a slice.
    """

    drawing: float = 400
    travel: float = 800
    search: float = 0.2
    key: float = 0.2
    view: float = 512

    def stroke(self, length: float, distance: float) -> float:
        """Seconds to travel so far and to draw such a line, both in pixels of the screen."""
        return self.search + distance / self.travel + length / self.drawing


USUAL = Pace()


def outline_seconds(organ: Mask, spacing: tuple[float, float], pace: Pace = USUAL) -> float:
    """Seconds to draw the outlines of an organ in a slice and to keep it.

    Args:
        organ: (H, W) what is to be drawn; each piece has an outline of its own.
        spacing: (2,) pixel size in mm.
        pace: of the user.
    """
    return pace.key + _strokes(organ, organ.shape, spacing, pace, share=1.0)


def correction_seconds(shown: Mask, organ: Mask, spacing: tuple[float, float], pace: Pace = USUAL) -> float:
    """Seconds to look at an outline, to draw anew where it is wrong or as a whole, whatever is faster, and to keep it.

    Args:
        shown: (H, W) what is filled in.
        organ: (H, W) what is to be drawn.
        spacing: (2,) pixel size in mm.
        pace: of the user.
    """
    square = np.ones((_LEAST_THICKNESS, _LEAST_THICKNESS), np.bool_)
    wrong = ndimage.binary_opening(shown ^ organ, square)
    # Half of a difference's outline is the organ's, the other half is there.
    mending = pace.key + _strokes(wrong, organ.shape, spacing, pace, share=0.5)
    return pace.search + min(mending, outline_seconds(organ, spacing, pace))


def lines_seconds(lengths: tuple[float, ...], extent: float, pace: Pace = USUAL) -> float:
    """Seconds to measure diameters of such lengths in views that show such an extent, both in mm."""
    scale = pace.view / extent
    return sum(pace.stroke(scale * length, scale * length / 2) + pace.key for length in lengths)


def _strokes(pieces: Mask, shape: tuple[int, ...], spacing: tuple[float, float], pace: Pace, *, share: float) -> float:
    """Seconds to draw a share of the outline of each piece, one after the other, from the middle of the slice on."""
    scale = pace.view / max(side * size for side, size in zip(shape, spacing, strict=True))
    labels, count = ndimage.label(pieces)
    here, seconds = np.multiply(shape, spacing) / 2, 0.0
    for number in range(1, count + 1):
        piece = labels == number
        place = np.multiply(ndimage.center_of_mass(piece), spacing)
        seconds += pace.stroke(share * scale * perimeter(piece, spacing), scale * float(np.linalg.norm(place - here)))
        here = place
    return seconds


def perimeter(piece: Mask, spacing: tuple[float, float]) -> float:
    """Length in mm of the outline of a piece (H, W): the total variation of its smoothed mask (coarea formula)."""
    smooth = ndimage.gaussian_filter(np.pad(piece, 4).astype(np.float64), _SMOOTHING)
    slopes = np.gradient(smooth, *spacing)
    return float(np.hypot(*slopes).sum()) * spacing[0] * spacing[1]
