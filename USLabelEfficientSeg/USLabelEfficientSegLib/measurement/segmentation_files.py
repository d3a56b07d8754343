"""Segmentations on disk: which files of a folder they are, what their organs are called, their volumes.

`NAME.ext` and `NAME_segmentation.ext` are the segmentation of the image NAME, whatever is written in them. Beside it
`NAME_probability.nrrd` holds its class probabilities, background first, as the components of a 3-D image or as the
fourth axis of a 4-D one. Probability and uncertainty maps are no segmentations; they are told from those of images
whose own names end like theirs by what they hold. Organs are matched by name, see `annotation.segments`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..annotation.label_files import read_volume_labels
from ..annotation.segments import LabelFile, matched, numbered_organs, organs_named_in
from ..annotation.sparse_labels import UNLABELLED
from ..disk.failures import Failures
from ..disk.kinds import check_images
from ..errors import InputError
from ..imaging.files import find_images, image_name, read_label_map, read_map, read_volume
from ..imaging.formats import PICTURE_SUFFIXES, suffix_of
from ..imaging.scan import LabelMap, Scan
from ..imaging.volume_files import read_header
from ..segmentation.segments import PROBABILITY_SUFFIX, UNCERTAINTY_SUFFIX
from ..segmentation.training_statistics import TrainingStatistics
from ..text.counting import counted
from .organ import OrganMeasurement
from .own_outlines import own_outlines
from .record import read_record_of, record_of, recorded_names
from .tables import KIND
from .taken_over import model_flagged, names_of, taken_over
from .volumetric import measure_case

SEGMENTATION_SUFFIX = "_segmentation"
_SEGMENTATION = "a segmentation"
PROBABILITY_REMEDY = "segment the image again with its probabilities"


def find_segmentations(folder: Path, *, pictures: bool = False) -> dict[str, Path]:
    """Segmentations of a folder by the name of their image, sorted; PNG and the like only if `pictures` asks for them.

    Raises:
        InputError: there is none, or one image has two.
    """
    check_images([folder], _SEGMENTATION)
    found: dict[str, Path] = {}
    images = find_images(folder, pictures=pictures, labels=True)
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


def read_segmentation(path: Path, organs: Sequence[str] | None = None) -> LabelMap:
    """A segmentation under the name of its image, with the labels of the organs; raises as `read_volume_labels`."""
    return named_segmentation(path, read_volume_labels(path), organs)


def named_segmentation(path: Path, labels: LabelMap, organs: Sequence[str] | None) -> LabelMap:
    """Labels as read from `path` under the name of their image, with the names beside it, matched to the organs."""
    name, segments = labels.name.removesuffix(SEGMENTATION_SUFFIX), labels.segments
    labels = replace(labels, name=name, segments=segments or recorded_names(path))
    return labels if organs is None else matched(labels, organs, path)


def given_files(paths: Iterable[Path], find: Callable[[Path], Mapping[str, Path]]) -> list[Path]:
    """Files as given and those that `find` sees in folders; one that is given twice comes once."""
    paths = list(paths)
    check_images(paths, _SEGMENTATION)
    return list(dict.fromkeys(file for path in paths for file in (find(path).values() if path.is_dir() else [path])))


def measure_files(
    paths: Iterable[Path],
    organs: Sequence[str] | None = None,
    *,
    images: Mapping[str, Path | Scan] | None = None,
    statistics: TrainingStatistics | None = None,
    model_sha256: str | None = None,
    failures: Failures | None = None,
) -> list[OrganMeasurement]:
    """Measure segmentation files and all segmentations in folders.

    What was measured when a file was segmented, with its intervals, is taken over for every organ that was not edited
    since; of the others the outline counts. Where nothing was measured, probabilities beside the segmentation count for
    the organs that are outlined as they say. Without `organs` the names come from each file; files without names have
    the rows `organ 1`, `organ 2`, ... up to the highest label of them all. An organ that a segmentation lacks has 0 ml.

    Args:
        paths: files and folders.
        organs: names of the organs.
        images: what was segmented, by name, where it is at hand: see `measure_case`.
        statistics: of the volumes that the model learnt from.
        model_sha256: of the model that is said to have made them, see `model_digest`: others are flagged.
        failures: takes up what is wrong with one file, so that the others are measured.

    Raises:
        InputError: a file cannot be read or measured, its image has changed since it was segmented, or two
            segmentations are of images of the same name.
    """
    files = given_files(paths, find_segmentations)
    check_one_a_case(files)
    failures = failures or Failures()
    failures.of = len(files)
    named: dict[Path, list[OrganMeasurement]] = {}
    unnamed: dict[Path, list[OrganMeasurement]] = {}
    for file in counted(files, "measuring"):
        with failures.of_one(file):
            names, rows = _measured(file, organs, images or {}, statistics, model_sha256)
            (named if names else unnamed)[file] = rows
    present = [n for rows in unnamed.values() for n, row in enumerate(rows, 1) if row.voxel_count]
    kept = {file: rows[: max(present, default=1)] for file, rows in unnamed.items()}
    return [row for file in files for row in (*named.get(file, []), *kept.get(file, []))]


def check_one_a_case(files: Iterable[Path]) -> None:
    """Raise `InputError` when two segmentations are of images of the same name."""
    of_case: dict[str, Path] = {}
    for file in files:
        other = of_case.setdefault(image_name(file).removesuffix(SEGMENTATION_SUFFIX), file)
        if other != file:
            raise InputError(file, f"is of the same image as {other}", "measure one of them, or both in two runs")


def _measured(
    file: Path,
    organs: Sequence[str] | None,
    images: Mapping[str, Path | Scan],
    statistics: TrainingStatistics | None,
    model_sha256: str | None,
) -> tuple[bool, list[OrganMeasurement]]:
    """Whether a file names its organs, or somebody does, and the measurements of them or of all labels."""
    found = taken_over(file, read_segmentation(file), read_record_of(file, KIND), organs)
    label_map, names = found.label_map, found.organs
    image = images.get(label_map.name)
    volume = read_volume(image) if isinstance(image, Path) else image
    if volume is not None:
        found.check_image(file, volume)
    if found.complete:
        return True, model_flagged(found.all, found.maker, model_sha256)
    probabilities = None if found.known else read_probabilities(file, label_map.name)
    if probabilities is not None and organs is not None:
        probabilities = in_order(probabilities, found.labels, len(organs))
    count = UNLABELLED - 1 if probabilities is None else len(probabilities) - 1
    rows = measure_case(
        label_map,
        names or list(numbered_organs(count)),
        probabilities,
        image=volume,
        statistics=statistics,
        counted=None if probabilities is None else own_outlines(label_map.voxels, probabilities),
    )
    return bool(names), model_flagged(found.joined(rows), found.maker, model_sha256)


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
    """The organs of segmentations: as these name them or else their references, or else `organ 1`, `organ 2`, ...

    Without any names, up to the highest label of any file, at least one organ.

    Raises:
        InputError: they are of different organs, or by some of the names it is unclear what the numbers of others mean.
    """
    files = [LabelFile.of(path, read_segmentation(path)) for path in segmentations]
    referred = [LabelFile.of(path, read_segmentation(path)) for path in references]
    return organs_of_labels(files, referred)


def organs_of_labels(files: Sequence[LabelFile], references: Sequence[LabelFile] = ()) -> list[str]:
    """The same of what is known of the files."""
    by_number = [file for file in references if not file.names]
    names = organs_named_in([*files, *(by_number if any(file.names for file in files) else references)])
    highest = max((max(file.present, default=1) for file in (*files, *references)), default=1)
    return names or list(numbered_organs(highest))


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


def read_probabilities(segmentation: Path, name: str) -> NDArray[np.floating] | None:
    """Class probabilities (C, I, J, K) that lie beside a segmentation of the image `name`, if any.

    Raises:
        InputError: the file cannot be read or holds no floating-point class probabilities.
    """
    path = probability_file(segmentation, name)
    if not path.exists() or record_of(path).exists():  # a segmentation of an image with such a name
        return None
    probabilities, _ = read_map(path)
    if len(probabilities) < 2 or not np.issubdtype(probabilities.dtype, np.floating):
        raise InputError(path, "holds no class probabilities", PROBABILITY_REMEDY)
    return probabilities
