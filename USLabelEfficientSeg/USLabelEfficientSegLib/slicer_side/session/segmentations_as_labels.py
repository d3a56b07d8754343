"""Segmentations that the scene holds already become labels of the study."""

from __future__ import annotations

from typing import Any

import slicer

from ...errors import InputError
from ..nodes import study_nodes
from ..nodes.segmentation_nodes import labelsOfSlice
from ..processes.jobs import Job, Steps
from .study_session import StudySession

MrmlNode = Any


def case_of_segmentation(session: StudySession, segmentationNode: MrmlNode, chosen: str | None) -> str:
    """The case of the study that a segmentation was drawn on.

    Args:
        session: the open study.
        segmentationNode: any segmentation with a segment for every organ, known by the organ's name.
        chosen: the case that the user looks at, for a segmentation that does not tell its volume.

    Raises:
        InputError: its volume is not of the study, or it holds the labels already.
    """
    name, volume_node = segmentationNode.GetName(), study_nodes.volumeOf(segmentationNode)
    case = session.caseOf(volume_node) if volume_node is not None else chosen
    if case is None:
        raise InputError(name, "is not drawn on a volume of this study", "choose its volume in the table first")
    if session.labels.node(session.node(case)) is segmentationNode:
        raise InputError(name, "holds the labels of this volume", "choose another segmentation")
    return case


def adopt_drawn(session: StudySession) -> list[str]:
    """Take the labels that were drawn on volumes before they belonged to a study; returns whose they are.

    Those are segmentations of no study yet, with marked slices and a segment for every organ.
    """
    from .labelling import LabelledSlices

    names, adopted = {organ.name for organ in session.organs()}, []
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        volume_node: Any = study_nodes.volumeOf(node)
        case = session.caseOf(volume_node)
        if case is None or node.GetAttribute(study_nodes.ROLE) is not None:
            continue
        segmentation = node.GetSegmentation()
        drawn = {segmentation.GetNthSegment(n).GetName() for n in range(segmentation.GetNumberOfSegments())}
        if session.labels.node(volume_node) is None and names <= drawn and LabelledSlices(node, volume_node).items():
            session.labels.takeNode(node, volume_node)
            adopted.append(case)
    return adopted


def take_segmentation(
    job: Job, session: StudySession, segmentationNode: MrmlNode, case: str, all_slices: bool
) -> Steps:
    """Steps that make the slices of a segmentation labels; returns how many.

    Slices across the study's axis are taken. A slice that is labelled already stays as it is.

    Args:
        job: is told how far it is.
        session: the open study.
        segmentationNode: has a segment for every organ, of the organ's name.
        case: whose volume it was drawn on.
        all_slices: whether slices without any organ are labels, too, else only those with content.

    Raises:
        InputError: while they run: an organ without a segment, or organs that overlap.
    """
    labelling, axis, organs = session.labels.of(case), session.study.slice_axis, session.organs()
    labelled = {(known.axis, known.index) for known in labelling.items()}
    taken, count = 0, session.study.case(case).image.shape[axis]
    for index in range(count):
        job.progress = index / count
        if (axis, index) in labelled:
            continue
        labels = labelsOfSlice(segmentationNode, labelling.volumeNode, organs, axis, index)
        if all_slices or labels.any():
            labelling.setLabels(axis, index, labels, organs)
            taken += 1
        yield
    return taken
