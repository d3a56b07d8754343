"""Segmentation of volume nodes by a worker, its results as nodes beside their volumes, and their organ volumes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from ..errors import InputError
from .jobs import Job, Steps
from .segmentation_nodes import Organ, organMasks, organsNamed, segmentationFromLabelMap
from .study_session import RESULT, UNCERTAINTY, attach, inScene, madeFor, stage, temporaryFolder, volumeOf
from .tables_and_plots import uncertaintyNode, volumesTableNode
from .volume_nodes import geometryOfNode, worldGeometry
from .worker import Worker

MrmlNode = Any

EXPECTED = "USLabelEfficientSeg.ExpectedVolumes"  # attribute: voxels and ml of each organ as the model found them


@dataclass(frozen=True)
class SegmentationRequest:
    """What to segment, and what to make of it.

    Args:
        model: folder of a trained study or model file.
        organs: colours and terminology for organs of these names; others get the library's.
        uncertainty: add the uncertainty as a volume node.
        show3D: show the organs in the 3-D view.
        replace: remove earlier results of the same volume; by default both are kept.
        device: where to compute.
    """

    model: Path
    organs: Sequence[Organ] = ()
    uncertainty: bool = True
    show3D: bool = True
    replace: bool = False
    device: str = "auto"


def segment(job: Job, volumeNodes: Sequence[MrmlNode], request: SegmentationRequest, logs: Path) -> Steps:
    """Steps that segment volume nodes; returns the segmentation nodes, one for each volume that is still there.

    Each result belongs to the volume node that it was made from, whatever is selected or removed meanwhile.

    Raises:
        InputError: while they run: no volumes, no model, an unusable volume, or a volume that was changed meanwhile.
    """
    if not volumeNodes:
        raise InputError("segmentation", "has no volumes", "tick one volume or more")
    made: list[MrmlNode] = []
    with temporaryFolder() as temporary:
        images, output = Path(temporary) / "images", Path(temporary) / "segmentations"
        by_name = yield from stage(volumeNodes, images)
        finished: list[dict[str, Any]] = []

        def watch(worker: Worker) -> None:
            finished.extend(worker.records())
            job.progress = len(finished) / len(by_name)

        arguments = ["segment", str(request.model), str(images), "--output", str(output), "--json"]
        arguments += ["--device", request.device, *(["--uncertainty"] if request.uncertainty else [])]
        for _ in job.work(arguments, logs, watch):
            made += _taken_over(finished[len(made) :], by_name, request)
            yield
        made += _taken_over(finished[len(made) :], by_name, request)
    return [node for node in made if node is not None and inScene(node)]


def computeVolumes(segmentationNodes: Iterable[MrmlNode], tableNode: MrmlNode | None = None) -> MrmlNode:
    """Organ volumes in ml of segmentation nodes, as a table node with one row a volume and organ.

    The counted volume is that of the segments' voxels on the grid of their volume, under its transforms. Where a
    segment still is as the model made it, the sum of its probabilities is given as well.

    Args:
        segmentationNodes: each with a volume that it belongs to.
        tableNode: filled anew if given.

    Raises:
        InputError: a segmentation whose volume is missing.
    """
    from ..measurement.volumes import OrganVolume

    rows = []
    for node in segmentationNodes:
        volume_node = volumeOf(node)
        if volume_node is None:
            raise InputError(node.GetName(), "has no volume in the scene", "load its volume, or remove it")
        segmentation = node.GetSegmentation()
        segments = [segmentation.GetNthSegment(n) for n in range(segmentation.GetNumberOfSegments())]
        organs = [Organ(segment.GetName(), segment.GetColor()) for segment in segments]
        expected = json.loads(node.GetAttribute(EXPECTED) or "{}")
        voxel_ml = worldGeometry(volume_node).voxel_volume_ml
        for name, mask in organMasks(node, volume_node, organs).items():
            count = int(mask.sum())
            found = expected.get(name, {})
            weighted = found["ml"] if found.get("voxels") == count else None
            rows.append(OrganVolume(node.GetName(), name, count, count * voxel_ml, weighted))
    return volumesTableNode(rows, tableNode)


def _taken_over(
    records: Sequence[dict[str, Any]], by_name: dict[str, MrmlNode], request: SegmentationRequest
) -> list[MrmlNode | None]:
    """Nodes for the files that the worker has finished; None for a volume that was removed meanwhile."""
    made: list[MrmlNode | None] = []
    for record in records:
        file = Path(record["file"])
        volume_node = by_name[file.name.removesuffix(".nrrd")]
        made.append(_result(file, volume_node, record["volumes_ml"], request) if inScene(volume_node) else None)
    return made


def _result(file: Path, volumeNode: MrmlNode, volumesMl: dict[str, float], request: SegmentationRequest) -> MrmlNode:
    from ..imaging.files import read_label_map, read_volume

    label_map = read_label_map(file)
    if not label_map.geometry.same_grid(geometryOfNode(volumeNode)):
        raise InputError(volumeNode.GetName(), "was changed while it was segmented", "segment it again")
    looks = {organ.name: organ for organ in request.organs}
    organs = [looks.get(organ.name, organ) for organ in organsNamed(list(volumesMl))]
    if request.replace:
        for old in [*madeFor(volumeNode, RESULT), *madeFor(volumeNode, UNCERTAINTY)]:
            slicer.mrmlScene.RemoveNode(old)
    node = segmentationFromLabelMap(label_map.voxels, volumeNode, organs, f"{volumeNode.GetName()} segmentation")
    attach(node, volumeNode, RESULT)
    counts = np.bincount(label_map.voxels.ravel(), minlength=len(organs) + 1)
    expected = {
        organ.name: {"voxels": int(counts[label]), "ml": volumesMl[organ.name]} for label, organ in enumerate(organs, 1)
    }
    node.SetAttribute(EXPECTED, json.dumps(expected))
    if request.uncertainty:
        values = read_volume(file.with_name(f"{file.name.removesuffix('.nrrd')}_uncertainty.nrrd")).voxels
        uncertainty = uncertaintyNode(values, volumeNode, f"{volumeNode.GetName()} uncertainty")
        attach(uncertainty, volumeNode, UNCERTAINTY)
    if request.show3D:
        node.CreateClosedSurfaceRepresentation()
    return node
