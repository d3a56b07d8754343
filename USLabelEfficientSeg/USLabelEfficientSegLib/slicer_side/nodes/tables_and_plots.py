"""Results in Slicer's own views: a table of volumes, curves of the losses, a map of the uncertainty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from ...study.events import Event
from ...study.stages import stage_title
from ...text.numbers import for_programs
from ..results.node_measurements import ResultVolume
from .layouts import show_layout
from .segmentation_nodes import organsNamed
from .volume_nodes import geometryOfNode, nodeFromVoxels

MrmlNode = Any

CASE, ORGAN, VOLUME, OUTLINE, VOXELS = "Case", "Organ", "Volume [ml]", "Outline volume [ml]", "Voxels"
LOW, HIGH, CAUTIONS = "90 % interval, low [ml]", "90 % interval, high [ml]", "Cautions"
_EXPLANATIONS = {
    CASE: "The volume that was segmented",
    ORGAN: "The segment",
    VOLUME: "The number to report: the sum of the organ's probabilities, or the outline volume where a segment was "
    "drawn or corrected by hand",
    OUTLINE: "Voxels of the segment times the volume of a voxel",
    LOW: "The true volume is above this and below the next with 90 % probability; empty where a model gives no "
    "interval, or the segment was edited since",
    HIGH: "Upper end of the same interval",
    VOXELS: "Number of voxels of the segment",
    CAUTIONS: "Reasons to look before the number is used; edited: by hand since the model found it, so no interval",
}
_LOSS = "USLabelEfficientSeg.Loss"  # node reference from a chart to the curves of all stages, and their attribute


def volumesTableNode(rows: Sequence[ResultVolume], tableNode: MrmlNode | None = None) -> MrmlNode:
    """Fill a table node with organ volumes in ml, one row a case and organ, in the order given.

    Args:
        rows: the measured volumes.
        tableNode: whose content is replaced; by default a new node named "Organ volumes".
    """
    if tableNode is None:
        tableNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "Organ volumes")
    modified = tableNode.StartModify()
    tableNode.RemoveAllColumns()
    intervals = [row.interval_ml or (None, None) for row in rows]
    addColumn(tableNode, vtk.vtkStringArray(), CASE, [row.case for row in rows])
    addColumn(tableNode, vtk.vtkStringArray(), ORGAN, [row.organ for row in rows])
    addColumn(tableNode, vtk.vtkDoubleArray(), VOLUME, [_digits(row.volume_ml) for row in rows])
    addColumn(tableNode, vtk.vtkDoubleArray(), OUTLINE, [_digits(row.outline_volume_ml) for row in rows])
    addColumn(tableNode, vtk.vtkStringArray(), LOW, [_cell(low) for low, _ in intervals])
    addColumn(tableNode, vtk.vtkStringArray(), HIGH, [_cell(high) for _, high in intervals])
    addColumn(tableNode, vtk.vtkIntArray(), VOXELS, [row.voxel_count for row in rows])
    cautions = [", ".join(caution.replace("_", " ") for caution in row.cautions) for row in rows]
    addColumn(tableNode, vtk.vtkStringArray(), CAUTIONS, cautions)
    for name, text in _EXPLANATIONS.items():
        tableNode.SetColumnDescription(name, text)
    tableNode.SetUseColumnTitleAsColumnHeader(True)
    tableNode.SetLocked(True)
    tableNode.EndModify(modified)
    return tableNode


def lossPlotNodes(events: Iterable[Event], chartNode: MrmlNode | None = None) -> MrmlNode:
    """A plot chart with a curve for every loss of the stage that is trained now, over its steps.

    Call it again with all events so far and the chart it returned: tables and curves are updated in place. Curves
    of earlier stages stay in the scene. Where training was resumed from an earlier step, the later event counts.

    Args:
        events: of a training, oldest first.
        chartNode: updated; by default a new vtkMRMLPlotChartNode.
    """
    values: dict[str, dict[str, dict[int, float]]] = {}
    for event in events:
        for loss, value in event.losses.items():
            values.setdefault(event.stage, {}).setdefault(loss, {})[event.step] = value
            current = event.stage
    if chartNode is None:
        chartNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", "Training losses")
        chartNode.SetXAxisTitle("Step")
        chartNode.SetYAxisTitle("Loss")
    if not values:
        return chartNode
    modified = chartNode.StartModify()
    series = {stage: _stage_series(chartNode, stage, losses) for stage, losses in values.items()}
    shown = [node.GetID() for node in series[current]]
    if [chartNode.GetNthPlotSeriesNodeID(n) for n in range(chartNode.GetNumberOfPlotSeriesNodes())] != shown:
        chartNode.RemoveAllPlotSeriesNodeIDs()
        for series_id in shown:
            chartNode.AddAndObservePlotSeriesNodeID(series_id)
    chartNode.SetTitle(f"Training: {stage_title(current)}")
    chartNode.EndModify(modified)
    return chartNode


def showChart(chartNode: MrmlNode) -> None:
    """Show a plot chart in a layout with a plot view."""
    show_layout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView)
    for view in slicer.util.getNodesByClass("vtkMRMLPlotViewNode"):
        view.SetPlotChartNodeID(chartNode.GetID())


def uncertaintyNode(values: NDArray[np.generic], volumeNode: MrmlNode, name: str) -> MrmlNode:
    """Add the uncertainty of a segmentation as a volume node, beside its volume.

    Certain voxels are transparent, uncertain ones go from red to yellow, on the same scale for every volume.

    Args:
        values: (I, J, K) in [0, 1] on the grid of the volume.
        volumeNode: whose transforms and place in the subject hierarchy the new node shares.
        name: of the node.
    """
    node = nodeFromVoxels(name, values.astype(np.float32, copy=False), geometryOfNode(volumeNode), volumeNode)
    display = node.GetDisplayNode()
    colours = slicer.modules.colors.logic().GetColorTableNodeID(slicer.vtkMRMLColorTableNode.Iron)
    display.SetAndObserveColorNodeID(colours)
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0.0, 1.0)
    display.SetThreshold(0.1, 1.0)
    display.SetApplyThreshold(True)
    return node


def addColumn(tableNode: MrmlNode, column: Any, name: str, values: Sequence[Any]) -> None:
    """Append a column of `values` to a table node."""
    column.SetName(name)
    for value in values:
        column.InsertNextValue(value)
    tableNode.AddColumn(column)


def _cell(value: float | None) -> str:
    return "" if value is None else for_programs(_digits(value))


def _digits(value: float) -> float:
    """A volume in ml as the table holds it, which is saved as CSV, too: a small one is not 0."""
    return float(f"{value:.6g}")


def _stage_series(chartNode: MrmlNode, stage: str, losses: dict[str, dict[int, float]]) -> list[MrmlNode]:
    """The curves of a stage, made or updated, in the order in which the losses first appeared."""
    known = {
        node.GetAttribute(_LOSS): node
        for n in range(chartNode.GetNumberOfNodeReferences(_LOSS))
        if (node := chartNode.GetNthNodeReference(_LOSS, n)) is not None
    }
    made = []
    for look, (loss, by_step) in zip(organsNamed(list(losses)), losses.items(), strict=True):
        key = f"{stage_title(stage)}: {loss.replace('_', ' ')}"
        node = known.get(key) or _new_series(chartNode, key, look.colour)
        steps = sorted(by_step)
        columns = [np.array(steps), np.array([by_step[step] for step in steps])]
        slicer.util.updateTableFromArray(node.GetTableNode(), columns, ["step", "loss"])
        made.append(node)
    return made


def _new_series(chartNode: MrmlNode, key: str, colour: tuple[float, float, float]) -> MrmlNode:
    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", key)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", key)
    node.SetAndObserveTableNodeID(table.GetID())
    node.SetXColumnName("step")
    node.SetYColumnName("loss")
    node.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
    node.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
    node.SetColor(colour)
    node.SetAttribute(_LOSS, key)
    chartNode.AddNodeReferenceID(_LOSS, node.GetID())
    return node
