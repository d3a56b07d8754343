"""Files of scans, volumes or 2-D images: one reader for both, and which of them a file is."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..disk.kinds import check_images
from ..disk.suffixes import PICTURE_SUFFIXES
from ..errors import InputError
from . import dicom
from .dimension import Dimension
from .files import find_images, image_name, read_volume
from .image_files import read_image
from .pixel_sizes import UNKNOWN_PIXEL_SIZES, PixelSizes
from .scan import Scan
from .volume_files import read_header


def read_scan(
    path: Path | str, dimension: Dimension | None = None, pixel_sizes: PixelSizes = UNKNOWN_PIXEL_SIZES
) -> Scan:
    """Read a volume or a 2-D image; colour becomes grey (luminance of ITU-R BT.601).

    Args:
        path: the file, or a folder that holds one DICOM series.
        dimension: 3 to demand a volume, 2 to demand an image; by default what the file is.
        pixel_sizes: of images whose files do not tell them.

    Raises:
        InputError: as `read_volume` and `read_image`: an image where a volume is demanded or the other way round,
            unreadable, of unknown pixel size.

    Example:
        >>> import tempfile, numpy as np
        >>> from USLabelEfficientSegLib.imaging.files import write_volume
        >>> from USLabelEfficientSegLib.imaging.geometry import Geometry
        >>> folder = Path(tempfile.mkdtemp())
        >>> grid = Geometry((4, 3, 1), (0.5, 0.5, 1), (0, 0, 0), np.eye(3))
        >>> write_volume(folder / "head.nrrd", Scan(np.arange(12.0).reshape(4, 3, 1), grid, "head"))
        >>> read_scan(folder / "head.nrrd").is_planar
        True
    """
    path = Path(path)
    planar = (dimension or dimension_of(path)) == 2
    return read_image(path, pixel_sizes) if planar else read_volume(path)


def dimension_of(path: Path) -> Dimension | None:
    """Whether a file or DICOM folder is a 2-D image or a volume, by its header; None if it cannot be read.

    Slices of a DICOM series, which have a position in space, count as parts of a volume.
    """
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return 2
    try:
        if dicom.is_dicom(path):
            return 2 if dicom.is_loose_frame(path) else 3
        header = read_header(path)
    except (InputError, OSError):
        return None
    return 3 if header.times * header.geometry.shape[2] > 1 else 2


def dimension_of_folder(folder: Path) -> Dimension:
    """Whether a folder holds 2-D images or volumes.

    Raises:
        InputError: no images, or both.
    """
    files = find_images(folder, dimension=2)
    found: dict[Dimension | None, str] = {}
    for path in files.values():
        found.setdefault(dimension_of(path), path.name)
    if 2 in found and 3 in found:
        problem = f"holds volumes ({found[3]}) and 2-D images ({found[2]})"
        raise InputError(folder, problem, "put them into two folders, and make a study of each")
    return 2 if 2 in found else 3


def dimension_of_files(paths: Sequence[Path]) -> Dimension:
    """2 if the first segmentation among files and folders is of a 2-D image, else 3; pictures count last."""
    for path in paths:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in sorted(files, key=lambda file: file.suffix.lower() in PICTURE_SUFFIXES):
            dimension = dimension_of(file) if file.is_file() else None
            if dimension is not None:
                return dimension
    return 3  # whoever reads these files tells what is wrong with them


def images_by_name(paths: Iterable[Path], dimension: Dimension = 3) -> dict[str, Path]:
    """The images among files, folders of a DICOM series and folders of images, by name, in their order.

    Args:
        paths: what the user names.
        dimension: 2 to look for 2-D images; then every DICOM file of a folder is an image.

    Raises:
        InputError: a folder without images, or two images of the same name.
    """
    found: dict[str, Path] = {}
    paths = list(paths)
    check_images(paths)
    for path in paths:
        is_series = path.is_dir() and dicom.is_one_image(path) and (dimension == 3 or dimension_of(path) == 3)
        is_folder_of_images = path.is_dir() and not is_series
        files = find_images(path, dimension) if is_folder_of_images else {image_name(path): path}
        for name, file in files.items():
            if name in found:
                problem = f"has the same name as {found[name]}, and so would its segmentation"
                raise InputError(file, problem, "rename one of them or segment them into two folders")
            found[name] = file
    return found
