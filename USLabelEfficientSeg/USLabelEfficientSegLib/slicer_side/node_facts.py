"""What the panel must know of volumes and segmentations in the scene; asked again only after they were modified."""

from __future__ import annotations

from typing import Any, NamedTuple

from .nodes import ultrasound_nodes
from .nodes.study_nodes import CASE, ROLE, STUDY, volumeOf
from .nodes.volume_nodes import isImage
from .results.dicom_results import cameAsDicom
from .session.labelling import ATTRIBUTE

MrmlNode = Any


class VolumeFacts(NamedTuple):
    """Of a volume.

    Attributes:
        identifier: in the scene.
        name: for people.
        is_offered: whether it may be ultrasound.
        study: whose case it shows, by the time of the study's creation; None for no study.
        case: its name there.
        is_image: whether it is one 2-D slice.
        came_as_dicom: whether Slicer's DICOM module has loaded it.
    """

    identifier: str
    name: str
    is_offered: bool
    study: str | None
    case: str | None
    is_image: bool
    came_as_dicom: bool


class SegmentationFacts(NamedTuple):
    """Of a segmentation.

    Attributes:
        identifier: in the scene.
        name: for people.
        role: what this module has made it for, None if the user made it.
        is_hidden: from people.
        volume: identifier of its volume, None if that is not in the scene.
        study: whose labels it holds, see `VolumeFacts`.
        labelled: which of its slices are labelled, as its attribute says.
    """

    identifier: str
    name: str
    role: str | None
    is_hidden: bool
    volume: str | None
    study: str | None
    labelled: str | None


def facts_of_volume(node: MrmlNode) -> VolumeFacts:
    """What is known of a volume now."""
    return VolumeFacts(
        node.GetID(),
        node.GetName(),
        ultrasound_nodes.may_be_ultrasound(node),
        node.GetAttribute(STUDY),
        node.GetAttribute(CASE),
        isImage(node),
        cameAsDicom(node),
    )


def facts_of_segmentation(node: MrmlNode) -> SegmentationFacts:
    """What is known of a segmentation now."""
    volume = volumeOf(node)
    return SegmentationFacts(
        node.GetID(),
        node.GetName(),
        node.GetAttribute(ROLE),
        bool(node.GetHideFromEditors()),
        None if volume is None else volume.GetID(),
        node.GetAttribute(STUDY),
        node.GetAttribute(ATTRIBUTE),
    )
