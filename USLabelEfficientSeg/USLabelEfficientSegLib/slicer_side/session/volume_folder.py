"""What a folder of the user's holds, and reading it; touches no node, so that a thread may do it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...errors import Notice
    from ...imaging.scan import Scan


def images_in(folder: Path) -> tuple[int, dict[str, Path], list[Notice]]:
    """Whether a folder holds 2-D images or volumes, and which, by name; and what of vendors is passed over."""
    from ...imaging.files import find_images
    from ...imaging.scan_files import dimension_of_folder
    from ...imaging.vendors import passed_over, vendors_among

    dimension = dimension_of_folder(folder)
    images = find_images(folder, dimension)
    return dimension, images, passed_over(folder, vendors_among(folder.iterdir()), images)


def read(path: Path) -> Scan:
    """A volume of such a folder."""
    from ...imaging.files import read_volume

    return read_volume(path)
