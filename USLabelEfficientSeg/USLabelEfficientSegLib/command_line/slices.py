"""Slices of a study's volumes in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError
from ..imaging.planes import slice_name, slices_name
from ..imaging.volume_files import read_geometry

if TYPE_CHECKING:
    from ..annotation.suggesting import Suggestion
    from ..study.label_merging import TakenLabels
    from ..study.study import Study


def suggested_slice(study: Study, suggestion: Suggestion) -> str:
    """A suggested slice in words, for example "coronal, slice 25 of 48"."""
    image = study.case(suggestion.volume).image
    direction = read_geometry(study.folder / image.file).direction
    return slice_name(direction, suggestion.axis, suggestion.index, image.shape[suggestion.axis])


def labelled_slices(study: Study, name: str) -> str:
    """The labelled slices of a volume, by axis, or only their number if it cannot be read; of an image yes or no."""
    case = study.case(name)
    places = case.labels.slices if case.labels is not None else ()
    if study.is_planar:
        return "yes" if places else "no"
    if not places:
        return "none"
    try:
        direction = read_geometry(study.folder / case.image.file).direction
    except InputError as error:
        return f"{len(places)} (the image {error.problem})"
    lines = []
    for axis in sorted({axis for axis, _ in places}):
        indices = [index for other, index in places if other == axis]
        lines.append(slices_name(direction, axis, indices, case.image.shape[axis]))
    return "; ".join(lines)


def taken_slices(study: Study, taken: TakenLabels) -> str:
    """The labels that were taken for a case, in words."""
    if study.is_planar:
        return "labelled" if taken.added else "label replaced"
    parts = []
    for what, places in (("labelled", taken.added), ("replaced", taken.replaced)):
        for axis in sorted({place.axis for place in places}):
            indices = [place.index for place in places if place.axis == axis]
            parts.append(f"{what} {slices_name(taken.geometry.direction, axis, indices, taken.geometry.shape[axis])}")
    return "; ".join(parts)
