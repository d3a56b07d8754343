"""Results as files for a worker: the segments as they are now, with what the model has measured of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...imaging.geometry import Geometry
from ...imaging.scan import LabelMap, as_volume
from ...segmentation.segments import segment_metadata
from ..nodes.segmentation_nodes import labelMapFromSegmentation, organsNamed
from ..nodes.study_nodes import volumeOf
from ..processes.aside import aside
from ..processes.jobs import Steps
from .node_measurements import digest, digestsAsMade, measuredAsMade

if TYPE_CHECKING:
    from ...measurement.organ import OrganMeasurement
    from ...measurement.record import Maker

MrmlNode = Any


def stageSegmentation(node: MrmlNode, path: Path, geometry: Geometry, maker: Maker | None = None) -> Steps:
    """Steps that write the segments as a label map with their names, and beside it the model's measurements.

    The worker takes these over for the organs that are as the model made them, and measures edited ones anew, with a
    caution; so does it with segments that no model has measured.

    Args:
        node: a result.
        path: of the label map.
        geometry: of its voxels; a scaling transform that it holds scales the measurements, too.
        maker: of the result, to be told by the worker; by default it stays unknown.

    Raises:
        InputError: while they run: segments that overlap, or two of one name.
    """
    made, digests = measuredAsMade(node, geometry.voxel_volume_ml), digestsAsMade(node)
    names = sorted(segmentNames(node), key=lambda name: name not in made)  # a record is of the first labels
    voxels = labelMapFromSegmentation(node, volumeOf(node), organsNamed(names))
    label_map = as_volume(LabelMap(voxels, geometry, path.stem))
    yield
    yield from aside(lambda: _write(path, label_map, names, made, digests, maker))


def _write(
    path: Path,
    label_map: LabelMap,
    names: Sequence[str],
    made: Mapping[str, OrganMeasurement],
    digests: Mapping[str, str],
    maker: Maker | None,
) -> None:
    """Write the label map of organs, and what was measured of those that a model has made; see `stageSegmentation`."""
    from ...imaging.files import write_label_map  # reads DICOM, whose library takes long to load
    from ...measurement.measuring import write_measurements_of
    from ...measurement.record import UNKNOWN

    write_label_map(path, label_map, segment_metadata(label_map, names))
    labels = {name: label for label, name in enumerate(names, start=1) if name in made}
    if labels:
        voxels = label_map.voxels
        edited = [label for name, label in labels.items() if digests[name] != digest(voxels == label)]
        before = replace(label_map, voxels=_other_voxels(voxels, edited))
        rows = [replace(made[name], case=path.stem, label=label) for name, label in labels.items()]
        write_measurements_of(path, rows, before, maker or UNKNOWN)


def segmentNames(segmentationNode: MrmlNode) -> list[str]:
    """The names of all segments, in their order."""
    segmentation = segmentationNode.GetSegmentation()
    return [segmentation.GetNthSegment(n).GetName() for n in range(segmentation.GetNumberOfSegments())]


def _other_voxels(voxels: NDArray[np.uint8], labels: Sequence[int]) -> NDArray[np.uint8]:
    """The label map with other voxels of some organs, so that the worker sees that these were edited."""
    others = voxels.copy()
    for label in labels:
        of_organ = voxels == label
        if of_organ.any():
            others[of_organ] = 0
        else:  # erased since
            others.flat[int(np.flatnonzero(others.ravel() == 0)[0])] = label
    return others
