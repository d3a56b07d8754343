"""Pictures of a segmented volume: three orthogonal views through an organ with the outlines of all organs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...imaging.organ_colours import organ_colour
from ...imaging.planes import slice_name
from ...imaging.scan import LabelMap
from ...imaging.views import View, views_of
from ..blocks import SliceRow
from ..content import ReportCase
from ..kinds import VIEWED_ORGANS
from .slice_picture import REFERENCE_COLOUR, Outline, SlicePicture, heat_png, jpeg, outlines_of


def volume_rows(case: ReportCase, organs: Sequence[str]) -> list[SliceRow]:
    """A row of views through the middle of each of the first three organs that segmentation or reference hold.

    Organs that ask for caution come first. Where the uncertainty is known, a row shows it in the same slices as the
    first one. Without an organ the views are those through the middle of the volume.

    The middle is the median position of the organ's voxels on every axis: near the centroid, and always
    inside a slice that holds the organ.
    """
    places = _places(case, organs)[:VIEWED_ORGANS]
    window = _window(case)
    rows = []
    for organ, centre in places:
        outlines = "the segmentation and the reference" if case.reference is not None else "the segmentation"
        caption = f"Through {organ}" if organ else "No organ found: through the middle of the volume"
        through = f", through {organ}" if organ else ""
        describe = f"{case.label}, {{}}{through}, with the outlines of {outlines}."
        rows.append(SliceRow(caption, [_slice(case, view, centre, window, describe) for view in _views(case)]))
    if case.uncertainty is not None:
        organ, centre = places[0]
        through = f", through {organ}" if organ else ""
        describe = f"{case.label}, {{}}{through}, with the uncertainty of the segmentation in colours."
        slices = [_slice(case, view, centre, window, describe, case.uncertainty) for view in _views(case)]
        rows.insert(1, SliceRow(f"Uncertainty{through}", slices))
    return rows


def _places(case: ReportCase, organs: Sequence[str]) -> list[tuple[str | None, tuple[int, int, int]]]:
    """Organs to show with their middle, those that ask for caution first."""
    flagged = {row.organ for row in case.rows if row.flags}
    found = []
    for label, organ in enumerate(organs, start=1):
        centre = _middle(case.label_map, label) or (case.reference and _middle(case.reference, label))
        if centre:
            found.append((organ, centre))
    i, j, k = (size // 2 for size in case.scan.geometry.shape)
    return [*sorted(found, key=lambda place: place[0] not in flagged)] or [(None, (i, j, k))]


def _views(case: ReportCase) -> tuple[View, ...]:
    return views_of(case.scan.geometry)


def _window(case: ReportCase) -> tuple[float, float]:
    low, high = np.percentile(case.scan.voxels[::2, ::2, ::2].astype(np.float32), (0.5, 99.5))
    return float(low), float(high)


def _slice(
    case: ReportCase,
    view: View,
    centre: tuple[int, int, int],
    window: tuple[float, float],
    describe: str,
    uncertainty: NDArray[np.floating] | None = None,
) -> SlicePicture:
    geometry, index = case.scan.geometry, centre[view.across]
    title = slice_name(geometry.direction, view.across, index, geometry.shape[view.across])
    picture = view.picture(case.scan.voxels, index)
    lines: list[Outline] = []
    if uncertainty is None:
        lines += outlines_of(view.picture(case.label_map.voxels, index), _COLOURS)
        if case.reference is not None:
            lines += outlines_of(view.picture(case.reference.voxels, index), _REFERENCES, dashed=True)
    return SlicePicture(
        jpeg(picture, window),
        (picture.shape[1], picture.shape[0]),
        view.size_mm(geometry),
        tuple(lines),
        title,
        describe.format(title),
        view.edges,
        None if uncertainty is None else heat_png(view.picture(uncertainty, index)),
    )


_COLOURS = {label: organ_colour(label) for label in range(1, 255)}
_REFERENCES = dict.fromkeys(range(1, 255), REFERENCE_COLOUR)


def _middle(label_map: LabelMap, label: int) -> tuple[int, int, int] | None:
    mask = label_map.voxels == label
    centre = []
    for axis in range(3):
        counts = np.count_nonzero(mask, axis=tuple(other for other in range(3) if other != axis)).cumsum()
        if counts[-1] == 0:
            return None
        centre.append(int(np.searchsorted(counts, (counts[-1] + 1) // 2)))
    return centre[0], centre[1], centre[2]
