"""The volumes of the scene that may be ultrasound."""

from __future__ import annotations

from typing import Any

import slicer

from .study_nodes import ROLE

MrmlNode = Any
VOLUME_CLASS = "vtkMRMLScalarVolumeNode"


def ultrasound_nodes() -> list[MrmlNode]:
    """The volumes of the scene that may be ultrasound."""
    return [node for node in slicer.util.getNodesByClass(VOLUME_CLASS) if may_be_ultrasound(node)]


def may_be_ultrasound(node: MrmlNode) -> bool:
    """Whether a scalar volume is no label map, no uncertainty, not hidden and not empty; asking VTK takes a while."""
    return (
        not node.IsA("vtkMRMLLabelMapVolumeNode")
        and not node.GetHideFromEditors()
        and node.GetAttribute(ROLE) is None
        and node.GetImageData() is not None
    )
