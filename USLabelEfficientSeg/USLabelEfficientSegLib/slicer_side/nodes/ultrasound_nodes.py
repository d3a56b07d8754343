"""The volumes of the scene that may be ultrasound."""

from __future__ import annotations

from typing import Any

import slicer

from .study_nodes import ROLE

MrmlNode = Any
VOLUME_CLASS = "vtkMRMLScalarVolumeNode"


def ultrasound_nodes() -> list[MrmlNode]:
    """The volumes of the scene that may be ultrasound: no label maps, no uncertainty, nothing hidden, nothing empty."""
    return ultrasound_nodes_of(slicer.util.getNodesByClass(VOLUME_CLASS))


def ultrasound_nodes_of(nodes: list[MrmlNode]) -> list[MrmlNode]:
    """Those of all scalar volumes of the scene that may be ultrasound."""
    return _judged.those_of(nodes)


class _JudgedVolumes:
    """Remembers which nodes may be ultrasound until they are modified: asking VTK for their voxels takes long."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], bool] = {}  # by identifier and time of modification

    def those_of(self, nodes: list[MrmlNode]) -> list[MrmlNode]:
        keys = [(node.GetID(), node.GetMTime()) for node in nodes]
        known = {
            key: self._known[key] if key in self._known else _may_be_ultrasound(node)
            for key, node in zip(keys, nodes, strict=True)
        }
        self._known = known
        return [node for key, node in zip(keys, nodes, strict=True) if known[key]]


def _may_be_ultrasound(node: MrmlNode) -> bool:
    return (
        not node.IsA("vtkMRMLLabelMapVolumeNode")
        and not node.GetHideFromEditors()
        and node.GetAttribute(ROLE) is None
        and node.GetImageData() is not None
    )


_judged = _JudgedVolumes()
