"""A `SlicePicture` for a page: shapes as SVG, letters as text of the page, so that both are sharp and of one size."""

from __future__ import annotations

import base64
from itertools import groupby

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ...text.display import printable
from ..pictures.slice_picture import Outline, SlicePicture

_SIDES = ("left", "right", "top", "bottom")


def slice_html(picture: SlicePicture, identity: str) -> Markup:
    """The picture as one element with the role of an image; `identity` names its parts within the page."""
    width, height = picture.size_mm
    layers = [_image(picture.image, "jpeg", width, height)]
    if picture.heat is not None:
        layers.append(_image(picture.heat, "png", width, height))
    layers += [_outlines(picture, identity), _scale_bar(picture)]
    letters = Markup("").join(
        Markup('<span class="edge-{}">{}</span>').format(side, letter)
        for side, letter in zip(_SIDES, picture.edges, strict=False)
    )
    bar = Markup('<span class="bar">{} mm</span>').format(picture.bar_mm)
    svg = Markup('<svg viewBox="0 0 {} {}" aria-hidden="true" focusable="false">{}</svg>').format(
        _short(width), _short(height), Markup("").join(layers)
    )
    return Markup('<div class="slice" role="img" aria-label="{}">{}{}{}</div>').format(
        printable(picture.description), svg, letters, bar
    )


def _image(data: bytes, kind: str, width: float, height: float) -> Markup:
    uri = f"data:image/{kind};base64," + base64.b64encode(data).decode("ascii")
    return Markup('<image width="{}" height="{}" preserveAspectRatio="none" href="{}"/>').format(
        _short(width), _short(height), uri
    )


def _outlines(picture: SlicePicture, identity: str) -> Markup:
    """A path for the outlines of each kind; solid ones have a black edge."""
    scale = " ".join(_short(mm / n) for mm, n in zip(picture.size_mm, picture.shape, strict=True))
    drawn = []
    kinds = groupby(picture.outlines, key=lambda line: (line.colour, line.dashed, line.thin))
    for number, ((colour, dashed, thin), lines) in enumerate(kinds):
        path = Markup('<path id="{}" d="{}"/>').format(f"{identity}-{number}", "".join(map(_path, lines)))
        kind = "dashed" if dashed else "thin" if thin else "solid"
        line = Markup('<use href="#{}" class="{}" stroke="{}"/>').format(f"{identity}-{number}", kind, colour)
        holder = Markup('<g class="under">{}</g>') if kind == "solid" else Markup("<defs>{}</defs>")
        drawn.append(holder.format(path) + line)
    return Markup('<g transform="scale({})">{}</g>').format(scale, Markup("").join(drawn)) if drawn else Markup("")


def _path(line: Outline) -> str:
    """A closed path, in steps of tenths of a pixel: short numbers make a small page."""
    points: NDArray[np.int64] = np.rint(10 * line.points).astype(np.int64)
    steps = np.diff(points, axis=0)
    moved = " ".join(f"{_tenths(x)} {_tenths(y)}" for x, y in steps[np.abs(steps).sum(axis=1) > 0].tolist())
    x, y = points[0].tolist()
    return f"M{_tenths(x)} {_tenths(y)}l{moved}z" if moved else ""


def _tenths(value: int) -> str:
    return _short(value / 10)


def _short(value: float) -> str:
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _scale_bar(picture: SlicePicture) -> Markup:
    width, height = picture.size_mm
    line = f"M{_short(0.04 * width)} {_short(0.96 * height)}h{picture.bar_mm}"
    return Markup('<path class="bar-under" d="{}"/><path class="bar-line" d="{}"/>').format(line, line)
