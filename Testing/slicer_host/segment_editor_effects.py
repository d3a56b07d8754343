"""Effects of the Segment Editor: their parameters with Slicer's defaults, and what a stroke of the Scissors cuts."""

from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

EFFECTS = (
    "Paint", "Draw", "Erase", "Level tracing", "Grow from seeds", "Fill between slices", "Threshold", "Margin",
    "Hollow", "Smoothing", "Scissors", "Islands", "Logical operators", "Mask volume",
)  # fmt: skip
_BRUSH = {
    "BrushMinimumAbsoluteDiameter": "0.01",
    "BrushMaximumAbsoluteDiameter": "100",
    "BrushAbsoluteDiameter": "5",
    "BrushRelativeDiameter": "3",
    "BrushDiameterIsRelative": "1",
    "BrushSphere": "0",
    "BrushPixelMode": "0",
    "EditIn3DViews": "0",
    "ColorSmudge": "0",
    "EraseAllSegments": "0",
}
_DEFAULTS = {
    "Paint": _BRUSH,
    "Erase": _BRUSH,
    "Scissors": {
        "ApplyToAllVisibleSegments": "0",
        "Operation": "EraseInside",
        "Shape": "FreeForm",
        "SliceCutMode": "Unlimited",
        "SliceCutDepthMm": "0",
        "ShapeDrawCentered": "0",
    },
}


class Effect:
    """What `activeEffect()` returns: a name and parameters, kept in the segment editor node as in Slicer.

    Parameters that Slicer's effect does not have are refused, where Slicer would only write to its log; those of
    effects that are not listed here cannot be told.
    """

    def __init__(self, name: str, editor: Any) -> None:
        self.name = name
        self._editor = editor

    def setParameter(self, name: str, value: Any) -> None:
        self._check(name)
        self._editor.mrmlSegmentEditorNode().SetAttribute(f"{self.name}.{name}", str(value))

    def setCommonParameter(self, name: str, value: Any) -> None:
        self._check(name)
        self._editor.mrmlSegmentEditorNode().SetAttribute(name, str(value))

    def parameter(self, name: str) -> str:
        self._check(name)
        node = self._editor.mrmlSegmentEditorNode()
        stored = node.GetAttribute(f"{self.name}.{name}") or node.GetAttribute(name)
        return stored or _DEFAULTS.get(self.name, {}).get(name, "")

    def integerParameter(self, name: str) -> int:
        return int(self.parameter(name))

    def doubleParameter(self, name: str) -> float:
        return float(self.parameter(name))

    def self(self) -> "Effect":
        return self

    def _check(self, name: str) -> None:
        if self.name in _DEFAULTS and name not in _DEFAULTS[self.name]:
            raise KeyError(f"Parameter named {name} cannot be found for effect {self.name}")


def cut(editor: Any, axis: int, index: int, inside: NDArray[np.bool_]) -> None:
    """Cut with the Scissors in a slice view, as the editor's node has them set.

    Args:
        editor: with a segmentation, a volume and a chosen segment.
        axis: array axis of the volume that the view's slice is perpendicular to.
        index: of the slice.
        inside: what was drawn around, on the other two array axes in their order.
    """
    scissors, node, volume = Effect("Scissors", editor), editor.segmentationNode(), editor.sourceVolumeNode()
    if scissors.parameter("Operation") != "EraseInside":
        raise NotImplementedError(f"Scissors that {scissors.parameter('Operation')}")
    of_all = scissors.integerParameter("ApplyToAllVisibleSegments")
    chosen = node.GetSegmentation().GetSegmentIDs() if of_all else [editor.currentSegmentID()]
    for segment in chosen:
        voxels = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, volume).copy()
        slices = np.moveaxis(voxels.T, axis, 0)  # a view: of arrays (K, J, I)
        for number in _depth(scissors, index, volume.GetSpacing()[axis], len(slices)):
            slices[number][inside] = 0
        slicer.util.updateSegmentBinaryLabelmapFromArray(voxels, node, segment, volume)


def _depth(scissors: Effect, index: int, spacing: float, slices: int) -> NDArray[np.intp]:
    """The slices that are cut through."""
    mode, numbers = scissors.parameter("SliceCutMode"), np.arange(slices)
    if mode == "Symmetric":  # the slice itself at least
        half = max(scissors.doubleParameter("SliceCutDepthMm") / spacing / 2, 0.5)
        return numbers[np.abs(numbers - index) < half]
    within = {"Unlimited": numbers >= 0, "Positive": numbers >= index, "Negative": numbers <= index}[mode]
    return numbers[within]
