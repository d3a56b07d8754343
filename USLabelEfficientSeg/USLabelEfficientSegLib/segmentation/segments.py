"""Names and colours of organs, also inside NRRD label maps in the fields that 3D Slicer reads from segmentations.

https://slicer.readthedocs.io/en/latest/developer_guide/modules/segmentations.html (segmentation file format)
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..imaging.volume import LabelMap

PROBABILITY_SUFFIX = "_probability"  # of the file of class probabilities beside a segmentation
UNCERTAINTY_SUFFIX = "_uncertainty"

# Okabe and Ito's colours, those light enough for ultrasound: told apart with every colour vision deficiency.
ORGAN_COLOURS = ("#E69F00", "#56B4E9", "#F0E442", "#CC79A7", "#009E73", "#D55E00")


def organ_colour(label: int) -> str:
    """Colour of an organ, "#RRGGBB", by its label."""
    return ORGAN_COLOURS[(label - 1) % len(ORGAN_COLOURS)]


def segment_metadata(label_map: LabelMap, organs: Sequence[str]) -> dict[str, str]:
    """The fields of a segmentation whose label `n` is the organ `organs[n - 1]`."""
    fields = {
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    for label, organ in enumerate(organs, start=1):
        red_green_blue = (int(organ_colour(label)[start : start + 2], 16) / 255 for start in (1, 3, 5))
        segment = {
            "ID": f"Segment_{label}",
            "Name": organ,
            "LabelValue": str(label),
            "Layer": "0",
            "Color": " ".join(f"{part:.6f}" for part in red_green_blue),
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
