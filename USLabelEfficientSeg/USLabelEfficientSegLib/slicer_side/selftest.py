"""The module's self-test inside Slicer: the whole way from volumes to organ volumes, in a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer

from .nodes.simulated_data import ORGANS, createSimulatedStudy
from .nodes.study_nodes import volumeOf
from .processes.dependencies import missingRequirements

MrmlNode = Any

# A training of seconds: it shows that everything works, not how well.
TINY_PRESET = {
    "working_grid.max_voxels": 32, "teacher.slice_size": 32, "teacher.steps": 3, "teacher.batch_size": 2,
    "slice_head.steps": 3, "slice_head.views": 1, "pseudo_labels.views": 1, "student.window": 32,
    "student.widths": [8, 8, 8], "student.steps": 3, "student.rounds": 1, "student.label_steps": 3,
    "student.label_steps_from": 1, "slice_network.steps": 3,
}  # fmt: skip


def whatIsMissing() -> str:
    """Why the self-test cannot be done, as on a build machine, where nothing is installed; empty if it can."""
    missing = missingRequirements()
    return f"Not tested: these Python packages are not installed: {', '.join(missing)}" if missing else ""


def from_volumes_to_organ_volumes(logic: Any, studyFolder: Path) -> MrmlNode:
    """Simulate two volumes, train on their labelled slices, segment one, and measure it.

    Args:
        logic: USLabelEfficientSegLogic.
        studyFolder: a new folder.

    Returns:
        The table node with the volumes of two organs.
    """
    volume_nodes = createSimulatedStudy(2)
    label_nodes = [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        if any(volumeOf(node) is volume_node for volume_node in volume_nodes)
    ]
    logic.createStudy(studyFolder, volume_nodes, ORGANS)
    logic.distillStudent(studyFolder, label_nodes, changes=TINY_PRESET)
    return logic.computeVolumes(logic.segment(volume_nodes[:1], studyFolder))
