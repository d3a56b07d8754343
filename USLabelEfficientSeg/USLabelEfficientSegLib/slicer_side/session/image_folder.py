"""A folder of 2-D images that becomes a study, or part of one, without being loaded into the scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError


@dataclass(frozen=True)
class ImageFolder:
    """A folder of 2-D images, hundreds perhaps.

    Args:
        path: of the folder.
        pixelSize: mm per pixel of images whose files and table do not tell it; None if all do.
        pixelSizes: a table (CSV) of file names and pixel sizes, if there is one.
    """

    path: Path
    pixelSize: float | None = None
    pixelSizes: Path | None = None

    def names(self) -> list[str]:
        """The images by name, sorted.

        Raises:
            InputError: no images, volumes as well, or two images of one name.
        """
        from ...imaging.files import find_images
        from ...imaging.scan_files import dimension_of_folder

        if dimension_of_folder(self.path) == 3:
            raise InputError(self.path, "holds volumes, no 2-D images", "add it as a folder of volumes")
        return list(find_images(self.path, dimension=2))

    def arguments(self) -> list[str]:
        """Options of `study create` and `study add` for the worker."""
        options = ["--images", str(self.path)]
        options += [] if self.pixelSize is None else ["--pixel-size", repr(self.pixelSize)]
        return options + ([] if self.pixelSizes is None else ["--pixel-sizes", str(self.pixelSizes)])


def tableBeside(folder: Path) -> Path | None:
    """The only table (CSV) of pixel sizes in a folder of images or beside it, if there is just one; else None."""
    from ...imaging.pixel_sizes import read_pixel_sizes

    found = []
    for path in sorted([*folder.glob("*.csv"), *folder.parent.glob("*.csv")]):
        try:
            read_pixel_sizes(path)
        except InputError:  # another table
            continue
        found.append(path)
    return found[0] if len(found) == 1 else None
