"""Organs as far as they are known, outlined in the slice views: a preview, neither a result nor a label.

The node is in no selector and is not saved with the scene. Its lines are nearly white and broad: by
lightness and width every eye tells them from labels, results and the preview of a training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import slicer
from slicer.i18n import tr as _

from ...imaging.scan import LabelMap
from .oriented_images import grid_image
from .segmentation_nodes import Organ, setSegments
from .study_nodes import OUTLINE, attach, madeFor, volumeOf

MrmlNode = Any

_WHITE = 0.75  # part of the colour of a line
_WIDTH = 3  # of a line, in pixels


def showOutline(volumeNode: MrmlNode, labels: LabelMap, organs: Sequence[Organ]) -> MrmlNode:
    """Show what is known of a volume's organs, in place of every earlier outline.

    Args:
        volumeNode: of the image.
        labels: on a grid of its own: 0 background, n the n-th organ.
        organs: their looks.
    """
    node = next((one for one in madeFor(None, OUTLINE) if volumeOf(one) is volumeNode), None)
    if node is None:
        removeOutlines()
        node = _new_node(volumeNode)
    setSegments(node, grid_image(labels.voxels, labels.geometry), [_lighter(organ) for organ in organs])
    node.SetDisplayVisibility(True)
    return node


def removeOutlines() -> None:
    """Take the outline out of the scene."""
    for node in madeFor(None, OUTLINE):
        slicer.mrmlScene.RemoveNode(node)


def _new_node(volumeNode: MrmlNode) -> MrmlNode:
    node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentationNode")
    node.UnRegister(None)
    node.SetName(_("Outline while you paint (preview)"))
    node.SetHideFromEditors(True)  # before it is added: selectors must never offer it
    node.SetSaveWithScene(False)
    node = slicer.mrmlScene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    transform = volumeNode.GetParentTransformNode()
    node.SetAndObserveTransformNodeID(None if transform is None else transform.GetID())
    display = node.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetVisibility2DFill(False)
    display.SetVisibility3D(False)
    display.SetSliceIntersectionThickness(_WIDTH)
    attach(node, volumeNode, OUTLINE)
    return node


def _lighter(organ: Organ) -> Organ:
    red, green, blue = (_WHITE + (1 - _WHITE) * part for part in organ.colour)
    return replace(organ, colour=(red, green, blue))
