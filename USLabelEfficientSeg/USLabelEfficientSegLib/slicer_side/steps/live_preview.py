"""The student's current prediction, outlined over the volume that the user looks at while training runs."""

from __future__ import annotations

from typing import Any

import slicer

from ..nodes.segmentation_nodes import segmentationFromLabelMap
from ..nodes.study_nodes import PREVIEW as ROLE_PREVIEW
from ..nodes.study_nodes import attach, madeFor
from ..nodes.volume_nodes import nodeFromVoxels
from ..session.study_session import StudySession

MrmlNode = Any


def show_preview(session: StudySession, file: str) -> MrmlNode | None:
    """Replace the preview in the scene by the one in a file of the study; None when its volume is not loaded.

    Args:
        session: the study.
        file: path of a label map relative to the study's folder, from an event of training.
    """
    from ...annotation.label_files import read_labels
    from ...study.watching import watched_volume

    case = watched_volume(session.folder)
    volume_node = None if case is None else session.volumeNode(case)
    if volume_node is None:
        return None
    label_map = read_labels(session.folder / file, dimension=session.study.dimension)
    remove_preview()
    # The preview has the coarse grid of the network: a temporary volume brings that grid to Slicer.
    grid = nodeFromVoxels("preview grid", label_map.voxels, label_map.geometry, volume_node)
    node = segmentationFromLabelMap(label_map.voxels, grid, session.organs(), "Found so far")
    attach(node, volume_node, ROLE_PREVIEW)
    slicer.mrmlScene.RemoveNode(grid)
    node.SetSaveWithScene(False)
    display = node.GetDisplayNode()
    display.SetVisibility2DFill(False)
    display.SetSliceIntersectionThickness(1)  # thin and dark beside the outline while one paints
    return node


def remove_preview() -> None:
    """Take the preview out of the scene."""
    for node in madeFor(None, ROLE_PREVIEW):
        slicer.mrmlScene.RemoveNode(node)
