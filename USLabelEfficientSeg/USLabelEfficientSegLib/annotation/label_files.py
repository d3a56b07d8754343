"""Label files as labels of the wanted organs, matched by name (`segments`); a mask is the organ (`masks`)."""

from collections.abc import Sequence
from pathlib import Path

from ..imaging import files
from ..imaging.file_formats.segmentation import segment_fields
from ..imaging.files import read_label_map
from ..imaging.geometry import Geometry
from ..imaging.image_files import read_image_labels
from ..imaging.pixel_sizes import UNKNOWN_PIXEL_SIZES, PixelSizes
from ..imaging.scan import LabelMap
from .masks import mask_as_organ, tell_mask
from .segments import matched


def read_volume_labels(path: Path, organs: Sequence[str] | None = None) -> LabelMap:
    """The labels of a volume, 1 + n for the n-th organ; without organs as the file numbers them.

    Args:
        path: of the label map.
        organs: their names, if they are known.

    Raises:
        InputError: as `read_label_map`; names of other organs, or a mask where there are several organs.
    """
    label_map = mask_as_organ(read_label_map(path), path)
    return label_map if organs is None else matched(label_map, organs, path)


def write_label_map(path: Path, label_map: LabelMap) -> None:
    """Write a label map as `imaging.files` does, with the names of its segments where the format can hold them."""
    files.write_label_map(path, label_map, segment_fields(label_map.segments))


def read_planar_labels(
    path: Path,
    organs: Sequence[str] | None = None,
    *,
    geometry: Geometry | None = None,
    sizes: PixelSizes = UNKNOWN_PIXEL_SIZES,
) -> LabelMap:
    """The labels of a 2-D image; for geometry, sizes and further errors see `read_image_labels`."""
    labels = read_image_labels(path, geometry, sizes, organs=None if organs is None else len(organs))
    if labels.mask:
        tell_mask(path)
    return labels if organs is None else matched(labels, organs, path)
