"""Calibration of a model's intervals with complete reference segmentations in the scene."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...imaging.scan import LabelMap
from ...segmentation.segments import segment_metadata
from ..nodes.segmentation_nodes import labelMapFromSegmentation, organsNamed
from ..nodes.study_nodes import volumeOf
from ..nodes.volume_nodes import geometryOfNode, scanFromNode
from ..results.result_staging import segmentNames
from .aside import aside
from .jobs import Job, Steps
from .temporary_folders import temporaryFolder

MrmlNode = Any


def calibrate(job: Job, referenceNodes: Sequence[MrmlNode], model: Path, logs: Path, device: str = "auto") -> Steps:
    """Steps that calibrate the prediction intervals of a model, see `uslabelseg calibrate`; returns what was found.

    The model file is replaced by the same model with other intervals.

    Args:
        job: does the steps.
        referenceNodes: segmentations of an expert, each complete and drawn on a volume that the model was not trained
            with; segments are named as the organs of the model.
        model: folder of a trained study, or model file.
        logs: folder of the worker's log.
        device: where to compute.

    Raises:
        InputError: while they run: two references of one volume, too few of them, one without an organ, a volume of
            the training.
    """
    from ...disk.names import safe_stems
    from ...imaging.files import write_label_map, write_volume

    volumes = [volumeOf(node) for node in referenceNodes]
    for node, volume_node in zip(referenceNodes, volumes, strict=True):
        if volumes.count(volume_node) > 1:
            raise InputError(volume_node.GetName(), "has two references", f"untick {node.GetName()} or the other")
    names = safe_stems(node.GetName() for node in volumes)
    with temporaryFolder() as temporary:
        images, references = Path(temporary) / "images", Path(temporary) / "references"
        images.mkdir()
        references.mkdir()
        for node, volume_node, name in zip(referenceNodes, volumes, names, strict=True):
            yield from aside(partial(write_volume, images / f"{name}.nrrd", scanFromNode(volume_node)))
            organs = segmentNames(node)
            voxels = labelMapFromSegmentation(node, volume_node, organsNamed(organs))
            label_map = LabelMap(voxels, geometryOfNode(volume_node), name)
            write_label_map(references / f"{name}.nrrd", label_map, segment_metadata(label_map, organs))
            yield
        yield from job.work(["calibrate", str(model), str(images), str(references), "--device", device], logs)
    assert job.log is not None
    lines = job.log.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if "the true" in line]
