"""The settings of the panel as a parameter node: kept in the scene, bound to the widgets of the same names."""

from enum import Enum
from typing import Annotated

from slicer import vtkMRMLPlotChartNode, vtkMRMLScalarVolumeNode, vtkMRMLSequenceNode, vtkMRMLTableNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

MOST_MINUTES = 10_080  # of a training: a week


class Preset(Enum):
    """How thorough the training is; the values are the names of the library's presets."""

    QUICK = "quick"
    STANDARD = "standard"
    FULL = "full"

    def label(self) -> str:
        """What the panel calls it."""
        return {
            "quick": _("Quick – laptop"),
            "standard": _("Standard – GPU"),
            "full": _("Full – GPU, days"),
        }[self.value]


class Method(Enum):
    """How the labels of a few slices are spread; the values are the library's names."""

    CROSS_DIMENSIONAL = "cross-dimensional"
    INFORMATION_DIVERGENCE = "information-divergence"

    def label(self) -> str:
        """What the panel calls it."""
        return {
            "cross-dimensional": _("CDKD (teacher)"),
            "information-divergence": _("IDL (two networks)"),
        }[self.value]


class ModelSource(Enum):
    """Which model segments."""

    STUDY = "study"
    FILE = "file"

    def label(self) -> str:
        """What the panel calls it."""
        return {"study": _("Model of this study"), "file": _("Model file")}[self.value]


class SliceAxis(Enum):
    """Array axis across which slices are suggested and counted."""

    K = 2
    J = 1
    I = 0  # noqa: E741 - Slicer's name of the axis

    def label(self) -> str:
        """What the panel calls it."""
        return {
            2: _("As acquired: across axis K"),
            1: _("Across axis J"),
            0: _("Across axis I"),
        }[self.value]


@parameterNodeWrapper
class USLabelEfficientSegParameterNode:
    """All settings of the panel, saved with the scene.

    studyFolder - The folder of the study.
    volumes - Volumes that belong, or are to belong, to the study.
    sequences - Sequences of 2-D images whose frames belong, or are to belong, to it.
    imageFolder, pixelTable, pixelSize - A folder of 2-D images that is to belong to it, a table of the sizes of their
        pixels, and the size in mm of those that are not in it (0: none).
    organs - Names, colours and terminology of the organs as JSON, until the study is made.
    sliceAxis - Axis across which slices are suggested and counted.
    outline - Whether organs are outlined, as far as they are known, while slices are labelled.
    preset, minutes, method, device, changes - How training is done; 0 minutes: as long as the preset needs.
    anew - Whether the next training starts anew instead of continuing from the current model.
    preview - Whether the latest prediction is shown while training runs.
    volumesToSegment, modelSource, modelFile - What is segmented, with which model.
    uncertainty - Whether the uncertainty is laid over the volumes in the views.
    show3D - Whether segmentations are shown in 3-D.
    volumesTable, lossChart, agreementTable - Nodes that show results.
    """

    studyFolder: str
    volumes: list[vtkMRMLScalarVolumeNode]
    sequences: list[vtkMRMLSequenceNode]
    imageFolder: str
    pixelTable: str
    pixelSize: float = 0.0
    organs: str
    sliceAxis: SliceAxis = SliceAxis.K
    outline: bool = True
    preset: Preset = Preset.QUICK
    minutes: Annotated[int, WithinRange(0, MOST_MINUTES)] = 0
    method: Method = Method.CROSS_DIMENSIONAL
    device: str = "auto"
    changes: str
    anew: bool = False
    preview: bool = True
    volumesToSegment: list[vtkMRMLScalarVolumeNode]
    modelSource: ModelSource = ModelSource.STUDY
    modelFile: str
    uncertainty: bool = False
    show3D: bool = True
    volumesTable: vtkMRMLTableNode
    lossChart: vtkMRMLPlotChartNode
    agreementTable: vtkMRMLTableNode
