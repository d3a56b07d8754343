"""Sample data: a simulated study with sparse labels, made on this computer, without network."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from ..processes.aside import aside
from ..processes.jobs import Job
from ..session.labelling import LabelledSlices
from .segmentation_nodes import createLabelSegmentation, organsNamed
from .volume_nodes import nodeFromVoxels

MrmlNode = Any

SAMPLE_NAME = "SimulatedUltrasoundStudy"
ORGANS = ("organ A", "organ B")  # as the simulator calls them
_SHAPE, _SPACING_MM = (48, 48, 40), (1.6, 1.6, 1.6)
_SLICE_AXIS = 2


def registerSampleData(thumbnail: Path | None = None) -> None:
    """Add the simulated study to the Sample Data module. Call it from the module's `startupCompleted`."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="Ultrasound",
        sampleName=SAMPLE_NAME,
        thumbnailFileName=str(thumbnail) if thumbnail is not None else None,
        uris=[],
        fileNames=[],
        nodeNames=[],
        customDownloader=lambda source: createSimulatedStudy(),
    )


def createSimulatedStudy(count: int = 6) -> list[MrmlNode]:
    """Add simulated volumes to the scene, the first two with a few labelled slices; returns the volume nodes."""
    steps = simulatedStudy(count)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            nodes: list[MrmlNode] = end.value
            return nodes
        slicer.app.processEvents()


def simulatedStudy(count: int = 6, job: Job | None = None) -> Generator[None, None, list[MrmlNode]]:
    """Steps that add simulated volumes to the scene, the first two with a few labelled slices.

    Every volume is another subject, seen by a good or a mediocre probe. A labelled volume has a label segmentation
    with its true labels on two slices, ready to be taken into a study.

    Args:
        count: of volumes.
        job: shows its progress.

    Returns:
        The volume nodes, named "simulated_0000", ...
    """
    organs = organsNamed(ORGANS)
    nodes = []
    for subject in range(count):
        if job is not None:
            job.progress = subject / count
        case = yield from aside(partial(_simulated, subject))
        node = nodeFromVoxels(case.volume.name, case.volume.voxels, case.volume.geometry)
        nodes.append(node)
        if subject < 2:
            labelling = LabelledSlices(createLabelSegmentation(node, organs), node)
            for index in _telling_slices(case.label_map.voxels):
                labelling.setLabels(_SLICE_AXIS, index, case.label_map.voxels[:, :, index], organs)
            # All subjects lie at the same place: one label at a time.
            labelling.segmentationNode.SetDisplayVisibility(subject == 0)
        yield
    return nodes


def _simulated(subject: int) -> Any:
    from ...imaging.simulator import simulate_volume

    probe = ("good", "medium")[subject % 2]
    return simulate_volume(subject, shape=_SHAPE, spacing=_SPACING_MM, probe=probe, organ_count=len(ORGANS))


def _telling_slices(labels: np.ndarray) -> list[int]:
    """The slice that shows most of all organs, and a slice beside the organs."""
    shown = np.count_nonzero(labels, axis=(0, 1))
    empty = np.flatnonzero(shown == 0)
    return sorted([int(shown.argmax()), int(empty[0])] if len(empty) else [int(shown.argmax())])
