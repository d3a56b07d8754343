"""The model's measurements of a result, kept with its segmentation node.

Probabilities, interval and flags belong to the segments as the model made them. A digest of each organ's voxels is kept
with them, so that they never stand beside an edited segment; both are saved with the scene.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...imaging.memory_order import reordered
from ...measurement.flags import Flag
from ...measurement.organ import OrganMeasurement
from ...measurement.quantities import in_words_of_today
from ...measurement.volumes import OrganVolume

if TYPE_CHECKING:
    from ...measurement.record import Maker

MrmlNode = Any

MEASURED = "USLabelEfficientSeg.Measured"  # attribute: for each organ what was measured, and the digest of its voxels
MAKER = "USLabelEfficientSeg.Maker"  # attribute: checksums of the image and the model that it was made of
EDITED = Flag.EDITED.value  # of a segment that was drawn or corrected since


@dataclass(frozen=True, kw_only=True)
class ResultVolume(OrganVolume):
    """An organ of a segmentation node; without an interval if no model has made the segment, or it was edited.

    Attributes:
        cautions: values of the flags of the measurement.
    """

    cautions: tuple[str, ...] = ()


def keepMeasured(
    segmentationNode: MrmlNode,
    rows: Sequence[OrganMeasurement],
    digests: Mapping[str, str],
    voxelMl: float,
    maker: Maker | None = None,
) -> None:
    """Keep the measurements of a result with its node.

    Args:
        rows: an organ each.
        digests: of the mask of each organ as the model has made it, see `digest`.
        voxelMl: volume of a voxel in ml that the rows were measured with.
        maker: of the result, if it is known.
    """
    kept = {
        row.organ: {"voxels_sha256": digests[row.organ], "voxel_ml": voxelMl, "measured": asdict(row)} for row in rows
    }
    segmentationNode.SetAttribute(MEASURED, json.dumps(kept))
    segmentationNode.SetAttribute(MAKER, None if maker is None else json.dumps(asdict(maker)))


def makerOf(segmentationNode: MrmlNode) -> Maker:
    """The image and the model that a result was made of, as far as they are known."""
    from ...imaging.checksums import VoxelChecksum
    from ...measurement.record import UNKNOWN, Maker

    kept = json.loads(segmentationNode.GetAttribute(MAKER) or "null")
    if kept is None:
        return UNKNOWN
    image = kept["image"]
    if image is not None:
        first, i, j, k = (tuple(point) for point in image["corners_lps_mm"])
        image = VoxelChecksum(image["sha256"], tuple(image["shape"]), (first, i, j, k))
    return Maker(image, kept["model_sha256"], kept.get("drawing_sha256"))


def measuredOf(
    segmentationNode: MrmlNode, masks: Mapping[str, NDArray[np.bool_]], voxelMl: float
) -> dict[str, OrganMeasurement | None]:
    """The model's measurements of the organs of a node; None for an edited segment.

    Args:
        masks: (I, J, K) of the organs as they are now; organs that no model has measured are left out.
        voxelMl: volume of a voxel in ml as it is now: under another transform volumes change in proportion.
    """
    as_made, made = digestsAsMade(segmentationNode), measuredAsMade(segmentationNode, voxelMl)
    return {
        organ: made[organ] if as_made[organ] == digest(mask) else None
        for organ, mask in masks.items()
        if organ in as_made
    }


def measuredAsMade(segmentationNode: MrmlNode, voxelMl: float) -> dict[str, OrganMeasurement]:
    """Likewise of all organs as the model made them, whatever has become of their segments."""
    kept = _kept(segmentationNode)
    return {organ: _scaled(one["measured"], voxelMl / one["voxel_ml"]) for organ, one in kept.items()}


def digestsAsMade(segmentationNode: MrmlNode) -> dict[str, str]:
    """The digest of each organ's mask as the model made it, see `digest`."""
    return {organ: one["voxels_sha256"] for organ, one in _kept(segmentationNode).items()}


def _kept(segmentationNode: MrmlNode) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(segmentationNode.GetAttribute(MEASURED) or "{}")
    return kept


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


def digest(mask: NDArray[np.bool_]) -> str:
    """Checksum of a mask, whatever the order of its voxels in memory."""
    return hashlib.sha256(np.packbits(reordered(mask, "F").ravel(order="F")).tobytes()).hexdigest()
