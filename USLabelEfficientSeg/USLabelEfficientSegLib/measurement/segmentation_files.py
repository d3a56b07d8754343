"""Segmentations on disk, of volumes and 2-D images: their files in a folder and the names of their organs.

`NAME.ext` and `NAME_segmentation.ext` are the segmentation of the image NAME, whatever is written in them. Beside it
`NAME_probability.nrrd` holds its class probabilities, background first, as the components of a 3-D image or as the
fourth axis of a 4-D one. Probability and uncertainty maps are no segmentations. An image's name may end like theirs, so
their content tells them apart. Organs are matched by name, see `annotation.segments`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..annotation.label_files import read_labels
from ..annotation.segments import LabelFile, matched, numbered_organs, organs_named_in
from ..disk.kinds import check_images
from ..disk.suffixes import PICTURE_SUFFIXES, suffix_of
from ..errors import InputError
from ..imaging.files import find_images, image_name, read_label_map, read_map
from ..imaging.geometry import Geometry
from ..imaging.pixel_sizes import UNKNOWN_PIXEL_SIZES, PixelSizes
from ..imaging.scan import LabelMap
from ..imaging.scan_files import dimension_of_files, images_by_name
from ..imaging.volume_files import read_header
from ..segmentation.segments import PROBABILITY_SUFFIX, UNCERTAINTY_SUFFIX
from .record import record_of, recorded_names
from .taken_over import names_of

SEGMENTATION_SUFFIX = "_segmentation"
_SEGMENTATION = "a segmentation"
_PROBABILITY_REMEDY = "segment the image again with its probabilities"


def find_segmentations(folder: Path) -> dict[str, Path]:
    """Segmentations of a folder by the name of their image, sorted; PNG and the like only beside no volume.

    Raises:
        InputError: there is none, or one image has two.
    """
    check_images([folder], _SEGMENTATION)
    found: dict[str, Path] = {}
    images = find_images(folder, dimension_of_files([folder]), labels=True)
    names = {file_name.removesuffix(SEGMENTATION_SUFFIX) for file_name in images}
    for file_name, path in images.items():
        if is_map(path) or (_of_map(file_name) in names and not record_of(path).exists()):
            continue
        name = file_name.removesuffix(SEGMENTATION_SUFFIX)
        if name in found:
            raise InputError(path, f"is a second segmentation of {name} beside {found[name].name}", "keep one of them")
        found[name] = path
    if not found:
        raise InputError(folder, "holds no segmentations", "choose the folder that the segmentations were written to")
    return dict(sorted(found.items()))


def is_map(path: Path) -> bool:
    """Whether a file is the probability or uncertainty map of another, by its name and its kind of numbers."""
    is_picture = suffix_of(path) in PICTURE_SUFFIXES  # of 8 bits, which no map is
    if _of_map(image_name(path)) is None or record_of(path).exists() or path.is_dir() or is_picture:
        return False
    try:
        header = read_header(path)
    except (InputError, OSError):  # the classes of probabilities are vectors, which no image is
        return True
    return header.times > 1 or header.dtype.kind == "f"


def _of_map(file_name: str) -> str | None:
    """The name of the image that a map of this name would be of."""
    for suffix in (PROBABILITY_SUFFIX, UNCERTAINTY_SUFFIX):
        if file_name.endswith(suffix):
            return file_name.removesuffix(suffix)
    return None


def read_segmentation(
    path: Path,
    organs: Sequence[str] | None = None,
    *,
    geometry: Geometry | None = None,
    sizes: PixelSizes = UNKNOWN_PIXEL_SIZES,
) -> LabelMap:
    """A segmentation of a volume or a 2-D image, under the name of its image and with the names beside it.

    Args:
        path: of the file.
        organs: the labels wanted, 1 + n for the n-th of them; by default as the file numbers them.
        geometry: of its image, if that is known: it has the pixel size of a picture.
        sizes: tells the pixel sizes of pictures of unknown geometry.

    Raises:
        InputError: as `read_labels` does; names that are not those of the organs.
    """
    labels = read_labels(path, geometry=geometry, pixel_sizes=sizes)
    labels = replace(labels, name=case_of(path), segments=labels.segments or recorded_names(path))
    return labels if organs is None else matched(labels, organs, path)


def case_of(segmentation: Path) -> str:
    """The name of the image that a file is a segmentation of."""
    return image_name(segmentation).removesuffix(SEGMENTATION_SUFFIX)


def given_files(paths: Iterable[Path]) -> list[Path]:
    """Files as given and the segmentations in folders; each file comes once.

    Raises:
        InputError: as `find_segmentations` does; two segmentations are of images of the same name.
    """
    paths = list(paths)
    check_images(paths, _SEGMENTATION)
    found = [find_segmentations(path).values() if path.is_dir() else [path] for path in paths]
    files = list(dict.fromkeys(file for files in found for file in files))
    of_case: dict[str, Path] = {}
    for file in files:
        other = of_case.setdefault(case_of(file), file)
        if other != file:
            raise InputError(file, f"is of the same image as {other}", "measure one of them, or both in two runs")
    return files


def in_order(probabilities: NDArray[np.floating], labels: Mapping[int, int], organs: int) -> NDArray[np.floating]:
    """Class probabilities (C, I, J, K) of a file as (organs + 1, I, J, K), 0 of an organ that the file lacks."""
    if all(label == of_organ for label, of_organ in labels.items()) and len(probabilities) == organs + 1:
        return probabilities
    ordered = np.zeros((organs + 1, *probabilities.shape[1:]), probabilities.dtype)
    ordered[0] = probabilities[0]
    for label, of_organ in labels.items():
        ordered[of_organ] = probabilities[label]
    return ordered


def organ_names(path: Path) -> list[str]:
    """Organ names that the segmentation file of a volume holds, see `names_of`."""
    return names_of(read_label_map(path))


def organs_of_files(segmentations: Iterable[Path], references: Iterable[Path] = ()) -> list[str]:
    """The organs of segmentations: named by them, or by their references, or else `organ 1`, `organ 2`, ...

    Without any names, up to the highest label of any file, at least one organ.

    Raises:
        InputError: their organs differ, or the names of some files leave the numbers of others unclear.
    """
    files, grids = [], {}
    for path in segmentations:
        label_map = read_segmentation(path)
        files.append(LabelFile.of(path, label_map))
        grids[label_map.name] = label_map.geometry
    referred = [LabelFile.of(path, read_segmentation(path, geometry=grids.get(case_of(path)))) for path in references]
    return organs_of_labels(files, referred)


def organs_of_labels(files: Sequence[LabelFile], references: Sequence[LabelFile] = ()) -> list[str]:
    """The same of what is known of the files."""
    by_number = [file for file in references if not file.names]
    names = organs_named_in([*files, *(by_number if any(file.names for file in files) else references)])
    highest = max((max(file.present, default=1) for file in (*files, *references)), default=1)
    return names or list(numbered_organs(highest))


def images_of(segmentations: Mapping[str, Path], place: Path) -> dict[str, Path]:
    """The images of a place by name, as `images_in` finds them.

    Raises:
        InputError: there are none, or a segmentation lacks its image.
    """
    images = images_in(place, list(segmentations.values()))
    for name, path in segmentations.items():
        if name not in images:
            remedy = "add the image or remove the segmentation"
            if place.is_file():
                remedy = "give the folder with the images of all segmentations"
            raise InputError(path, f"has no image {name} in {place}", remedy)
    return images


def images_in(place: Path, segmentations: Sequence[Path]) -> dict[str, Path]:
    """Images of the kind of these segmentations, by name: pictures only if they are of 2-D images.

    Args:
        place: a folder of images, or a single image. A folder with one DICOM image is found by its own name and by that
            of its file, for it may have been segmented as either.
        segmentations: their files, or folders of them.
    """
    dimension = dimension_of_files(segmentations)
    images = images_by_name([place], dimension)
    is_folder_of_one = place.is_dir() and place in images.values()
    return find_images(place, dimension) | images if is_folder_of_one else images


def probability_file(segmentation: Path, name: str) -> Path:
    """The place of the class probabilities of a segmentation of the image `name`, if they were kept."""
    return segmentation.parent / f"{name}{PROBABILITY_SUFFIX}.nrrd"


def read_probabilities(
    segmentation: Path, name: str, shape: tuple[int, int, int] | None = None
) -> NDArray[np.floating] | None:
    """Class probabilities (C, I, J, K) that lie beside a segmentation of the image `name`, if any.

    Raises:
        InputError: the file cannot be read, holds no floating-point class probabilities, or is of another `shape`.
    """
    path = probability_file(segmentation, name)
    if not path.exists() or record_of(path).exists():  # a segmentation of an image with such a name
        return None
    probabilities, _ = read_map(path)
    if len(probabilities) < 2 or not np.issubdtype(probabilities.dtype, np.floating):
        raise InputError(path, "holds no class probabilities", _PROBABILITY_REMEDY)
    if shape not in (None, probabilities.shape[1:]):
        own, others = (" x ".join(map(str, size)) for size in (probabilities.shape[1:], shape or ()))
        raise InputError(path, f"has {own} voxels, and its segmentation {others}", _PROBABILITY_REMEDY)
    return probabilities
