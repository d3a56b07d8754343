"""Label files as labels of the wanted organs, matched by name (`segments`); a mask is the organ (`masks`)."""

from collections.abc import Sequence
from pathlib import Path

from ..imaging import files
from ..imaging.dimension import Dimension
from ..imaging.file_formats.segmentation import fitted, segment_fields
from ..imaging.files import read_label_map
from ..imaging.geometry import Geometry
from ..imaging.image_files import read_image_labels
from ..imaging.orientation import Orientation, oriented
from ..imaging.pixel_sizes import UNKNOWN_PIXEL_SIZES, PixelSizes
from ..imaging.scan import LabelMap
from ..imaging.scan_files import dimension_of
from .masks import mask_as_organ, tell_mask
from .segments import matched


def read_labels(
    path: Path,
    organs: Sequence[str] | None = None,
    *,
    geometry: Geometry | None = None,
    dimension: Dimension | None = None,
    pixel_sizes: PixelSizes = UNKNOWN_PIXEL_SIZES,
    orientation: Orientation = "as-stored",
) -> LabelMap:
    """The labels of a volume or a 2-D image, 1 + n for the n-th organ; without organs as the file numbers them.

    Args:
        path: of the label map.
        organs: their names, if they are known.
        geometry: of the image, if it is known: tells which of both it is and what is outside of the box that a file
            stores around its segments; of a 2-D label also the pixel size, and it must have as many pixels.
        dimension: 3 to demand the labels of a volume, 2 those of an image; by default what image or file is.
        pixel_sizes: of 2-D labels where neither file nor geometry tells them.
        orientation: the order of the axes to bring a volume to.

    Raises:
        InputError: as `read_label_map` and `read_image_labels`; names of other organs, or a mask where there are
            several organs.
    """
    planar = geometry.is_planar if geometry is not None else (dimension or dimension_of(path)) == 2
    if planar:
        labels = read_image_labels(path, geometry, pixel_sizes, organs=None if organs is None else len(organs))
        if labels.mask:
            tell_mask(path)
    else:
        labels = oriented(mask_as_organ(read_label_map(path), path), orientation)
        labels = labels if geometry is None else fitted(labels, geometry)
    return labels if organs is None else matched(labels, organs, path)


def read_volume_labels(path: Path, organs: Sequence[str] | None = None) -> LabelMap:
    """The labels where only those of a volume will do, as `read_labels`."""
    return read_labels(path, organs, dimension=3)


def write_label_map(path: Path, label_map: LabelMap) -> None:
    """Write a label map as `imaging.files` does, with the names of its segments where the format can hold them."""
    files.write_label_map(path, label_map, segment_fields(label_map.segments))
