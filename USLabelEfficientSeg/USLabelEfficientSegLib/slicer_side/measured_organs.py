"""What the model has measured of a result, kept with its segmentation node.

Probabilities, interval and flags belong to the segments as the model has made them. A digest of each organ's voxels is
kept with them, so that they are never told of a segment that was edited since; both are saved with the scene.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..measurement.flags import Flag
from ..measurement.organ import OrganMeasurement
from ..measurement.quantities import in_words_of_today
from ..measurement.volumes import OrganVolume

MrmlNode = Any

MEASURED = "USLabelEfficientSeg.Measured"  # attribute: for each organ what was measured, and the digest of its voxels
EDITED = Flag.EDITED.value  # of a segment that was drawn or corrected since


@dataclass(frozen=True, kw_only=True)
class ResultVolume(OrganVolume):
    """An organ of a segmentation node.

    Attributes:
        interval_ml: 90 % prediction interval; None where the segment is not, or no longer, as a model has made it.
        cautions: values of the flags of the measurement.
    """

    interval_ml: tuple[float, float] | None = None
    cautions: tuple[str, ...] = ()


def keepMeasured(
    segmentationNode: MrmlNode,
    rows: Sequence[OrganMeasurement],
    masks: Mapping[str, NDArray[np.bool_]],
    voxelMl: float,
) -> None:
    """Keep what was measured of a result with its node.

    Args:
        rows: an organ each.
        masks: (I, J, K) of each organ as the model has made it.
        voxelMl: volume of a voxel in ml that the rows were measured with.
    """
    kept = {
        row.organ: {"voxels_sha256": _digest(masks[row.organ]), "voxel_ml": voxelMl, "measured": asdict(row)}
        for row in rows
    }
    segmentationNode.SetAttribute(MEASURED, json.dumps(kept))


def measuredOf(
    segmentationNode: MrmlNode, masks: Mapping[str, NDArray[np.bool_]], voxelMl: float
) -> dict[str, OrganMeasurement | None]:
    """What a model has measured of the organs of a node; None for a segment that was edited since.

    Args:
        masks: (I, J, K) of the organs as they are now; organs that no model has measured are left out.
        voxelMl: volume of a voxel in ml as it is now: under another transform volumes change in proportion.
    """
    kept = json.loads(segmentationNode.GetAttribute(MEASURED) or "{}")
    found: dict[str, OrganMeasurement | None] = {}
    for organ, mask in masks.items():
        if organ in kept:
            same = kept[organ]["voxels_sha256"] == _digest(mask)
            found[organ] = _scaled(kept[organ]["measured"], voxelMl / kept[organ]["voxel_ml"]) if same else None
    return found


def _scaled(measured: dict[str, Any], factor: float) -> OrganMeasurement:
    """A measurement with its volumes multiplied."""
    row = OrganMeasurement(**in_words_of_today(measured))
    interval = row.interval_ml
    return replace(
        row,
        volume_ml=factor * row.volume_ml,
        outline_volume_ml=factor * row.outline_volume_ml,
        interval_ml=None if interval is None else (factor * interval[0], factor * interval[1]),
        flags=tuple(Flag(flag) for flag in row.flags),
    )


def _digest(mask: NDArray[np.bool_]) -> str:
    """Checksum of a mask, whatever order its voxels are kept in."""
    return hashlib.sha256(np.packbits(mask.ravel(order="F")).tobytes()).hexdigest()
