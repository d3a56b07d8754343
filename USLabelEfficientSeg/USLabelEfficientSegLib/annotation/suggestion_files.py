"""Suggestions to label in another program: scans, label maps, and a picture of each slice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..disk.outputs import Outputs
from ..imaging.files import write_volume
from ..imaging.intensities import normalised_grey
from ..imaging.scan import LabelMap, Scan
from ..imaging.sector import sector_mask
from ..imaging.views import views_of
from ..text.counting import counted
from .label_files import write_label_map
from .segments import segments_of
from .sparse_labels import SparseLabels
from .suggesting import Suggestion

_PICTURE_PIXELS = 600  # of the longer side at least, so that small slices are seen, too


def write_slices(
    suggestions: Sequence[Suggestion],
    folder: Path,
    *,
    stems: Mapping[str, str],
    read_volume: Callable[[str], Scan],
    read_labels: Callable[[str], SparseLabels | None],
    organs: Sequence[str],
    outputs: Outputs,
) -> list[Path]:
    """Write the volumes of suggested slices to `images`, their label maps to `labels`, the slices to `slices`.

    A label map holds the existing labels, 255 for unlabelled, and the names of the organs. The pictures are numbered
    in the order of the suggestions, and show slices as the report does.

    Args:
        suggestions: at least one.
        folder: made if need be.
        stems: of the files of each volume by its name.
        read_volume: gives a volume by its name.
        read_labels: gives its labels, None where it has none.
        organs: names, in the order of the label values.
        outputs: checks that nothing of somebody else is replaced.

    Returns:
        The files.

    Raises:
        InputError: a file that this program did not write or that was edited since; no room or permission to write.
    """
    names = list(dict.fromkeys(suggestion.volume for suggestion in suggestions))
    images = [folder / "images" / f"{stems[name]}.nrrd" for name in names]
    maps = [folder / "labels" / f"{stems[name]}.nrrd" for name in names]
    pictures = [
        folder / "slices" / f"{number:02d} {stems[found.volume]} axis {'ijk'[found.axis]} slice {found.index + 1}.png"
        for number, found in enumerate(suggestions, start=1)
    ]
    outputs.claim(*images, *maps, *pictures)
    volumes = {name: read_volume(name) for name in counted(names, "reading volumes")}
    with outputs.written(*images) as files:
        for file, name in zip(files, names, strict=True):
            write_volume(file, volumes[name])
    with outputs.written(*pictures) as files:
        for file, found in zip(files, suggestions, strict=True):
            Image.fromarray(slice_picture(volumes[found.volume], found.axis, found.index)).save(file)
    with outputs.written(*maps) as files:  # last: where they are, everything is
        for file, name in zip(files, names, strict=True):
            geometry = volumes[name].geometry
            labels = read_labels(name) or SparseLabels.unlabelled(geometry, tuple(organs))
            write_label_map(file, LabelMap(labels.voxels, geometry, name, segments_of(organs)))
    return [*images, *maps, *pictures]


def write_images(
    suggestions: Sequence[Suggestion],
    folder: Path,
    *,
    stems: Mapping[str, str],
    read_image: Callable[[str], Scan],
    outputs: Outputs,
) -> list[Path]:
    """Write suggested 2-D images to `images` as grey pictures, pixel by pixel: a mask of one is a picture of its size.

    Args:
        suggestions: at least one.
        folder: made if need be.
        stems: of the file of each image by its name.
        read_image: gives an image by its name.
        outputs: checks that nothing of somebody else is replaced.

    Returns:
        The files, in the order of the suggestions.

    Raises:
        InputError: as of `write_slices`.
    """
    names = [suggestion.volume for suggestion in suggestions]
    pictures = [folder / "images" / f"{stems[name]}.png" for name in names]
    outputs.claim(*pictures)
    with outputs.written(*pictures) as files:
        for file, name in zip(files, counted(names, "reading images"), strict=True):
            scan = read_image(name)
            grey = normalised_grey(scan.voxels.astype(np.float32), np.ones(scan.voxels.shape, dtype=bool))
            Image.fromarray(np.rint(255 * grey[..., 0].T).astype(np.uint8)).save(file)
    return pictures


def slice_picture(volume: Scan, axis: int, index: int) -> NDArray[np.uint8]:
    """A slice as a grey picture (rows, columns) with square pixels."""
    view = next(view for view in views_of(volume.geometry) if view.across == axis)
    grey = normalised_grey(volume.voxels.astype(np.float32), sector_mask(volume.voxels))
    picture = Image.fromarray(np.rint(255 * view.picture(grey, index)).astype(np.uint8))
    width, height = view.size_mm(volume.geometry)
    pixel_mm = min(*view.pixel_mm, max(width, height) / _PICTURE_PIXELS)
    size = max(1, round(width / pixel_mm)), max(1, round(height / pixel_mm))
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR))
