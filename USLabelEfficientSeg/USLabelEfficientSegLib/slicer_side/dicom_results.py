"""DICOM objects (SEG, SR) of results whose volumes were loaded from DICOM, for the archive."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import slicer

from ..errors import InputError
from ..imaging.scan import LabelMap, as_volume
from ..measurement.flags import Flag
from ..measurement.organ import OrganMeasurement
from ..segmentation.segments import segment_metadata
from .jobs import Job, Steps
from .node_measurements import measuredOf
from .segmentation_nodes import labelMapFromSegmentation, organsNamed
from .study_jobs import temporaryFolder
from .study_nodes import volumeOf
from .volume_nodes import geometryOfNode, scanFromNode

MrmlNode = Any

_INSTANCES = "DICOM.instanceUIDs"  # attribute that Slicer's DICOM module gives to volumes


def cameAsDicom(volumeNode: MrmlNode) -> bool:
    """Whether a volume was loaded by Slicer's DICOM module."""
    return bool(volumeNode.GetAttribute(_INSTANCES))


def exportDicom(job: Job, segmentationNodes: Sequence[MrmlNode], folder: Path, logs: Path) -> Steps:
    """Steps that write NAME_SEG.dcm and NAME_SR.dcm for each result into a folder; returns the files.

    Both refer to the images of Slicer's DICOM database. Segments as the model made them keep their measurements, with
    intervals and flags; segments drawn or edited by hand are measured anew.

    Raises:
        InputError: while they run: images that are no longer in the database, segments that overlap, images that
            lack what derived objects need.
    """
    from ..disk.names import safe_stems

    names = safe_stems(volumeOf(node).GetName() for node in segmentationNodes)
    with temporaryFolder() as temporary:
        images, segmentations = Path(temporary) / "images", Path(temporary) / "segmentations"
        segmentations.mkdir()
        for node, name in zip(segmentationNodes, names, strict=True):
            _stage_images(volumeOf(node), images / name)
            _stage_segmentation(node, segmentations / f"{name}.nrrd")
            yield
        arguments = ["export-dicom", str(segmentations), "--images", str(images), "--output", str(folder)]
        yield from job.work(arguments, logs)
    return [folder / f"{name}_{kind}.dcm" for name in names for kind in ("SEG", "SR")]


def _stage_images(volumeNode: MrmlNode, folder: Path) -> None:
    """Copies of the DICOM files of a volume."""
    folder.mkdir(parents=True)
    for number, uid in enumerate(volumeNode.GetAttribute(_INSTANCES).split()):
        file = slicer.dicomDatabase.fileForInstance(uid)
        if not file or not Path(file).is_file():
            problem = "is no longer in Slicer's DICOM database"
            raise InputError(volumeNode.GetName(), problem, "import its DICOM files again")
        shutil.copy(file, folder / f"{number:05d}.dcm")


def _stage_segmentation(node: MrmlNode, path: Path) -> None:
    """The segments as a label map with their names, and their measurements."""
    from ..imaging.files import write_label_map  # reads DICOM, whose library takes long to load
    from ..measurement.measuring import write_measurements_of
    from ..measurement.volumetric import measure_case

    segmentation, volume_node = node.GetSegmentation(), volumeOf(node)
    names = [segmentation.GetNthSegment(n).GetName() for n in range(segmentation.GetNumberOfSegments())]
    voxels = labelMapFromSegmentation(node, volume_node, organsNamed(names))
    label_map = as_volume(LabelMap(voxels, geometryOfNode(volume_node), path.stem))
    write_label_map(path, label_map, segment_metadata(label_map, names))
    masks = {name: voxels == label for label, name in enumerate(names, start=1)}
    measured = measuredOf(node, masks, label_map.geometry.voxel_volume_ml)
    kept = {name: row for name, row in measured.items() if row is not None}
    if not measured:
        return  # no model has measured them: the worker does
    anew = {}
    if len(kept) < len(names):
        image = scanFromNode(volume_node)
        rows_now = measure_case(label_map, names, image=image)
        anew = {row.organ: _marked(row, edited=row.organ in measured) for row in rows_now}
    rows = [
        replace(kept[name], case=path.stem, label=label) if name in kept else anew[name]
        for label, name in enumerate(names, start=1)
    ]
    write_measurements_of(path, rows)


def _marked(row: OrganMeasurement, *, edited: bool) -> OrganMeasurement:
    """A segment measured now, with a caution if it was edited after a model made it."""
    return replace(row, flags=(*row.flags, Flag.EDITED)) if edited else row
