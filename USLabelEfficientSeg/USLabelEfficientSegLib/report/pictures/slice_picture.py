"""One slice of an image with outlines over it, as data: a page draws it as SVG, a PDF as lines, both sharp at any size.

Positions are in pixels of the slice, from the outer corner of its top left pixel.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from contourpy import contour_generator
from numpy.typing import NDArray
from PIL import Image

from ...imaging.intensities import least_spread

BAR_LENGTHS_MM = (1, 2, 5, 10, 20, 50, 100)
REFERENCE_COLOUR = "#FFFFFF"

# The colours of uncertainty from none, which is transparent, to the largest: heat, as seen in every kind of sight.
UNCERTAINTY_COLOURS = ("#420A68", "#932667", "#DD513A", "#FCA50A", "#FCFFA4")  # of matplotlib's map "inferno"
_HEAT_LEVELS = 64
_SHARPEST = 640  # pixels on the longer side: more would not be seen
_JPEG_QUALITY = 82


@dataclass(frozen=True)
class Outline:
    """A closed line (N, 2) of x and y in pixels."""

    points: NDArray[np.float64]
    colour: str
    dashed: bool = False
    thin: bool = False


@dataclass(frozen=True)
class SlicePicture:
    """A slice in true proportions.

    Args:
        image: of the slice, as JPEG.
        shape: width and height in pixels of the slice, which outlines refer to.
        size_mm: width and height.
        outlines: from the back to the front.
        title: which slice it is.
        description: what it shows, for those who cannot see it.
        edges: what lies at the left, right, top and bottom edge, a letter each; or nothing.
        heat: PNG with transparency over the whole slice, such as its uncertainty.
    """

    image: bytes
    shape: tuple[int, int]
    size_mm: tuple[float, float]
    outlines: tuple[Outline, ...]
    title: str
    description: str
    edges: str = ""
    heat: bytes | None = None

    @property
    def bar_mm(self) -> int:
        """Length of its scale bar: round, and at most a third of its width if that is a millimetre or more."""
        return max((bar for bar in BAR_LENGTHS_MM if bar <= self.size_mm[0] / 3), default=BAR_LENGTHS_MM[0])


def outlines_of(labels: NDArray[np.uint8], colour_of: dict[int, str], *, dashed: bool = False) -> list[Outline]:
    """The outlines of the classes of a slice (rows, columns) that have a colour, a line for each piece and hole."""
    padded = np.pad(labels, 1)  # closes outlines at the picture's border
    found = []
    for label in np.unique(labels[labels > 0]):
        if int(label) in colour_of:
            lines = contour_generator(z=(padded == label).astype(np.uint8)).lines(0.5)
            # Pixel (0, 0) of the padded slice has its centre half a pixel outside the corner.
            found += [Outline(np.asarray(line) - 0.5, colour_of[int(label)], dashed) for line in lines]
    return found


def jpeg(picture: NDArray[np.generic], window: tuple[float, float]) -> bytes:
    """A grey slice (rows, columns) with the intensities of a window from black to white."""
    low, high = window
    spread = max(high - low, least_spread(max(abs(low), abs(high))))
    grey = ((picture.astype(np.float32) - low) * (255 / spread)).clip(0, 255).round().astype(np.uint8)
    return _saved(_reduced(Image.fromarray(grey)), format="jpeg", quality=_JPEG_QUALITY)


def heat_png(uncertainty: NDArray[np.floating]) -> bytes:
    """A slice (rows, columns) of values in [0, 1] in colours, the smaller the more transparent."""
    levels = _reduced(Image.fromarray((uncertainty.clip(0, 1) * 255).astype(np.uint8)))
    indices = (np.asarray(levels).astype(np.uint16) * (_HEAT_LEVELS - 1) // 255).astype(np.uint8)
    picture = Image.fromarray(indices, mode="P")
    share = np.linspace(0, 1, _HEAT_LEVELS)
    stops = np.array([tuple(bytes.fromhex(colour[1:])) for colour in UNCERTAINTY_COLOURS])
    palette = np.column_stack([np.interp(share, np.linspace(0, 1, len(stops)), stops[:, part]) for part in range(3)])
    picture.putpalette(palette.round().astype(np.uint8).tobytes())
    opacity = (255 * np.minimum(1, 3 * share)).astype(np.uint8).tobytes()
    return _saved(picture, format="png", transparency=opacity, optimize=True)


def _reduced(image: Image.Image) -> Image.Image:
    share = _SHARPEST / max(image.size)
    return image if share >= 1 else image.resize([max(1, round(n * share)) for n in image.size], Image.Resampling.BOX)


def _saved(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()
