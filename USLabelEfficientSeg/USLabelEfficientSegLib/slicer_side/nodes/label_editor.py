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
        drawn: called after every stroke of the brush on the observed segmentation.
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
        drawn, moved = segmentation.SourceRepresentationModified, vtk.vtkCommand.ModifiedEvent
        self._observed = [
            (segmentation, segmentation.AddObserver(drawn, self._drawn)),
            (slice_node, slice_node.AddObserver(moved, self._moved)),
        ]

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
