"""Pictures of a segmented volume: three orthogonal views through an organ with the outlines of all organs."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from contourpy import contour_generator
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

from ..imaging.organ_colours import ORGAN_COLOURS, organ_colour
from ..imaging.planes import slice_name
from ..imaging.volume import LabelMap, UltrasoundVolume
from .report_content import ReportCase
from .views import View, views_of

REFERENCE_COLOUR = "#FFFFFF"
MAXIMAL_ROWS = 3

_DOTS_PER_INCH = 120
_MM_PER_INCH = 25.4
_WIDTH_INCH, _PANEL_HEIGHT_INCH, _GAP_INCH, _TITLE_INCH = 7.08, 2.4, 0.12, 0.24
_GREY_LEVELS = 32  # speckle hardly compresses: fewer grey levels halve the file and are not seen
_COLOUR_SHADES = (256 - _GREY_LEVELS) // len(ORGAN_COLOURS)  # as many as a palette has room for
_BAR_LENGTHS_MM = (1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class OverlayRow:
    """Three views through one organ as a PNG, or through the middle of a volume without organs (None)."""

    organ: str | None
    png: bytes
    width_mm: float  # on paper


def overlay_rows(case: ReportCase, organs: Sequence[str]) -> list[OverlayRow]:
    """A row of views through the middle of each of the first three organs that prediction or reference hold.

    The middle is the median position of the organ's voxels on every axis: near the centroid, and always
    inside a slice that holds the organ.
    """
    rows = []
    for label, organ in enumerate(organs, start=1):
        centre = _middle(case.prediction, label) or (case.reference and _middle(case.reference, label))
        if centre:
            rows.append((organ, centre))
    if not rows:
        i, j, k = (size // 2 for size in case.volume.geometry.shape)
        return [_row(case, None, (i, j, k))]
    return [_row(case, organ, centre) for organ, centre in rows[:MAXIMAL_ROWS]]


def _row(case: ReportCase, organ: str | None, centre: tuple[int, int, int]) -> OverlayRow:
    png = overlay_png(case.volume, case.prediction, case.reference, centre)
    return OverlayRow(organ, png, Image.open(io.BytesIO(png)).width / _DOTS_PER_INCH * _MM_PER_INCH)


def overlay_png(
    volume: UltrasoundVolume, prediction: LabelMap, reference: LabelMap | None, centre: tuple[int, int, int]
) -> bytes:
    """The three views through voxel `centre`, in true proportions and at one scale, as a PNG.

    Predicted organs have solid outlines in their colours, references dashed white ones.
    """
    views = views_of(volume.geometry)
    sizes = [view.size_mm(volume.geometry) for view in views]
    width, height = sum(w for w, _ in sizes), max(h for _, h in sizes)
    gaps = _GAP_INCH * (len(views) - 1)
    inch_per_mm = min((_WIDTH_INCH - gaps) / width, _PANEL_HEIGHT_INCH / height)
    figure, axes = _empty_page()
    figure.set_size_inches(width * inch_per_mm + gaps, height * inch_per_mm + _TITLE_INCH)
    window = np.percentile(volume.voxels[::2, ::2, ::2].astype(np.float32), (0.5, 99.5))
    left = 0.0
    for view, size in zip(views, sizes, strict=True):
        index = centre[view.across]
        box = (left, left + size[0], size[1], 0.0)
        _draw_slice(axes, view, view.picture(volume.voxels, index), box, window)
        _draw_outlines(axes, view, view.picture(prediction.voxels, index), left, dashed=False)
        if reference is not None:
            _draw_outlines(axes, view, view.picture(reference.voxels, index), left, dashed=True)
        title_mm = 0.05 / inch_per_mm
        title = slice_name(volume.geometry.direction, view.across, index, volume.geometry.shape[view.across])
        axes.text(left + size[0] / 2, -title_mm, title, fontsize=8, color="#222222", ha="center")
        left += size[0] + _GAP_INCH / inch_per_mm
    _draw_scale_bar(axes, sizes[0])
    axes.set(xlim=(0, figure.get_figwidth() / inch_per_mm), ylim=(height, -_TITLE_INCH / inch_per_mm))
    return _png(figure)


def _empty_page() -> tuple[Figure, Axes]:
    """A figure and axes all over it. They are used again: setting up axes takes longer than drawing into them."""
    figure, axes = _page()
    for artist in (*axes.images, *axes.lines, *axes.collections, *axes.texts):
        artist.remove()
    return figure, axes


@cache
def _page() -> tuple[Figure, Axes]:
    figure = Figure(dpi=_DOTS_PER_INCH)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return figure, axes


def _middle(label_map: LabelMap, label: int) -> tuple[int, int, int] | None:
    mask = label_map.voxels == label
    centre = []
    for axis in range(3):
        counts = np.count_nonzero(mask, axis=tuple(other for other in range(3) if other != axis)).cumsum()
        if counts[-1] == 0:
            return None
        centre.append(int(np.searchsorted(counts, (counts[-1] + 1) // 2)))
    return centre[0], centre[1], centre[2]


def _draw_slice(
    axes: Axes,
    view: View,
    picture: NDArray[np.generic],
    box: tuple[float, float, float, float],
    window: NDArray[Any],
) -> None:
    axes.imshow(
        picture,
        cmap=colormaps["gray"].resampled(_GREY_LEVELS),
        vmin=window[0],
        vmax=window[1],
        extent=box,
        interpolation="bilinear",
        aspect="auto",  # the axes are in mm both ways
    )
    left, right, bottom, top = box
    inset = 0.02 * max(right - left, bottom - top)
    middle = (left + right) / 2, (bottom + top) / 2
    places = (
        (left + inset, middle[1], "left", "center"),
        (right - inset, middle[1], "right", "center"),
        (middle[0], top + inset, "center", "top"),
        (middle[0], bottom - inset, "center", "bottom"),
    )
    outline = [withStroke(linewidth=2, foreground="black")]
    for letter, (x, y, horizontal, vertical) in zip(view.edges, places, strict=False):
        axes.text(x, y, letter, ha=horizontal, va=vertical, fontsize=8, color="white", path_effects=outline)


def _draw_outlines(axes: Axes, view: View, labels: NDArray[np.uint8], left: float, *, dashed: bool) -> None:
    padded = np.pad(labels, 1)  # closes outlines at the picture's border
    x = left + (np.arange(padded.shape[1]) - 0.5) * view.pixel_mm[0]
    y = (np.arange(padded.shape[0]) - 0.5) * view.pixel_mm[1]
    for label in np.unique(labels[labels > 0]):
        paths = map(Path, *contour_generator(x, y, padded == label, line_type="SeparateCode").lines(0.5))
        outline = PathCollection(
            list(paths),
            facecolors="none",
            edgecolors=REFERENCE_COLOUR if dashed else organ_colour(int(label)),
            linewidths=1.1 if dashed else 1.7,
            linestyles=[(0, (3, 3))] if dashed else "solid",
        )
        if not dashed:
            outline.set_path_effects([withStroke(linewidth=2.6, foreground="black")])
        axes.add_collection(outline, autolim=False)


def _draw_scale_bar(axes: Axes, size_mm: tuple[float, float]) -> None:
    length = max((bar for bar in _BAR_LENGTHS_MM if bar <= size_mm[0] / 3), default=_BAR_LENGTHS_MM[0])
    x, y = 0.04 * size_mm[0], 0.95 * size_mm[1]
    bar_edge, text_edge = (withStroke(linewidth=width, foreground="black") for width in (3.5, 2))
    axes.plot([x, x + length], [y, y], color="white", linewidth=1.8, solid_capstyle="butt", path_effects=[bar_edge])
    axes.text(
        x,
        y - 0.02 * size_mm[1],
        f"{length} mm",
        color="white",
        fontsize=7,
        va="bottom",
        path_effects=[text_edge],
    )


def _png(figure: Figure) -> bytes:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    levels = (np.asarray(canvas.buffer_rgba())[..., :3].astype(np.uint16) * (_GREY_LEVELS - 1) + 127) // 255
    palette, nearest = _palette()
    picture = Image.fromarray(nearest[levels[..., 0], levels[..., 1], levels[..., 2]])
    picture.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, format="png")
    return buffer.getvalue()


@cache
def _palette() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Palette (P, 3) of greys and of every organ's colour in shades from black; nearest entry of any colour.

    A picture with a palette is a third of the size of one in full colour. The second array is indexed by
    red, green and blue in as many levels as there are greys.
    """
    greys = np.linspace(0, 255, _GREY_LEVELS)[:, None].repeat(3, axis=1)
    shades = np.linspace(1, 0, _COLOUR_SHADES, endpoint=False)[:, None]
    palette = np.concatenate([greys, *(shades * 255 * np.array(to_rgb(colour)) for colour in ORGAN_COLOURS)])
    colours = np.indices((_GREY_LEVELS,) * 3).reshape(3, -1).T * (255 / (_GREY_LEVELS - 1))
    nearest = cKDTree(palette).query(colours)[1].astype(np.uint8)
    return palette.round().astype(np.uint8), nearest.reshape((_GREY_LEVELS,) * 3)
