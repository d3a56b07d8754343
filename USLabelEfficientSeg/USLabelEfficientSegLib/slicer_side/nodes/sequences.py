"""Recorded sequences (vtkMRMLSequenceNode): their frames as scans or as nodes of their own.

A sequence keeps its frames outside of the scene's list of nodes, whatever their number; the browser's proxy node shows
one of them and changes under the user's hands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import InputError
from ...imaging.scan import Scan
from .volume_nodes import isImage, nodeFromVoxels, scanFromNode

MrmlNode = Any


def isSequence(node: MrmlNode) -> bool:
    """Whether a node is a sequence."""
    return bool(node.IsA("vtkMRMLSequenceNode"))


def isImageSequence(node: MrmlNode) -> bool:
    """Whether a node is a sequence of 2-D images."""
    if not isSequence(node) or node.GetNumberOfDataNodes() == 0:
        return False
    first = node.GetNthDataNode(0)
    return _isVolume(first) and isImage(first)


def _isVolume(frame: MrmlNode | None) -> bool:
    """Whether a frame is a volume; a frame whose file was not found is None."""
    return frame is not None and bool(frame.IsA("vtkMRMLScalarVolumeNode"))


def frameNames(sequenceNode: MrmlNode) -> list[str]:
    """The names of the frames: of the sequence and their number, from 0, in the order of time when sorted."""
    count = sequenceNode.GetNumberOfDataNodes()
    return [f"{sequenceNode.GetName()}_{index:0{len(str(count - 1))}d}" for index in range(count)]


def sequenceScans(sequenceNode: MrmlNode) -> Iterator[Scan]:
    """The frames of a sequence as scans, one at a time, in order; the scene stays as it is.

    Raises:
        InputError: the sequence is empty or holds anything but volumes or 2-D images; see `scanFromNode`.
    """
    count = sequenceNode.GetNumberOfDataNodes()
    frames = [sequenceNode.GetNthDataNode(index) for index in range(count)]
    if not frames or not all(_isVolume(frame) for frame in frames):
        problem, remedy = "is no sequence of volumes or images", "choose a sequence of 3-D volumes or of 2-D images"
        raise InputError(sequenceNode.GetName(), problem, remedy)
    for frame, name in zip(frames, frameNames(sequenceNode), strict=True):
        scan = scanFromNode(frame)
        scan.name = name
        yield scan


def sequenceFrames(sequenceNode: MrmlNode) -> list[MrmlNode]:
    """The frames of a sequence as new volume nodes in the scene, in order, all of them or none; for a few volumes.

    Raises:
        InputError: as `sequenceScans`.
    """
    return [nodeFromVoxels(scan.name, scan.voxels, scan.geometry) for scan in list(sequenceScans(sequenceNode))]
