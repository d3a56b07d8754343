"""Nodes that belong to a study: attributes and references, saved with the scene, tell their roles."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import slicer

from .node_index import NodeIndex

MrmlNode = Any

CASE = "USLabelEfficientSeg.Case"  # attribute of a volume node: its name in the study
STUDY = "USLabelEfficientSeg.Study"  # attribute: which study, by the time of its creation
ROLE = "USLabelEfficientSeg.Role"  # attribute of a node that this module has made: what it is
VOLUME = "USLabelEfficientSeg.Volume"  # node reference from a segmentation to its volume
LABELS, RESULT, PREVIEW, UNCERTAINTY, ELLIPSE = "labels", "result", "preview", "uncertainty", "ellipse"
OUTLINE = "outline"


def attach(node: MrmlNode, volumeNode: MrmlNode, role: str) -> None:
    """Note on a segmentation or uncertainty node what it is and of which volume."""
    node.SetAttribute(ROLE, role)
    node.SetNodeReferenceID(VOLUME, volumeNode.GetID())
    _made.noted(node)


def bind(volumeNode: MrmlNode, study: str, case: str) -> None:
    """Note on a volume node which case of which study it shows; a study is known by the time of its creation."""
    volumeNode.SetAttribute(CASE, case)
    volumeNode.SetAttribute(STUDY, study)
    _volumes.noted(volumeNode)


def volumeNodeOf(study: str, case: str) -> MrmlNode | None:
    """The first volume node that shows a case of a study, None when the scene has none."""
    return next(iter(_volumes.nodes((study, case))), None)


def casesShown(study: str) -> set[str]:
    """The cases of a study whose volumes are in the scene; quick for many volumes."""
    return {case for owner, case in _volumes.identifiers() if owner == study}


def labelNodesOf(study: str) -> dict[str, MrmlNode | None]:
    """The cases of a study whose volumes are in the scene, with the labels of each or None; quick for many volumes."""
    made, found = _made.identifiers(), {}
    for (owner, case), volumes in _volumes.identifiers().items():
        if owner == study:
            key = (LABELS, volumes[0])
            found[case] = next(iter(_made.nodes(key)), None) if key in made else None
    return found


def volumeOf(segmentationNode: MrmlNode) -> MrmlNode:
    """The volume of a segmentation of this module, or the one that the segmentation was drawn on, or None."""
    return segmentationNode.GetNodeReference(VOLUME) or segmentationNode.GetNodeReference(
        slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    )


def madeFor(volumeNode: MrmlNode | None, role: str) -> list[MrmlNode]:
    """Nodes that this module has made in a role, for one volume or for all."""
    return _made.nodes(role if volumeNode is None else (role, volumeNode.GetID()))


def madeOf(volumeNode: MrmlNode) -> list[MrmlNode]:
    """All nodes that this module has made for a volume, in any role."""
    nodes = slicer.util.getNodesByClass("vtkMRMLDisplayableNode")
    return [n for n in nodes if n.GetAttribute(ROLE) is not None and n.GetNodeReference(VOLUME) is volumeNode]


def results() -> list[MrmlNode]:
    """The segmentations of this module whose volume is in the scene."""
    return [node for node in madeFor(None, RESULT) if volumeOf(node) is not None]


def showOnly(*nodes: MrmlNode) -> None:
    """Show these labels, results or outlines in the views, and hide all others that this module has made."""
    for role in (LABELS, RESULT, OUTLINE):
        for node in madeFor(None, role):
            node.SetDisplayVisibility(node in nodes)


def inScene(node: MrmlNode) -> bool:
    """Whether a node is still in Slicer's scene."""
    return node.GetScene() is slicer.mrmlScene


def isShown(volumeNode: MrmlNode) -> bool:
    """Whether a slice view shows a volume."""
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    return any(node.GetBackgroundVolumeID() == volumeNode.GetID() for node in composites)


def _cases(node: MrmlNode) -> list[tuple[str, str]]:
    study, case = node.GetAttribute(STUDY), node.GetAttribute(CASE)
    return [] if study is None or case is None else [(study, case)]


def _roles(node: MrmlNode) -> list[Hashable]:
    role = node.GetAttribute(ROLE)
    return [] if role is None else [role, (role, node.GetNodeReferenceID(VOLUME))]


_volumes = NodeIndex("vtkMRMLScalarVolumeNode", _cases)
_made: NodeIndex[Hashable] = NodeIndex("vtkMRMLDisplayableNode", _roles)
