"""What is measured of the segments of a 2-D image, and the model's own measurements, kept with their node.

As with volumes (`node_measurements`), probabilities, intervals and flags belong to the segments as the model made them:
a digest of each organ's pixels is kept with them, so that they never stand beside an edited segment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...imaging.scan import LabelMap
from ...measurement.flags import Flag, ordered
from ...measurement.quantities import in_words_of_today
from ..nodes.segmentation_nodes import Organ, organMasks
from ..nodes.study_nodes import volumeOf
from ..nodes.volume_nodes import worldGeometry
from .node_measurements import digest

if TYPE_CHECKING:
    from ...measurement.planar import PlanarMeasurement

MrmlNode = Any

MEASURED = "USLabelEfficientSeg.MeasuredImage"  # attribute: for each organ what was measured, and of which pixels
_TUPLES = ("area_interval_mm2", "circumference_interval_mm")


def keepMeasuredImage(
    segmentationNode: MrmlNode,
    rows: Sequence[PlanarMeasurement],
    masks: Mapping[str, NDArray[np.bool_]],
    spacing: tuple[float, float],
) -> None:
    """Keep the measurements of a result with its node.

    Args:
        rows: an organ each.
        masks: (I, J, 1) of each organ as the model has made it.
        spacing: of the pixels in mm that the rows were measured with.
    """
    kept = {
        row.organ: {"pixels_sha256": digest(masks[row.organ]), "spacing": spacing, "measured": asdict(row)}
        for row in rows
    }
    segmentationNode.SetAttribute(MEASURED, json.dumps(kept))


def imageMeasurements(segmentationNode: MrmlNode) -> list[PlanarMeasurement]:
    """The measurement of every segment on a 2-D image, where its transforms place it, in the order of the segments.

    Of a segment that is as the model made it: the model's. Of all others: of the outline, without intervals, and with
    the flag `EDITED` if a model has measured the organ before.

    Raises:
        InputError: a segmentation whose image is missing, or an image under a transform that bends or shears it.
    """
    from ...measurement.planar import measure_labels

    volume_node = volumeOf(segmentationNode)
    if volume_node is None:
        raise InputError(segmentationNode.GetName(), "has no image in the scene", "load its image, or remove it")
    geometry = worldGeometry(volume_node)
    kept = json.loads(segmentationNode.GetAttribute(MEASURED) or "{}")
    rows = []
    for label, (organ, mask) in enumerate(_masks(segmentationNode, volume_node).items(), start=1):
        if organ in kept and _is_unchanged(kept[organ], mask, geometry.spacing[:2]):
            row = _read(kept[organ]["measured"])
        else:
            (row,) = measure_labels(LabelMap(mask.astype(np.uint8), geometry, segmentationNode.GetName()), [organ])
            row = replace(row, flags=ordered({*row.flags, Flag.EDITED})) if organ in kept else row
        rows.append(replace(row, case=segmentationNode.GetName(), label=label))
    return rows


def isEdited(segmentationNode: MrmlNode, volumeNode: MrmlNode) -> bool:
    """Whether a segment of an image's result is not as the model made it, or is no organ of the model."""
    kept = json.loads(segmentationNode.GetAttribute(MEASURED) or "{}")
    spacing = worldGeometry(volumeNode).spacing[:2]
    masks = _masks(segmentationNode, volumeNode)
    same = [organ in kept and _is_unchanged(kept[organ], mask, spacing) for organ, mask in masks.items()]
    return not all(same) or len(masks) < len(kept)


def _masks(segmentationNode: MrmlNode, volumeNode: MrmlNode) -> dict[str, NDArray[np.bool_]]:
    segmentation = segmentationNode.GetSegmentation()
    segments = [segmentation.GetNthSegment(n) for n in range(segmentation.GetNumberOfSegments())]
    return organMasks(segmentationNode, volumeNode, [Organ(one.GetName(), one.GetColor()) for one in segments])


def _is_unchanged(kept: Mapping[str, Any], mask: NDArray[np.bool_], spacing: tuple[float, ...]) -> bool:
    """Whether pixels, and their size under the transforms of today, are those that the model measured."""
    return bool(kept["pixels_sha256"] == digest(mask) and np.allclose(kept["spacing"], spacing, rtol=1e-6, atol=0))


def _read(measured: Mapping[str, Any]) -> PlanarMeasurement:
    from ...measurement.planar import Ellipse, PlanarMeasurement

    fields = in_words_of_today(measured)
    fields |= {name: None if fields[name] is None else tuple(fields[name]) for name in _TUPLES}
    fields["flags"] = tuple(Flag(flag) for flag in fields["flags"])
    if fields["ellipse"] is not None:
        ellipse = fields["ellipse"]
        fields["ellipse"] = Ellipse(
            tuple(ellipse["centre_mm"]), tuple(ellipse["axes_mm"]), float(ellipse["angle_degrees"])
        )
    return PlanarMeasurement(**fields)
