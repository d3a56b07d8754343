"""Results beside an expert's segmentations or volumes: a table, a Bland-Altman plot and a scatter plot as nodes."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import vtk
from numpy.typing import ArrayLike, NDArray
from slicer.i18n import tr as _

from ...errors import InputError
from ...imaging.geometry import Geometry
from ...text.numbers import for_programs
from ..nodes.segmentation_nodes import Organ, organMasks, organsNamed
from ..nodes.study_nodes import volumeOf
from ..nodes.tables_and_plots import addColumn
from ..nodes.volume_nodes import worldGeometry
from ..processes.aside import aside
from ..processes.jobs import Job, Steps
from .result_staging import segmentNames
from .results import organVolumes

if TYPE_CHECKING:
    from ...evaluation.agreement import VolumeAgreement

MrmlNode = Any

BLAND_ALTMAN, SCATTER = "USLabelEfficientSeg.BlandAltman", "USLabelEfficientSeg.Scatter"  # references to the charts
_MADE = "USLabelEfficientSeg.Agreement"  # references to everything else that belongs to a table


@dataclass(frozen=True)
class Comparison:
    """One organ of one result and its reference.

    Attributes:
        case, organ: names.
        measured_ml: the volume to report.
        reference_ml: of the reference.
        dice: overlap; None where only the volume of the reference is known.
        hausdorff_95_mm, surface_distance_mm: between the surfaces; None likewise, nan where one of both is empty.
    """

    case: str
    organ: str
    measured_ml: float
    reference_ml: float
    dice: float | None = None
    hausdorff_95_mm: float | None = None
    surface_distance_mm: float | None = None


def compare(
    segmentationNodes: Sequence[MrmlNode],
    referenceNodes: Sequence[MrmlNode] = (),
    referenceVolumesMl: Mapping[str, Mapping[str, float]] | None = None,
) -> list[Comparison]:
    """Compare results with references, organ by organ; see `comparing`, which does it in steps."""
    steps = comparing(segmentationNodes, referenceNodes, referenceVolumesMl)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            compared: list[Comparison] = end.value
            return compared


def comparing(
    segmentationNodes: Sequence[MrmlNode],
    referenceNodes: Sequence[MrmlNode] = (),
    referenceVolumesMl: Mapping[str, Mapping[str, float]] | None = None,
    job: Job | None = None,
) -> Steps:
    """Steps that compare results with references, organ by organ; returns a `Comparison` of each.

    Distances of surfaces are computed beside the event loop, because they take long for large organs.

    Args:
        segmentationNodes: results, each with a volume that it belongs to.
        referenceNodes: segmentations of an expert, each compared with the results of the volume that it was drawn on.
            Organs are recognised by the names of their segments; organs without a counterpart are left out.
        referenceVolumesMl: volumes of another measurement by the name of the result or its volume, and by organ; they
            take precedence over reference segmentations.
        job: is told how much is done.

    Raises:
        InputError: a reference was drawn on a volume without a result, or no organ has a reference.
    """
    volumes_ml = referenceVolumesMl or {}
    known = {volumeOf(node).GetID() for node in segmentationNodes}
    for node in referenceNodes:
        if volumeOf(node).GetID() not in known:
            problem = "was drawn on a volume that has no segmentation by this module"
            raise InputError(node.GetName(), problem, "segment that volume first, or untick the reference")
    compared: list[Comparison] = []
    for number, node in enumerate(segmentationNodes):
        if job is not None:
            job.progress = number / len(segmentationNodes)
        volume_node = volumeOf(node)
        given = volumes_ml.get(node.GetName()) or volumes_ml.get(volume_node.GetName()) or {}
        own = [one for one in referenceNodes if volumeOf(one) is volume_node]
        compared += yield from _comparing_one(node, own, given)
    if not compared:
        problem = "share no case and organ with the segmentations"
        raise InputError("references", problem, "name cases and segments as the segmentations do")
    return compared


def _comparing_one(
    node: MrmlNode, references: Sequence[MrmlNode], given_ml: Mapping[str, float]
) -> Generator[None, None, list[Comparison]]:
    """Steps that compare one result."""
    found = {row.organ: row for row in organVolumes(node)}
    yield
    compared: dict[str, Comparison] = {}
    for reference in references:
        for pair in _pairs(node, reference, list(found)):
            measured = partial(pair.measured, node.GetName(), found[pair.organ].volume_ml)
            compared[pair.organ] = yield from aside(measured)
    for name, ml in given_ml.items():
        if name in found:
            alone = Comparison(node.GetName(), name, found[name].volume_ml, ml)
            compared[name] = replace(compared[name], reference_ml=ml) if name in compared else alone
    return list(compared.values())


@dataclass(frozen=True)
class _Pair:
    """The masks (I, J, K) of an organ in a result and in its reference, on the same grid."""

    organ: str
    found: NDArray[np.bool_]
    true: NDArray[np.bool_]
    geometry: Geometry

    def measured(self, case: str, volume_ml: float) -> Comparison:
        """What they have in common; touches no node, so that a thread may do it."""
        from ...evaluation.metrics import dice, surface_distances

        distances = surface_distances(self.found, self.true, self.geometry.spacing)
        true_ml = int(self.true.sum()) * self.geometry.voxel_volume_ml
        overlap = dice(self.found, self.true)
        return Comparison(case, self.organ, volume_ml, true_ml, overlap, distances.hausdorff_95, distances.average)


def _pairs(node: MrmlNode, reference: MrmlNode, organs: Sequence[str]) -> list[_Pair]:
    volume_node = volumeOf(node)
    shared = [Organ(name, (0, 0, 0)) for name in segmentNames(reference) if name in organs]
    masks, true_masks = (organMasks(one, volume_node, shared) for one in (node, reference))
    geometry = worldGeometry(volume_node)
    return [_Pair(organ.name, masks[organ.name], true_masks[organ.name], geometry) for organ in shared]


def agreementNodes(compared: Sequence[Comparison], tableNode: MrmlNode | None = None) -> MrmlNode:
    """A table node with the agreement of every organ; charts are its node references `BLAND_ALTMAN` and `SCATTER`.

    The nodes that an earlier call made for the same table are replaced. An organ of fewer than three cases has no
    limits of agreement.

    Args:
        compared: at least one.
        tableNode: filled anew; by default a new node.
    """
    if tableNode is None:
        tableNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "Agreement with references")
    _forget_earlier(tableNode)
    by_organ: dict[str, list[Comparison]] = {}
    for one in compared:
        by_organ.setdefault(one.organ, []).append(one)
    statistics = {organ: _statistics(rows) for organ, rows in by_organ.items()}
    modified = tableNode.StartModify()
    tableNode.RemoveAllColumns()
    rows = [_row(organ, by_organ[organ], found) for organ, found in statistics.items()]
    for name in rows[0]:
        addColumn(tableNode, vtk.vtkStringArray(), name, [row[name] for row in rows])
    tableNode.SetUseColumnTitleAsColumnHeader(True)
    tableNode.SetLocked(True)
    tableNode.EndModify(modified)
    _bland_altman(tableNode, by_organ, statistics)
    _scatter(tableNode, by_organ)
    return tableNode


def _statistics(rows: Sequence[Comparison]) -> VolumeAgreement | None:
    from ...evaluation.agreement import MINIMAL_CASES, volume_agreement

    if len(rows) < MINIMAL_CASES:
        return None
    return volume_agreement([row.measured_ml for row in rows], [row.reference_ml for row in rows])


def _row(organ: str, rows: Sequence[Comparison], found: VolumeAgreement | None) -> dict[str, str]:
    """Cells of an organ by their heading."""
    bias = np.mean([row.measured_ml - row.reference_ml for row in rows])
    limits = None if found is None else found.limits_ml
    return {
        "Organ": organ,
        "Cases": str(len(rows)),
        "Bias [ml]": _ml(float(bias)),
        "Lower limit [ml]": "" if limits is None else _ml(limits.lower.value),
        "Upper limit [ml]": "" if limits is None else _ml(limits.upper.value),
        "ICC(2,1)": "" if found is None else f"{found.absolute.value:.3f}",
        "ICC(3,1)": "" if found is None else f"{found.consistency.value:.3f}",
        "Mean Dice": _mean([row.dice for row in rows], "{:.3f}"),
        "Mean HD95 [mm]": _mean([row.hausdorff_95_mm for row in rows], "{:.2f}"),
        "Mean surface distance [mm]": _mean([row.surface_distance_mm for row in rows], "{:.2f}"),
    }


def _mean(values: Sequence[float | None], form: str) -> str:
    """Over the cases in which a value is known and defined."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return form.format(np.mean(known)) if known else ""


