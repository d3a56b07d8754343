"""Slicer's Segment Editor in the panel, with the few tools that labelling needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk

# What changes the slice in view alone: the Scissors cut through all slices, and so through labels that were kept.
EFFECTS = ["Paint", "Draw", "Erase"]
EDITOR_TAG = "USLabelEfficientSeg"
MrmlNode = Any


class LabelEditor:
    """The editor, and what is observed while it is used.

    Args:
        container: widget that takes up the editor.
        slice_node: gives the node of the view in which slices are labelled.
        drawn: called after every stroke of the brush on the observed segmentation, taken back or not.
        moved: called when the view shows another slice.
    """

    def __init__(
        self,
        container: Any,
        slice_node: Callable[[], MrmlNode],
        drawn: Callable[..., None],
        moved: Callable[..., None],
    ) -> None:
        self._slice_node = slice_node
        self._drawn, self._moved = drawn, moved
        self._observed: list[tuple[Any, int]] = []
        self._voxels_at: list[int] = []  # when those of each segment were changed
        self.widget = slicer.qMRMLSegmentEditorWidget()
        self.widget.setMaximumNumberOfUndoStates(10)
        self.widget.setSegmentationNodeSelectorVisible(False)
        self.widget.setSourceVolumeNodeSelectorVisible(False)
        self.widget.setSwitchToSegmentationsButtonVisible(False)
        self.widget.setAddRemoveSegmentButtonsVisible(False)
        self.widget.setEffectNameOrder(EFFECTS)
        self.widget.unorderedEffectsVisible = False
        container.layout().addWidget(self.widget)

    def show(self, segmentationNode: MrmlNode, volumeNode: MrmlNode) -> None:
        """Edit a segmentation of a volume."""
        self._prepare()
        self.widget.setSegmentationNode(segmentationNode)
        self.widget.setSourceVolumeNode(volumeNode)
        for name in ("Paint", "Erase"):
            self.widget.effectByName(name).setCommonParameter("BrushSphere", 0)  # a ball reaches into other slices

    def observe(self, segmentationNode: MrmlNode) -> None:
        """Follow the brush on this segmentation, and the slice that is shown."""
        self._ignore()
        segmentation, slice_node = segmentationNode.GetSegmentation(), self._slice_node()
        self._voxels_at = _times(segmentation)
        self._observed = [
            (subject, subject.AddObserver(event, called))
            for subject, event, called in (
                (segmentation, segmentation.SourceRepresentationModified, self._on_voxels),
                (segmentation, segmentation.SegmentModified, self._on_segment),  # all that the editor's Undo tells of
                (slice_node, vtk.vtkCommand.ModifiedEvent, self._moved),
            )
        ]

    def forget_undo(self) -> None:
        """The editor's Undo takes back only what is drawn from now on.

        Of its states each holds all slices: one from before a label was kept, or before a slice was begun, would take
        that back, too, unseen.
        """
        self.widget.undoEnabled = True  # again: the editor forgets its states

    def enter(self) -> None:
        """The user comes to the module: take up views and keys again."""
        self.widget.setupViewObservations()
        self.widget.installKeyboardShortcuts()

    def leave(self) -> None:
        """The user goes elsewhere: let views and keys go, and observe nothing any more."""
        self.widget.setActiveEffectByName("")
        self.widget.uninstallKeyboardShortcuts()
        self.widget.removeViewObservations()
        self._ignore()

    def forget(self) -> None:
        """The scene is closed."""
        self.widget.setSegmentationNode(None)
        self.widget.setMRMLSegmentEditorNode(None)

    def _on_voxels(self, *arguments: Any) -> None:
        self._voxels_at = _times(arguments[0])
        self._drawn(*arguments)

    def _on_segment(self, *arguments: Any) -> None:
        """Its colour has changed, or the editor's Undo has given it other voxels."""
        if _times(arguments[0]) != self._voxels_at:
            self._on_voxels(*arguments)

    def _ignore(self) -> None:
        for subject, tag in self._observed:
            subject.RemoveObserver(tag)
        self._observed = []

    def _prepare(self) -> None:
        """Give the editor its node in the scene, as Slicer's own Segment Editor does."""
        scene = slicer.mrmlScene
        node = scene.GetSingletonNode(EDITOR_TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = scene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            node.UnRegister(None)
            node.SetSingletonTag(EDITOR_TAG)
            node = scene.AddNode(node)
        if self.widget.mrmlSegmentEditorNode() is not node:
            self.widget.setMRMLSegmentEditorNode(node)
        if self.widget.mrmlScene() is not scene:
            self.widget.setMRMLScene(scene)


def _times(segmentation: Any) -> list[int]:
    """When the voxels of each segment were changed."""
    name = segmentation.GetSourceRepresentationName()
    segments = [segmentation.GetNthSegment(number) for number in range(segmentation.GetNumberOfSegments())]
    voxels = [segment.GetRepresentation(name) for segment in segments]
    return [0 if one is None else one.GetMTime() for one in voxels]
