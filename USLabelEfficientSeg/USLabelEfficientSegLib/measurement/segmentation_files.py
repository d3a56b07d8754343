"""Segmentations on disk: which files of a folder they are, what their organs are called, their volumes.

`NAME.ext` and `NAME_segmentation.ext` are the segmentation of the image NAME. `NAME_probability.nrrd` beside
it holds its class probabilities, background first, as the components of a 3-D image or as the fourth axis of
a 4-D one; probability and uncertainty maps are no segmentations. Organ names come from the fields
`SegmentN_LabelValue` and `SegmentN_Name` that 3D Slicer writes into NRRD files.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from ..annotation.sparse_labels import UNLABELLED
from ..errors import InputError
from ..imaging.files import find_images, read_label_map, read_volume
from ..imaging.volume import LabelMap
from ..segmentation.segments import PROBABILITY_SUFFIX, UNCERTAINTY_SUFFIX
from ..segmentation.training_statistics import TrainingStatistics
from .measure import measure_case
from .measurement_files import read_measurements_of
from .measurements import OrganMeasurement

SEGMENTATION_SUFFIX = "_segmentation"
PROBABILITY_REMEDY = "segment the image again with its probabilities"
_LABELS = {str(label) for label in range(1, UNLABELLED)}


def find_segmentations(folder: Path, *, pictures: bool = False) -> dict[str, Path]:
    """Segmentations of a folder by the name of their image, sorted; PNG and the like only if `pictures` asks for them.

    Raises:
        InputError: there is none, or one image has two.
    """
    found: dict[str, Path] = {}
    for file_name, path in find_images(folder, pictures=pictures).items():
        if file_name.endswith((PROBABILITY_SUFFIX, UNCERTAINTY_SUFFIX)):
            continue
        name = file_name.removesuffix(SEGMENTATION_SUFFIX)
        if name in found:
            raise InputError(path, f"is a second segmentation of {name} beside {found[name].name}", "keep one of them")
        found[name] = path
    if not found:
        raise InputError(folder, "holds no segmentations", "choose the folder that the segmentations were written to")
    return dict(sorted(found.items()))


def read_segmentation(path: Path) -> LabelMap:
    """A segmentation under the name of its image. Raises `InputError` as `read_label_map` does."""
    label_map = read_label_map(path)
    return replace(label_map, name=label_map.name.removesuffix(SEGMENTATION_SUFFIX))


def given_files(paths: Iterable[Path], find: Callable[[Path], Mapping[str, Path]]) -> list[Path]:
    """Files as given and those that `find` sees in folders; one that is given twice comes once."""
    return list(dict.fromkeys(file for path in paths for file in (find(path).values() if path.is_dir() else [path])))


def measure_files(
    paths: Iterable[Path],
    organs: Sequence[str] | None = None,
    *,
    images: Mapping[str, Path] | None = None,
    statistics: TrainingStatistics | None = None,
) -> list[OrganMeasurement]:
    """Measure segmentation files and all segmentations in folders.

    What was measured when a file was segmented, with its intervals, is taken over unless the file was edited since.
    Volumes are probability-weighted, too, where the probabilities lie beside the segmentation. Without `organs`
    the names come from each file; files without names have the rows `organ 1`, `organ 2`, ... up to the
    highest label of them all. An organ that a segmentation lacks has 0 ml.

    Args:
        paths: files and folders.
        organs: names of the organs.
        images: what was segmented, by name, where it is at hand: see `measure_case`.
        statistics: of the volumes that the model learnt from.

    Raises:
        InputError: a file cannot be read or measured, or two segmentations are of images of the same name.
    """
    files = given_files(paths, find_segmentations)
    named: dict[Path, list[OrganMeasurement]] = {}
    unnamed: dict[Path, list[OrganMeasurement]] = {}
    of_case: dict[str, Path] = {}
    for file in files:
        label_map = read_segmentation(file)
        if label_map.name in of_case:
            raise InputError(
                file,
                f"is of the same image as {of_case[label_map.name]}",
                "measure one of them, or both in two runs",
            )
        of_case[label_map.name] = file
        stored = read_measurements_of(file)
        if stored is not None and (organs is None or len(organs) == len(stored)):
            names = organs or [row.organ for row in stored]
            named[file] = [replace(row, organ=name) for row, name in zip(stored, names, strict=True)]
            continue
        probabilities = read_probabilities(file, label_map.name)
        image = None if images is None or label_map.name not in images else read_volume(images[label_map.name])
        names = list(organs) if organs is not None else organ_names(file)
        count = UNLABELLED - 1 if probabilities is None else len(probabilities) - 1
        rows = measure_case(
            label_map,
            names or [f"organ {number}" for number in range(1, count + 1)],
            probabilities,
            image=image,
            statistics=statistics,
        )
        (named if names else unnamed)[file] = rows
    present = [n for rows in unnamed.values() for n, row in enumerate(rows, 1) if row.voxel_count]
    return [row for file in files for row in named.get(file) or unnamed[file][: max(present, default=1)]]


def organ_names(path: Path) -> list[str]:
    """Organ names that the segmentation file holds, by label, a gap called `organ N`; empty when none."""
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    fields = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys() if key.startswith("Segment")}
    by_label = {
        int(value): fields.get(key.replace("_LabelValue", "_Name"), f"organ {value}")
        for key, value in fields.items()
        if key.endswith("_LabelValue") and value in _LABELS
    }
    return [by_label.get(label, f"organ {label}") for label in range(1, max(by_label, default=0) + 1)]


def organ_names_of(paths: Iterable[Path]) -> list[str]:
    """Organ names that segmentation files of one model hold; empty when none does.

    Raises:
        InputError: they are of different organs.
    """
    named = {tuple(names): path for path in paths if (names := organ_names(path))}
    if len(named) > 1:
        (first, _), (other, path), *_ = named.items()
        problem = f"is of {', '.join(other)}, other segmentations of {', '.join(first)}"
        raise InputError(path, problem, "take segmentations of one model at a time")
    return list(next(iter(named), ()))


def images_of(segmentations: Mapping[str, Path], folder: Path, *, pictures: bool = False) -> dict[str, Path]:
    """All images of a folder by name. Raises `InputError` when there are none, or a segmentation lacks its image."""
    images = find_images(folder, pictures=pictures)
    for name, path in segmentations.items():
        if name not in images:
            raise InputError(path, f"has no image {name} in {folder}", "add the image or remove the segmentation")
    return images


def probability_file(segmentation: Path, name: str) -> Path:
    """Where the class probabilities of a segmentation of the image `name` lie, if they were kept."""
    return segmentation.parent / f"{name}{PROBABILITY_SUFFIX}.nrrd"


def read_probability_image(path: Path) -> SimpleITK.Image:
    """Class probabilities as SimpleITK holds them. Raises `InputError` when the file cannot be read."""
    try:
        return SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(path, "cannot be read", PROBABILITY_REMEDY) from error


def read_probabilities(segmentation: Path, name: str) -> NDArray[np.floating] | None:
    """Class probabilities (C, I, J, K) that lie beside a segmentation of the image `name`, if any.

    Raises:
        InputError: the file cannot be read or holds no floating-point class probabilities.
    """
    path = probability_file(segmentation, name)
    if not path.exists():
        return None
    image = read_probability_image(path)
    # SimpleITK's arrays are indexed [(c4), k, j, i, (components)].
    voxels = SimpleITK.GetArrayViewFromImage(image)
    if voxels.ndim != 4 or not np.issubdtype(voxels.dtype, np.floating):
        raise InputError(path, "holds no class probabilities", PROBABILITY_REMEDY)
    by_class = voxels.transpose(0, 3, 2, 1) if image.GetDimension() == 4 else voxels.transpose(3, 2, 1, 0)
    return np.array(by_class, order="K")
