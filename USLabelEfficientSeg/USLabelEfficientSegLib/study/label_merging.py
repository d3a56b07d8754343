"""Labels drawn elsewhere, taken into a study: newly labelled slices, and changed ones."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..annotation.label_files import read_labels
from ..annotation.sparse_labels import UNLABELLED, LabelledSlice, SparseLabels
from ..errors import InputError
from ..imaging.files import find_images
from ..imaging.geometry import Geometry
from ..imaging.planes import slice_name
from ..text.counting import counted
from .manifest import Case
from .study import Study

_SUFFIXES = ("", "_labels", "_label", "_segmentation")  # of a case's name in the names of files
LABELS = "labels"


@dataclass(frozen=True)
class TakenLabels:
    """The slices taken over for one case.

    Attributes:
        case: its name.
        geometry: of its image.
        added: slices that were not labelled before.
        replaced: slices that had other labels before, slices crossed by labelled ones included.
    """

    case: str
    geometry: Geometry
    added: tuple[LabelledSlice, ...]
    replaced: tuple[LabelledSlice, ...]


def merge_labels(study: Study, folder: Path) -> list[TakenLabels]:
    """Take the labels in a folder into the study, all of them or none. The caller holds `study.lock()`.

    A file belongs to the case whose name it has, and its labels are matched to the study's organs by name. Completely
    labelled slices are taken; where the file has 255, the study keeps its labels.

    Args:
        study: where they go.
        folder: label maps, or a folder with the sub-folder `labels`, as `suggest --write` makes it.

    Returns:
        The slices taken, by case; files without news are left out.

    Raises:
        InputError: before anything is written: a file that fits no case, of other organs, on another grid, or with a
            partly labelled slice; nothing new at all.
    """
    merged: dict[str, SparseLabels] = {}
    taken: list[TakenLabels] = []
    for name, path in counted(_files(study, folder).items(), "reading labels"):
        case = study.case(name)
        new = _read(study, path, case)
        before = study.read_labels(case.name) or SparseLabels.unlabelled(new.geometry, study.organs)
        after = _merged(before, new, path, study.slice_axis)
        found = _difference(case.name, before, after, study.slice_axis)
        if found.added or found.replaced:
            merged[case.name] = after
            taken.append(found)
    if not taken:
        of = study.words.slice
        problem = f"holds no labelled {of} that the study does not have"
        raise InputError(folder, problem, f"label every voxel of a {of}, with 0 for background")
    study.set_all_labels(merged)
    return taken


def _files(study: Study, folder: Path) -> dict[str, Path]:
    """The label files in a folder by the name of their case."""
    inner = folder / LABELS
    paths = find_images(inner if inner.is_dir() else folder, study.dimension, labels=True)
    of_name = {name: case.name for case in study.cases for name in (Path(case.image.file).stem, case.name)}
    found: dict[str, Path] = {}
    for name, path in paths.items():
        case = next((of_name[stem] for s in _SUFFIXES if (stem := name.removesuffix(s)) in of_name), None)
        if case is None:
            kind = study.words.scan
            problem = f"fits no {kind} of the study ({_listed([case.name for case in study.cases])})"
            raise InputError(path, problem, f"give it the name of its {kind}")
        if case in found:
            raise InputError(path, f"is of the same case as {found[case]}", "keep one of them")
        found[case] = path
    return found


def _read(study: Study, path: Path, case: Case) -> SparseLabels:
    image = study.read_scan(case.name)
    read = read_labels(path, study.organs, geometry=image.geometry, orientation=study.orientation)
    try:
        labels = SparseLabels(read.voxels, read.geometry, study.organs)
    except InputError as error:
        raise InputError(path, f"its labels {error.problem}", error.remedy) from None
    labels.check_grid(str(path), image.geometry)
    return SparseLabels(read.voxels, image.geometry, study.organs)


def _merged(before: SparseLabels, new: SparseLabels, path: Path, slice_axis: int) -> SparseLabels:
    """The labels before, with the labelled slices of a file over them."""
    if new.is_dense:
        return new
    kept = new.keep((place.axis, place.index) for place in new.labelled_slices())
    stray = (new.voxels != UNLABELLED) & (kept.voxels == UNLABELLED) & (new.voxels != before.voxels)
    if stray.any():
        raise _painted_in_part(new, stray, path, slice_axis)
    return SparseLabels(np.where(kept.voxels == UNLABELLED, before.voxels, kept.voxels), before.geometry, before.organs)


def _painted_in_part(new: SparseLabels, stray: np.ndarray, path: Path, slice_axis: int) -> InputError:
    """The complaint about labelled voxels on no labelled slice, for the axis on which they lie in the fewest slices."""
    occupied = [np.flatnonzero(stray.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    axis = min(range(3), key=lambda a: (len(occupied[a]), a != slice_axis))
    index, count = int(occupied[axis][0]), stray.shape[axis]
    rest = int(np.count_nonzero(new.voxels.take(index, axis) == UNLABELLED))
    where = slice_name(new.geometry.direction, axis, index, count)
    problem = f"labels a part of a slice ({where}), of which {rest} voxels are still 255"
    return InputError(path, problem, "label every voxel of a slice, with 0 for background, or leave all of it at 255")


def _difference(case: str, before: SparseLabels, after: SparseLabels, slice_axis: int) -> TakenLabels:
    old, now = (set(labels.labelled_slices(slice_axis if labels.is_dense else None)) for labels in (before, after))
    replaced = [place for place in old if not np.array_equal(before.of_slice(place), after.of_slice(place))]
    return TakenLabels(case, after.geometry, tuple(sorted(now - old)), tuple(sorted(replaced)))


def _listed(names: list[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
