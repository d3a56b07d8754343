"""The measurements of organs in 2-D images as a table node: Slicer's own views show it, and it is saved as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import slicer
import vtk

from ...text.numbers import for_programs
from ..nodes.tables_and_plots import CASE, CAUTIONS, ORGAN, addColumn

if TYPE_CHECKING:
    from ...measurement.planar import PlanarMeasurement

MrmlNode = Any

AREA, CIRCUMFERENCE = "Area [mm2]", "Circumference [mm]"
MAJOR_AXIS, MINOR_AXIS = "Major axis (OFD) [mm]", "Minor axis (BPD) [mm]"
PERIMETER, OUTLINE_AREA, PIXELS = "Perimeter [mm]", "Outline area [mm2]", "Pixels"
AREA_LOW, AREA_HIGH = "Area, 90 % interval, low [mm2]", "Area, 90 % interval, high [mm2]"
CIRCUMFERENCE_LOW = "Circumference, 90 % interval, low [mm]"
CIRCUMFERENCE_HIGH = "Circumference, 90 % interval, high [mm]"

_EXPLANATIONS = {
    CASE: "The image that was segmented",
    ORGAN: "The segment",
    AREA: "The number to report: the sum of the organ's probabilities, or the outline area where a segment was drawn "
    "or corrected by hand",
    AREA_LOW: "The true area is above this and below the next with 90 % probability; empty where a model gives no "
    "interval, or the segment was edited since",
    AREA_HIGH: "Upper end of the same interval",
    CIRCUMFERENCE: "Of the ellipse with the area and the second moments of the organ, the curve that is drawn",
    CIRCUMFERENCE_LOW: "The true circumference is above this and below the next with 90 % probability",
    CIRCUMFERENCE_HIGH: "Upper end of the same interval",
    MINOR_AXIS: "Of that ellipse; of a fetal head outlined at its outer edge the biparietal diameter, outer to outer",
    MAJOR_AXIS: "Of that ellipse; of a fetal head the occipitofrontal diameter",
    PERIMETER: "Length of the outline itself",
    OUTLINE_AREA: "Pixels of the segment times the area of a pixel",
    PIXELS: "Number of pixels of the segment",
    CAUTIONS: "Reasons to look before the number is used; edited: by hand since the model found it, so no interval",
}
_NUMBERS = {AREA, CIRCUMFERENCE, PERIMETER, OUTLINE_AREA}  # known of every organ, so that they are sorted as numbers


def imagesTableNode(rows: Sequence[PlanarMeasurement], tableNode: MrmlNode | None = None) -> MrmlNode:
    """Fill a table node with areas, circumferences and axes, one row an image and organ, in the order given.

    Cells of an organ that was not found are empty where there is nothing to measure.

    Args:
        rows: what was measured.
        tableNode: whose content is replaced; by default a new node named "Measurements".
    """
    if tableNode is None:
        tableNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "Measurements")
    modified = tableNode.StartModify()
    tableNode.RemoveAllColumns()
    cells = [_cells(row) for row in rows]
    for name, text in _EXPLANATIONS.items():
        column = vtk.vtkDoubleArray() if name in _NUMBERS else vtk.vtkStringArray()
        addColumn(tableNode, column, name, [one[name] for one in cells])
        tableNode.SetColumnDescription(name, text)
    tableNode.SetUseColumnTitleAsColumnHeader(True)
    tableNode.SetLocked(True)
    tableNode.EndModify(modified)
    return tableNode


def isOfImages(tableNode: MrmlNode) -> bool:
    """Whether a table node holds measurements of images, and not of volumes."""
    return bool(tableNode.GetColumnIndex(CIRCUMFERENCE) >= 0)


def _cells(row: PlanarMeasurement) -> dict[str, str | float]:
    """What each column holds."""
    axes = (None, None) if row.ellipse is None else row.ellipse.axes_mm
    area, circumference = row.area_interval_mm2 or (None, None), row.circumference_interval_mm or (None, None)
    return {
        CAUTIONS: ", ".join(flag.value.replace("_", " ") for flag in row.flags),
        CASE: row.case,
        ORGAN: row.organ,
        AREA: _digits(row.area_mm2),
        AREA_LOW: _text(area[0]),
        AREA_HIGH: _text(area[1]),
        CIRCUMFERENCE: _digits(row.circumference_mm),
        CIRCUMFERENCE_LOW: _text(circumference[0]),
        CIRCUMFERENCE_HIGH: _text(circumference[1]),
        MINOR_AXIS: _text(axes[1]),
        MAJOR_AXIS: _text(axes[0]),
        PERIMETER: _digits(row.perimeter_mm),
        OUTLINE_AREA: _digits(row.outline_area_mm2),
        PIXELS: str(row.pixel_count),
    }


def _text(value: float | None) -> str:
    return "" if value is None else for_programs(_digits(value))


def _digits(value: float) -> float:
    return float(f"{value:.6g}")
