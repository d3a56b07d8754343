"""Ultrasound in DICOM: enhanced multi-frame files, series of single frames, 2-D images and segmentations.

`files` finds and opens them, `placement` tells where a frame lies, `spacing` tells its pixel size, `pixels` decodes it,
`segmentations` reads label maps, and `reading` makes volumes and images of all that.
"""

from .files import holds, is_dicom, is_one_image, is_segmentation
from .reading import Header, is_loose_frame, read_frames, read_headers, read_image
from .segmentations import FILE_ENDING, read_segmentation
from .spacing import Contradiction

__all__ = [
    "FILE_ENDING",
    "Contradiction",
    "Header",
    "holds",
    "is_dicom",
    "is_loose_frame",
    "is_one_image",
    "is_segmentation",
    "read_frames",
    "read_headers",
    "read_image",
    "read_segmentation",
]  # fmt: skip
