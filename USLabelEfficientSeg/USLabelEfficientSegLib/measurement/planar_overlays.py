"""Pictures of segmented 2-D images: the outlines of the organs, their fitted ellipses, and references."""

import io
from collections.abc import Sequence
from functools import cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from PIL import Image

from ..imaging.organ_colours import ORGAN_COLOURS, organ_colour
from ..imaging.volume import ImageLabels, UltrasoundImage
from .overlays import REFERENCE_COLOUR
from .planar import Ellipse, PlanarMeasurement

ELLIPSE_COLOUR = "#7FE9FF"

_DOTS_PER_INCH = 150
_MM_PER_INCH = 25.4
_TALLEST = 1.3  # of the width on paper
_GREY_LEVELS, _SHADES = 48, 8  # speckle hardly compresses: few colours halve the file and are not seen
_BAR_LENGTHS_MM = (1, 2, 5, 10, 20, 50, 100)


def image_overlay_png(
    image: UltrasoundImage,
    labels: ImageLabels,
    rows: Sequence[PlanarMeasurement],
    reference: ImageLabels | None,
    width_mm: float,
) -> bytes:
    """An image in true proportions, `width_mm` wide on paper or narrower if it is tall, as a PNG.

    Organs have solid outlines in their colours, their ellipses thin ones, references dashed white ones.
    """
    (i, j), (along_i, along_j) = image.geometry.shape[:2], image.geometry.spacing[:2]
    width, height = i * along_i, j * along_j
    inches = width_mm / _MM_PER_INCH * min(1.0, _TALLEST * width / height)
    figure = Figure((inches, inches * height / width), dpi=_DOTS_PER_INCH)
    axes = figure.add_axes((0, 0, 1, 1))
    # Pixel (0, 0) has its centre at 0 mm.
    left, top = -along_i / 2, -along_j / 2
    box = (left, left + width, top + height, top)
    pixels = image.voxels[..., 0].T
    low, high = np.percentile(pixels.astype(np.float32), (0.5, 99.5))
    axes.imshow(pixels, cmap="gray", vmin=low, vmax=high, extent=box, interpolation="bilinear", aspect="auto")
    _draw_outlines(axes, labels, dashed=False)
    for row in rows:
        if row.ellipse is not None:
            x, y = _points(row.ellipse)
            axes.plot(x, y, color=ELLIPSE_COLOUR, linewidth=0.8)
    if reference is not None:
        _draw_outlines(axes, reference, dashed=True)
    _draw_scale_bar(axes, left, top, width, height)
    axes.set(xlim=box[:2], ylim=box[2:])
    axes.set_axis_off()
    return _png(figure)


def _draw_outlines(axes: Axes, labels: ImageLabels, *, dashed: bool) -> None:
    padded = np.pad(labels.voxels[..., 0].T, 1)  # closes outlines at the picture's border
    x, y = ((np.arange(n) - 1) * step for n, step in zip(padded.shape[::-1], labels.geometry.spacing, strict=False))
    for label in np.unique(labels.voxels[labels.voxels > 0]):
        outline = axes.contour(
            x,
            y,
            padded == label,
            levels=[0.5],
            colors=REFERENCE_COLOUR if dashed else organ_colour(int(label)),
            linewidths=1.1 if dashed else 1.4,
            linestyles=[(0, (2.5, 2.5))] if dashed else "solid",
        )
        outline.set_path_effects([withStroke(linewidth=2.2, foreground="black")])


def _points(ellipse: Ellipse) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The outline of an ellipse in mm along the image's axes."""
    turn, angle = np.linspace(0, 2 * np.pi, 181), np.radians(ellipse.angle_degrees)
    major, minor = ellipse.axes_mm[0] / 2 * np.cos(turn), ellipse.axes_mm[1] / 2 * np.sin(turn)
    x = ellipse.centre_mm[0] + major * np.cos(angle) - minor * np.sin(angle)
    y = ellipse.centre_mm[1] + major * np.sin(angle) + minor * np.cos(angle)
    return x, y


def _draw_scale_bar(axes: Axes, left: float, top: float, width: float, height: float) -> None:
    length = max((bar for bar in _BAR_LENGTHS_MM if bar <= width / 3), default=_BAR_LENGTHS_MM[0])
    x, y = left + 0.05 * width, top + 0.94 * height
    bar_edge, text_edge = (withStroke(linewidth=stroke, foreground="black") for stroke in (3, 1.8))
    axes.plot([x, x + length], [y, y], color="white", linewidth=1.5, solid_capstyle="butt", path_effects=[bar_edge])
    text_y = y - 0.02 * height
    axes.text(x, text_y, f"{length} mm", color="white", fontsize=6, va="bottom", path_effects=[text_edge])


@cache
def _palette() -> Image.Image:
    """An image whose palette has greys, and shades of the outlines' colours."""
    greys = np.linspace(0, 255, _GREY_LEVELS)[:, None].repeat(3, axis=1)
    shades = np.linspace(1, 0, _SHADES, endpoint=False)[:, None]
    colours = [shades * 255 * np.array(to_rgb(colour)) for colour in (*ORGAN_COLOURS, ELLIPSE_COLOUR)]
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate([greys, *colours]).round().astype(np.uint8).tobytes())
    return palette


def _png(figure: Figure) -> bytes:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    picture = drawn.quantize(palette=_palette(), dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    picture.save(buffer, format="png", optimize=True)
    return buffer.getvalue()