def _ml(value: float) -> str:
    """A volume for the table, which Slicer may save as CSV; a small one is not 0."""
    return for_programs(float(f"{value:.4g}"))


def _bland_altman(
    table: MrmlNode, by_organ: Mapping[str, Sequence[Comparison]], statistics: Mapping[str, VolumeAgreement | None]
) -> None:
    """Differences against means, with the bias and the limits of agreement of every organ in its colour."""
    chart = _chart(table, BLAND_ALTMAN, "Bland-Altman", _("Mean of measured and reference [ml]"))
    chart.SetYAxisTitle(_("Measured - reference [ml]"))
    for look, (organ, rows) in zip(organsNamed(list(by_organ)), by_organ.items(), strict=True):
        measured, reference = np.array([(row.measured_ml, row.reference_ml) for row in rows]).T
        means = (measured + reference) / 2
        _add_series(table, chart, organ, look, means, measured - reference)
        found = statistics[organ]
        if found is not None:
            limits = found.limits_ml
            ends = [means.min(), means.max()]
            for name, value in (
                (_("bias"), limits.bias),
                (_("lower limit"), limits.lower),
                (_("upper limit"), limits.upper),
            ):
                _add_series(
                    table, chart, f"{organ}, {name}", look, ends, [value.value] * 2, dashed=value is not limits.bias
                )


