"""DICOM objects (SEG, SR) of results whose volumes were loaded from DICOM, for the archive."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import slicer

from ...errors import InputError
from ..nodes.study_nodes import volumeOf
from ..nodes.volume_nodes import geometryOfNode
from ..processes.aside import aside
from ..processes.jobs import Job, Steps
from ..processes.temporary_folders import temporaryFolder
from .result_staging import stageSegmentation

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
    from ...disk.names import safe_stems

    names = safe_stems(volumeOf(node).GetName() for node in segmentationNodes)
    with temporaryFolder() as temporary:
        images, segmentations = Path(temporary) / "images", Path(temporary) / "segmentations"
        segmentations.mkdir()
        for node, name in zip(segmentationNodes, names, strict=True):
            files = _image_files(volumeOf(node))
            yield from aside(partial(_copy, files, images / name))
            yield from stageSegmentation(node, segmentations / f"{name}.nrrd", geometryOfNode(volumeOf(node)))
            yield
        arguments = ["export-dicom", str(segmentations), "--images", str(images), "--output", str(folder)]
        yield from job.work(arguments, logs)
    return [folder / f"{name}_{kind}.dcm" for name in names for kind in ("SEG", "SR")]


def _image_files(volumeNode: MrmlNode) -> list[Path]:
    """The DICOM files of a volume."""
    files = []
    for uid in volumeNode.GetAttribute(_INSTANCES).split():
        file = slicer.dicomDatabase.fileForInstance(uid)
        if not file or not Path(file).is_file():
            problem = "is no longer in Slicer's DICOM database"
            raise InputError(volumeNode.GetName(), problem, "import its DICOM files again")
        files.append(Path(file))
    return files


def _copy(files: Sequence[Path], folder: Path) -> None:
    folder.mkdir(parents=True)
    for number, file in enumerate(files):
        shutil.copy(file, folder / f"{number:05d}.dcm")
