"""Segmentations of 3D Slicer in NRRD and MetaImage: names of labels, layers, and the grid of the image.

https://slicer.readthedocs.io/en/latest/developer_guide/modules/segmentations.html (segmentation file format)
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..geometry import Geometry
from ..scan import LabelMap
from .header import RAS_TO_LPS, checked_sizes, damaged, grid, real, whole

_FIELD = re.compile(r"Segment([0-9]{1,6})_(\w+)")
_LAST_LABEL = 254
_LARGEST_IMAGE = 1 << 28  # voxels that a small box of labels may stand for


@dataclass(frozen=True)
class Segment:
    """A segment of a file: the voxels of one value in one layer."""

    name: str
    value: int
    layer: int


def segments_of(texts: Mapping[str, str]) -> list[Segment]:
    """The segments that a file describes, in their order.

    Raises:
        ValueError: a label value or layer that is no whole number.
    """
    described: dict[int, dict[str, str]] = {}
    for name, text in texts.items():
        if found := _FIELD.fullmatch(name):
            described.setdefault(int(found[1]), {})[found[2]] = text.strip()
    # Slicer 4 stored every segment as a layer of its own and told neither value nor layer.
    return [
        Segment(of.get("Name", ""), whole(of.get("LabelValue", "1")), whole(of.get("Layer", str(number))))
        for number, of in sorted(described.items())
        if of.keys() & {"ID", "Name", "LabelValue"}
    ]


def segment_fields(segments: Mapping[int, str]) -> dict[str, str]:
    """The fields that say what the labels of a file with one layer are called, of names by label value."""
    return {
        f"Segment{number}_{field}": text
        for number, (label, name) in enumerate(sorted(segments.items()))
        for field, text in (("LabelValue", str(label)), ("Name", name))
    }


def merged(
    path: Path, layers: Sequence[NDArray[np.generic]], segments: Sequence[Segment]
) -> tuple[NDArray[np.generic], dict[int, str]]:
    """One label map of all layers, and the names of its labels.

    Label values stay where they can: where every segment has one of its own from 1 to 254. Else they are the
    numbers of the segments from 1.

    Raises:
        InputError: segments that overlap, or labels that no segment names.
    """
    single = len(layers) == 1
    placed = [(segment, 0 if single else segment.layer) for segment in segments]
    values = [segment.value for segment in segments]
    if lost := [segment for segment, layer in placed if layer >= len(layers)]:
        raise damaged(path, f"the segment {lost[0].name} is in layer {lost[0].layer} of {len(layers)}")
    _check_distinct(path, segments, [(layer, segment.value) for segment, layer in placed])
    distinct = len(set(values)) == len(values) and all(0 < value <= _LAST_LABEL for value in values)
    if single and distinct:
        return layers[0], _names(segments, values)
    if len(segments) > _LAST_LABEL:
        raise InputError(path, f"has {len(segments)} segments", "keep at most 254")
    labels = values if distinct else list(range(1, len(segments) + 1))
    result = np.zeros(layers[0].shape, np.uint8)
    for number, values_of_layer in enumerate(layers):
        named = [(s, label) for (s, layer), label in zip(placed, labels, strict=True) if layer == number]
        unnamed = set(np.unique(values_of_layer).tolist()) - {segment.value for segment, _ in named} - {0}
        if unnamed:
            problem = f"holds the label {min(unnamed):g}, which no segment names"
            raise InputError(path, problem, "save the segmentation again from 3D Slicer")
        for segment, label in named:
            mask = values_of_layer == segment.value
            if clash := set(np.unique(result[mask]).tolist()) - {0}:
                other = segments[labels.index(min(clash))].name
                problem = f"has segments that overlap ({other} and {segment.name})"
                remedy = "remove the overlap (Segment Editor, Masking: overwrite all), as a voxel is of one organ"
                raise InputError(path, problem, remedy)
            result[mask] = label
    return result, _names(segments, labels)


def image_grid(path: Path, texts: Mapping[str, str]) -> Geometry | None:
    """The grid of the image that was segmented, where a segmentation of Slicer tells it; None elsewhere.

    Slicer stores the smallest box around the segments, and the whole grid as text: 16 numbers of the matrix from
    voxels to RAS by rows, then the first and last index of each axis.
    """
    for parameter in texts.get("Segmentation_ConversionParameters", "").split("&"):
        name, _, rest = parameter.partition("|")
        numbers = rest.partition("|")[0].strip(";").split(";")
        if name != "Reference image geometry" or len(numbers) != 22:
            continue
        try:
            matrix = np.array([real(number) for number in numbers[:16]]).reshape(4, 4)
            first, last = np.array([whole(number) for number in numbers[16:]]).reshape(3, 2).T
            shape = checked_sizes(path, (last - first + 1).tolist())
            with np.errstate(all="ignore"):
                origin = RAS_TO_LPS * (matrix[:3, :3] @ first + matrix[:3, 3])
            image = grid(path, shape, RAS_TO_LPS[:, None] * matrix[:3, :3], origin)
        except (ValueError, OverflowError):  # of an empty segmentation, among others
            return None
        return image if math.prod(shape) <= _LARGEST_IMAGE else None
    return None


def fitted(label_map: LabelMap, image: Geometry) -> LabelMap:
    """A segmentation of a part of an image on the grid of the image, with background around it; others as they are.

    Label maps whose file names no segments may be sparse: what lies outside of them is not known.
    """
    own = label_map.geometry
    first = np.rint(image.physical_to_index(own.origin)).astype(np.int64)
    moved = Geometry(own.shape, image.spacing, tuple(image.index_to_physical(first)), image.direction)
    if not label_map.segments or own.shape == image.shape or not own.same_grid(moved):
        return label_map
    start = np.clip(first, 0, image.shape)
    end = np.clip(first + own.shape, start, image.shape)
    voxels = np.zeros(image.shape, np.uint8)
    inside = tuple(map(slice, start - first, end - first))
    voxels[tuple(map(slice, start, end))] = label_map.voxels[inside]
    if np.count_nonzero(voxels) != np.count_nonzero(label_map.voxels):  # of another image
        return label_map
    return replace(label_map, voxels=voxels, geometry=image)


def _check_distinct(path: Path, segments: Sequence[Segment], places: Sequence[tuple[int, int]]) -> None:
    for number, place in enumerate(places):
        if place in places[:number]:
            first, second = segments[places.index(place)], segments[number]
            problem = f"has two segments of the same voxels ({first.name} and {second.name}, label {place[1]})"
            raise InputError(path, problem, "save the segmentation again from 3D Slicer")


def _names(segments: Sequence[Segment], labels: Sequence[int]) -> dict[int, str]:
    named = dict(zip(labels, (segment.name for segment in segments), strict=True))
    return {label: name for label, name in sorted(named.items()) if name}