def _scatter(table: MrmlNode, by_organ: Mapping[str, Sequence[Comparison]]) -> None:
    """Measured against reference volumes with the line on which both are equal."""
    chart = _chart(table, SCATTER, "Measured against reference", _("Reference volume [ml]"))
    chart.SetYAxisTitle(_("Measured volume [ml]"))
    largest = max(max(row.measured_ml, row.reference_ml) for rows in by_organ.values() for row in rows)
    for look, (organ, rows) in zip(organsNamed(list(by_organ)), by_organ.items(), strict=True):
        _add_series(table, chart, organ, look, [row.reference_ml for row in rows], [row.measured_ml for row in rows])
    grey = Organ(_("equal"), (0.5, 0.5, 0.5))
    _add_series(table, chart, grey.name, grey, [0, largest], [0, largest], dashed=True)


def _chart(table: MrmlNode, role: str, title: str, across: str) -> MrmlNode:
    chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", title)
    chart.SetTitle(title)
    chart.SetXAxisTitle(across)
    table.SetNodeReferenceID(role, chart.GetID())
    return chart


def _add_series(
    table: MrmlNode, chart: MrmlNode, name: str, look: Organ, x: ArrayLike, y: ArrayLike, dashed: bool | None = None
) -> None:
    """Points in a chart, or a line where `dashed` says which one."""
    values = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", f"{chart.GetName()}: {name}")
    slicer.util.updateTableFromArray(values, [np.asarray(x, dtype=float), np.asarray(y, dtype=float)], ["x", "y"])
    series = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", name)
    series.SetAndObserveTableNodeID(values.GetID())
    series.SetXColumnName("x")
    series.SetYColumnName("y")
    series.SetPlotType(series.PlotTypeScatter)
    series.SetColor(look.colour)
    if dashed is None:
        series.SetLineStyle(series.LineStyleNone)
        series.SetMarkerStyle(series.MarkerStyleCircle)
    else:
        series.SetLineStyle(series.LineStyleDash if dashed else series.LineStyleSolid)
        series.SetMarkerStyle(series.MarkerStyleNone)
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    for node in (values, series):
        table.AddNodeReferenceID(_MADE, node.GetID())


def _forget_earlier(table: MrmlNode) -> None:
    """Remove the charts and their data that belong to a table."""
    for role in (BLAND_ALTMAN, SCATTER, _MADE):
        nodes = [table.GetNthNodeReference(role, n) for n in range(table.GetNumberOfNodeReferences(role))]
        table.RemoveNodeReferenceIDs(role)
        for node in nodes:
            if node is not None:
                slicer.mrmlScene.RemoveNode(node)
