"""The images of a study that the scene holds: the latest few, because a study has hundreds.

An image is loaded when it is looked at, and the one that was looked at longest ago goes with all that this module has
made for it. Nothing goes that would be lost: what the user has loaded or made, a drawing that the study does not hold,
a corrected result, and what a view shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer

from ...errors import InputError
from ..nodes.segmentation_nodes import Organ, organMasks
from ..nodes.study_nodes import LABELS, RESULT, ROLE, isShown, madeOf, volumeOf
from ..results.image_measurements import isEdited

if TYPE_CHECKING:
    from ...study.study import Study

MrmlNode = Any

MOST_IMAGES = 8
LOADED = "USLabelEfficientSeg.Loaded"  # attribute of a volume node that was loaded from its study when looked at


class LoadedImages:
    """Which images were looked at, latest last.

    Args:
        most: images that stay in the scene beside those that would be lost.
    """

    def __init__(self, most: int = MOST_IMAGES) -> None:
        self._most = most
        self._order: list[str] = []

    def lookedAt(self, case: str) -> None:
        """An image is looked at now."""
        self._order = [*(one for one in self._order if one != case), case]

    def makeRoom(self, study: Study, nodes: dict[str, MrmlNode], organs: Sequence[Organ]) -> list[str]:
        """Take the images that were looked at longest ago out of the scene; returns their cases.

        Args:
            study: holds the images and their labels.
            nodes: the loaded images that the scene holds, by case; those that nobody has looked at go first.
            organs: of the study.
        """
        oldest_first = sorted(nodes, key=lambda case: self._order.index(case) if case in self._order else -1)
        removed = []
        for case in oldest_first[: max(0, len(nodes) - self._most)]:
            if not _would_be_lost(study, case, nodes[case], organs):
                for node in [*madeOf(nodes[case]), nodes[case]]:
                    slicer.mrmlScene.RemoveNode(node)
                removed.append(case)
        self._order = [case for case in self._order if case not in removed]
        return removed


def _would_be_lost(study: Study, case: str, volumeNode: MrmlNode, organs: Sequence[Organ]) -> bool:
    """Whether an image is in use, or something was made on it that is nowhere else."""
    if isShown(volumeNode):
        return True
    segmentations = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    if any(node.GetAttribute(ROLE) is None and volumeOf(node) is volumeNode for node in segmentations):
        return True
    made = {role: [node for node in madeOf(volumeNode) if node.GetAttribute(ROLE) == role] for role in (LABELS, RESULT)}
    try:
        drawn = any(_is_unsaved(study, case, node, volumeNode, organs) for node in made[LABELS])
        return drawn or any(isEdited(node, volumeNode) for node in made[RESULT])
    except InputError:  # organs overlap, or a transform bends the image: the user must see it
        return True


def _is_unsaved(study: Study, case: str, labelNode: MrmlNode, volumeNode: MrmlNode, organs: Sequence[Organ]) -> bool:
    """Whether a drawing is not what the study holds, for example because it is not kept as label."""
    from .labelling import LabelledSlices

    labelling = LabelledSlices(labelNode, volumeNode)
    stored = study.read_labels(case)
    if not labelling.items():
        drawn = organMasks(labelNode, volumeNode, organs)
        return stored is not None or any(mask.any() for mask in drawn.values())
    return stored is None or not np.array_equal(labelling.sparseLabels(organs).voxels, stored.voxels)
