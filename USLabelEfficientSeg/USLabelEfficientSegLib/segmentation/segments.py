"""Names and colours of organs inside NRRD label maps in the fields that 3D Slicer reads from segmentations.

https://slicer.readthedocs.io/en/latest/developer_guide/modules/segmentations.html (segmentation file format)
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..imaging.organ_colours import organ_rgb
from ..imaging.scan import LabelMap

PROBABILITY_SUFFIX = "_probability"  # of the file of class probabilities beside a segmentation
UNCERTAINTY_SUFFIX = "_uncertainty"


def segment_metadata(label_map: LabelMap, organs: Sequence[str]) -> dict[str, str]:
    """The fields of a segmentation whose label `n` is the organ `organs[n - 1]`."""
    fields = {
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    for label, organ in enumerate(organs, start=1):
        segment = {
            "ID": f"Segment_{label}",
            "Name": organ,
            "LabelValue": str(label),
            "Layer": "0",
            "Color": " ".join(f"{part / 255:.6f}" for part in organ_rgb(label)),
            "Extent": " ".join(map(str, _extent(label_map.voxels == label))),
        }
        fields |= {f"Segment{label - 1}_{name}": text for name, text in segment.items()}
    return fields


def _extent(mask: NDArray[np.bool_]) -> list[int]:
    """First and last voxel of a mask on every axis; 0 -1 on an axis, as in Slicer, when it is empty."""
    extent = []
    for axis in range(3):
        occupied = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
        extent += [int(occupied[0]), int(occupied[-1])] if len(occupied) else [0, -1]
    return extent
