"""An organ between parallel slices that show it: what their outlines say, whatever the image shows.

Between two neighbouring slices the signed distances s to the outlines are interpolated (shape-based interpolation, Raya
and Udupa, IEEE Trans. Med. Imaging 1990), and told as log-odds,

    odds = ((1 - t) s_0 + t s_1) / max(p, 0.3 t (1 - t) g),     at most 8 either way,

with g the distance of the slices, t the part of it that lies behind, and p the pixel size: the outline is known best
beside a slice. The network, which sees the image, and this are pooled as log-odds, half and half. The network alone
draws walls, tubes and many small pieces too large (docs/propagation.md). A model of a study knows more of the shape
than two slices that are far from each other: where it has a say, only gaps up to 0.4 of the diameter of a disc as large
as the larger section are told about.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Field = NDArray[np.float32]
_BULGE = 0.3  # of t (1 - t) g: how far the outline lies off
_MOST = 8.0
_WIDEST_WITH_MODEL = 0.4  # gap, in diameters
_WHOLE = 0.95  # of a slice that counts as drawn: signs cancel in some voxels of an outline on a coarse grid


def pooled_with_shape(
    odds: Field, drawn: Field, spacing: tuple[float, float, float], *, with_model: bool = False
) -> Field:
    """Log-odds (I, J, K) of an organ, pooled with what the shape of its sections says where it lies between two.

    Args:
        odds: (I, J, K) of the network.
        drawn: (I, J, K) 1 where the organ was drawn, -1 where something else, 0 where nothing.
        spacing: voxel size in mm.
        with_model: whether a model had a say in the log-odds.
    """
    widest = _WIDEST_WITH_MODEL if with_model else np.inf
    said, count = np.zeros(odds.shape, np.float32), np.zeros(odds.shape, np.float32)
    for axis in range(3):
        seen, said_along, count_along = (np.moveaxis(field, axis, 0) for field in (drawn, said, count))
        _add_axis(
            seen,
            said_along,
            count_along,
            spacing[axis],
            [step for other, step in enumerate(spacing) if other != axis],
            widest,
        )
    return np.where(count > 0, (odds + said / np.maximum(count, 1)) / 2, odds).astype(np.float32)


def _add_axis(drawn: Field, said: Field, count: Field, step: float, pixels: list[float], widest: float) -> None:
    """Add the log-odds between the slices along the first axis, `step` mm apart, and count where there are some."""
    whole = np.flatnonzero((drawn != 0).mean(axis=(1, 2)) > _WHOLE).tolist()
    sections = {number: section for number in whole if (section := drawn[number] > 0).any()}
    distances: dict[int, Field] = {}
    for below, above in pairwise(whole):
        gap = (above - below) * step
        if above - below < 2 or below not in sections or above not in sections:
            continue
        area = max(np.count_nonzero(sections[number]) for number in (below, above)) * pixels[0] * pixels[1]
        if gap > widest * 2 * np.sqrt(area / np.pi):
            continue
        for number in (below, above):
            if number not in distances:
                distances[number] = _signed_distance(sections[number], pixels)
        t = (np.arange(1, above - below, dtype=np.float32) / (above - below))[:, None, None]
        distance = (1 - t) * distances[below] + t * distances[above]
        unsure = np.maximum(min(pixels), _BULGE * t * (1 - t) * gap)
        said[below + 1 : above] += np.clip(distance / unsure, -_MOST, _MOST)
        count[below + 1 : above] += 1


def _signed_distance(section: NDArray[np.bool_], pixels: list[float]) -> Field:
    """Distance in mm (H, W) to the outline of a section, positive inside."""
    framed = np.pad(section, 1)  # an organ that fills a slice has an outline, too
    inside = ndimage.distance_transform_edt(framed, pixels)
    outside = ndimage.distance_transform_edt(~framed, pixels)
    return np.asarray(inside - outside, np.float32)[1:-1, 1:-1]
