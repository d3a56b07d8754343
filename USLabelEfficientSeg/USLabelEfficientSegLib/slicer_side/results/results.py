"""Segmentation of volume nodes by a worker, its results as nodes beside their volumes, and their organ volumes."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from ...errors import InputError
from ...imaging.memory_order import reordered
from ..nodes.ellipse_markups import showEllipses
from ..nodes.segmentation_nodes import Organ, organMasks, organsNamed, segmentationFromLabelMap
from ..nodes.study_nodes import RESULT, STUDY, UNCERTAINTY, attach, inScene, isShown, madeFor, volumeOf
from ..nodes.surfaces import makeSurfaces
from ..nodes.tables_and_plots import uncertaintyNode, volumesTableNode
from ..nodes.volume_nodes import geometryOfNode, isImage, worldGeometry
from ..processes.aside import aside
from ..processes.jobs import Job, Steps, WorkError, finished
from ..processes.resident_worker import Asked, ResidentWorker
from ..processes.study_jobs import stage
from ..processes.temporary_folders import temporaryFolder
from ..processes.worker import Worker
from .image_measurements import imageMeasurements
from .image_results import imageResult, removeImageResults
from .image_table import imagesTableNode
from .node_measurements import EDITED, ResultVolume, digest, keepMeasured, measuredAsMade, measuredOf

if TYPE_CHECKING:
    from ...imaging.scan import LabelMap

MrmlNode = Any
_MOST_VOXELS = 2**26  # 64 volumes of 100 x 100 x 100


@dataclass(frozen=True)
class SegmentationRequest:
    """How volumes are segmented and shown.

    Args:
        model: folder of a trained study or model file.
        organs: colours and terminology for organs of these names; others get the library's.
        uncertainty: add the uncertainty as a volume node.
        show3D: show the organs in the 3-D view.
        replace: remove earlier results of the same volume; by default both are kept.
        keepEdited: among these, keep those that were corrected by hand.
        device: where to compute.
        study: which study's model it is, by the time of its creation; "" for a model file.
    """

    model: Path
    organs: Sequence[Organ] = ()
    uncertainty: bool = True
    show3D: bool = True
    replace: bool = False
    keepEdited: bool = False
    device: str = "auto"
    study: str = ""


def segment(
    job: Job,
    volumeNodes: Sequence[MrmlNode],
    request: SegmentationRequest,
    logs: Path,
    resident: ResidentWorker | None = None,
) -> Steps:
    """Steps that segment volume nodes; returns the segmentation nodes, one for each volume that is still there.

    Each result belongs to the volume node that it was made from, whatever is selected or removed meanwhile.

    Args:
        job: whose steps these are.
        volumeNodes: to segment.
        request: how.
        logs: folder of the log of a worker that is started for it.
        resident: of the open study: it segments what is small at once.

    Raises:
        InputError: while they run: no volumes, no model, an unusable volume, or a volume that was changed meanwhile.
    """
    if not volumeNodes:
        raise InputError("segmentation", "has no volumes", "tick one volume or more")
    made: list[MrmlNode] = []
    with temporaryFolder() as temporary:
        images, output = Path(temporary) / "images", Path(temporary) / "segmentations"
        by_name = yield from stage(job, volumeNodes, images, share=0.1)
        told: list[dict[str, Any]] = []

        def watch(worker: Worker | Asked) -> None:
            told.extend(worker.records())
            job.tell(_("segmenting"), len(told), len(by_name))

        if resident is not None and _are_small(volumeNodes):
            asked = {"model": request.model, "images": [str(images)], "output": output, "device": request.device}
            steps: Iterator[None] = job.ask(resident, "segment", watch, uncertainty=request.uncertainty, **asked)
        else:
            arguments = ["segment", str(request.model), str(images), "--output", str(output), "--json"]
            arguments += ["--device", request.device, *(["--uncertainty"] if request.uncertainty else [])]
            steps = job.work(arguments, logs, watch)
        try:
            for _step in steps:
                made += yield from _taken_over(told[len(made) :], by_name, request)
                yield
        except WorkError:  # of one volume, perhaps: the others are segmented
            made += yield from _taken_over(told[len(made) :], by_name, request)
            raise
        made += yield from _taken_over(told[len(made) :], by_name, request)
    return [node for node in made if node is not None and inScene(node)]


def _are_small(volumeNodes: Iterable[MrmlNode]) -> bool:
    """Whether the memory for segmenting them may stay with the resident worker."""
    return sum(prod(node.GetImageData().GetDimensions()) for node in volumeNodes) <= _MOST_VOXELS


def computeVolumes(segmentationNodes: Iterable[MrmlNode], tableNode: MrmlNode | None = None) -> MrmlNode:
    """Organ volumes in ml of segmentation nodes, as a table node with one row a volume and organ; of images areas.

    The outline volume is that of the segments' voxels on the grid of their scan, under its transforms. A segment
    that is as the model made it also has the sum of its probabilities, the 90 % prediction interval and flags.

    Args:
        segmentationNodes: each with a volume that it belongs to.
        tableNode: filled anew if given.

    Raises:
        InputError: a segmentation whose volume is missing; some are of volumes and some of 2-D images.
    """
    return finished(measuring(segmentationNodes, tableNode))


def measuring(
    segmentationNodes: Iterable[MrmlNode], tableNode: MrmlNode | None = None, job: Job | None = None
) -> Steps:
    """Steps that do the same, a segmentation each; they return the table node.

    What is removed meanwhile is left out, and the table is filled at the end: steps that are closed leave it as it was.

    Args:
        segmentationNodes: as in `computeVolumes`.
        tableNode: filled anew if given.
        job: that is told how far it is.
    """
    nodes = list(segmentationNodes)
    images = [node for node in nodes if ofImage(node)]
    if images and len(images) < len(nodes):
        problem, remedy = "is of a 2-D image, and others are of volumes", "measure volumes and images apart"
        raise InputError(images[0].GetName(), problem, remedy)
    rows: list[Any] = []
    for number, node in enumerate(nodes):
        if job is not None:
            job.tell(_("measuring"), number, len(nodes))
        if inScene(node) or job is None:
            rows += imageMeasurements(node) if images else organVolumes(node)
        yield
    return imagesTableNode(rows, tableNode) if images else volumesTableNode(rows, tableNode)


def ofImage(segmentationNode: MrmlNode) -> bool:
    """Whether a segmentation belongs to a 2-D image of the scene."""
    volume_node = volumeOf(segmentationNode)
    return volume_node is not None and isImage(volume_node)


def organVolumes(segmentationNode: MrmlNode) -> list[ResultVolume]:
    """Volume of every segment of a segmentation node under its name, see `computeVolumes`."""
    volume_node = volumeOf(segmentationNode)
    if volume_node is None:
        raise InputError(segmentationNode.GetName(), "has no volume in the scene", "load its volume, or remove it")
    if isImage(volume_node):
        raise InputError(segmentationNode.GetName(), "is of a 2-D image, which has no volume", "choose volumes alone")
    segmentation = segmentationNode.GetSegmentation()
    segments = [segmentation.GetNthSegment(n) for n in range(segmentation.GetNumberOfSegments())]
    organs = [Organ(segment.GetName(), segment.GetColor()) for segment in segments]
    masks, voxel_ml = organMasks(segmentationNode, volume_node, organs), worldGeometry(volume_node).voxel_volume_ml
    measured = measuredOf(segmentationNode, masks, voxel_ml)
    rows = []
    for name, mask in masks.items():
        count = int(mask.sum())
        row = ResultVolume(segmentationNode.GetName(), name, count, count * voxel_ml, count * voxel_ml)
        if name in measured:
            found = measured[name]
            row = (
                replace(row, cautions=(EDITED,))
                if found is None
                else replace(
                    row,
                    volume_ml=found.volume_ml,
                    from_probabilities=found.from_probabilities,
                    interval_ml=found.interval_ml,
                    cautions=tuple(found.flags),
                )
            )
        rows.append(row)
    return rows


def _taken_over(
    records: Sequence[dict[str, Any]], by_name: dict[str, MrmlNode], request: SegmentationRequest
) -> Generator[None, None, list[MrmlNode | None]]:
    """Steps that make nodes of the files that the worker has finished; None for a volume that was removed meanwhile."""
    made: list[MrmlNode | None] = []
    for record in records:
        file = Path(record["file"])
        volume_node = by_name[file.name.removesuffix(".nrrd")]
        made.append((yield from _result(file, volume_node, request)) if inScene(volume_node) else None)
    return made


def _result(file: Path, volumeNode: MrmlNode, request: SegmentationRequest) -> Generator[None, None, MrmlNode | None]:
    """Steps that make the nodes of a result: all that tells of the organs in one of them, then what is only shown."""
    from ...imaging.files import read_label_map, read_volume

    if isImage(volumeNode):
        return _image_result(file, volumeNode, request)
    label_map = yield from aside(lambda: read_label_map(file))
    if not inScene(volumeNode):
        return None
    node = yield from _segmentation(file, label_map, volumeNode, request)
    if node is None:
        return None
    yield
    if request.uncertainty:
        beside = file.with_name(f"{file.name.removesuffix('.nrrd')}_uncertainty.nrrd")
        values = yield from aside(lambda: reordered(read_volume(beside).voxels.astype(np.float32), "F"))
        if inScene(volumeNode):
            uncertainty = uncertaintyNode(values, volumeNode, f"{volumeNode.GetName()} uncertainty")
            attach(uncertainty, volumeNode, UNCERTAINTY)
        yield
    if request.show3D:
        yield from makeSurfaces(node)
    return node


def _segmentation(
    file: Path, label_map: LabelMap, volumeNode: MrmlNode, request: SegmentationRequest
) -> Generator[None, None, MrmlNode | None]:
    """Steps that make the segmentation node of a result with its measurements; None for a volume that was removed."""
    from ...measurement.measuring import of_kind, read_measurements_of
    from ...measurement.organ import OrganMeasurement
    from ...measurement.record import read_record_of

    measured, record = read_measurements_of(file), read_record_of(file)
    if measured is None or record is None or record.origin is None:
        raise InputError(volumeNode.GetName(), "was segmented, but not measured", "segment it again")
    rows = of_kind(measured, OrganMeasurement)
    if not label_map.geometry.same_grid(geometryOfNode(volumeNode)):
        raise InputError(volumeNode.GetName(), "was changed while it was segmented", "segment it again")
    digests = yield from aside(lambda: {row.organ: digest(label_map.voxels == row.label) for row in rows})
    if not inScene(volumeNode):
        return None
    looks = {organ.name: organ for organ in request.organs}
    organs = [looks.get(organ.name, organ) for organ in organsNamed([row.organ for row in rows])]
    if request.replace:
        _remove_earlier(volumeNode, request.keepEdited)
    node = segmentationFromLabelMap(label_map.voxels, volumeNode, organs, f"{volumeNode.GetName()} segmentation")
    attach(node, volumeNode, RESULT)
    if request.study:
        node.SetAttribute(STUDY, request.study)
    node.SetDisplayVisibility(isShown(volumeNode))  # several volumes lie in the same place
    keepMeasured(node, rows, digests, label_map.geometry.voxel_volume_ml, record.origin.maker)
    return node


def _image_result(file: Path, imageNode: MrmlNode, request: SegmentationRequest) -> MrmlNode:
    if request.replace:
        removeImageResults(imageNode, request.keepEdited)
    node = imageResult(file, imageNode, request.organs, request.uncertainty)
    if request.study:
        node.SetAttribute(STUDY, request.study)
    showEllipses(node, imageMeasurements(node))
    return node


def _remove_earlier(volumeNode: MrmlNode, keepEdited: bool) -> None:
    """Remove earlier results of a volume, and the uncertainty maps that belong to them."""
    for old in madeFor(volumeNode, RESULT):
        if not (keepEdited and isEdited(old)):
            slicer.mrmlScene.RemoveNode(old)
    for old in madeFor(volumeNode, UNCERTAINTY):
        slicer.mrmlScene.RemoveNode(old)


def isEdited(segmentationNode: MrmlNode) -> bool:
    """Whether somebody has changed a result by hand since the model found it, or nobody knows how it was found."""
    rows, made = organVolumes(segmentationNode), measuredAsMade(segmentationNode, 1.0)
    return {row.organ for row in rows} != made.keys() or any(EDITED in row.cautions for row in rows)
