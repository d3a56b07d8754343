"""Which label of a file is which organ: by name wherever the file names its labels, by number only where it does not.

Names are the same when they differ in nothing but case, Unicode form, white space, "_" and "-": `Left_Kidney` is
"left kidney". "organ 2" for label 2 and "Segment_1" are no names: this program and 3D Slicer write them where nobody
has named an organ. In a file that names other labels, a label without a name is called "organ N". Unclear files are
refused.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..imaging.scan import LabelMap
from .organ_names import folded
from .sparse_labels import classes_in

_NOBODY_NAMED = re.compile(r"segment( \d+)?")  # 3D Slicer's and dcmqi's own names


@dataclass(frozen=True)
class LabelFile:
    """What a label file says of its labels.

    Args:
        path: of the file.
        segments: names by label value, empty when there are none.
        present: label values that have voxels.
        mask: whether it holds 0 and 255 alone, and 255 became label 1.
    """

    path: Path | str
    segments: Mapping[int, str]
    present: Sequence[int]
    mask: bool = False

    @classmethod
    def of(cls, path: Path | str, label_map: LabelMap) -> "LabelFile":
        """What a label map that was read from `path` says."""
        return cls(path, label_map.segments, classes_in(label_map.voxels), label_map.mask)

    @property
    def names(self) -> dict[int, str]:
        """Name of each label that is named or has voxels, by label value; empty when nobody has named any.

        Raises:
            InputError: two labels of one name.
        """
        if not any(_is_name(label, name) for label, name in self.segments.items()):
            return {}
        labels = sorted({*self.segments, *self.present})
        names = {label: self.segments.get(label) or numbered(label) for label in labels}
        first: dict[str, int] = {}
        for label, name in names.items():
            other = first.setdefault(folded(name), label)
            if other != label:
                problem = f"calls both label {other} ({names[other]}) and label {label} ({name}) by one name"
                raise InputError(self.path, problem, "give every segment a name of its own")
        return names


def numbered(label: int) -> str:
    """The name of an organ that nobody has named, by its label."""
    return f"organ {label}"


def numbered_organs(count: int) -> tuple[str, ...]:
    """`organ 1`, `organ 2`, ..."""
    return tuple(numbered(label) for label in range(1, count + 1))


def segments_of(organs: Sequence[str]) -> dict[int, str]:
    """The names of a label map whose label 1 + n is the n-th organ, by label value."""
    return dict(enumerate(organs, start=1))


def organ_labels(file: LabelFile, organs: Sequence[str]) -> dict[int, int]:
    """For each label of a file its label among the organs, 1 + n for the n-th organ.

    A file without names goes by number. Organs may be missing, and segments of other names may be empty.

    Raises:
        InputError: two labels of one name, a segment with voxels that is none of the organs, or only other organs; a
            mask where there are several organs.
    """
    if file.mask and len(organs) > 1:
        problem = f"is black and white, but there are {len(organs)} organs"
        raise InputError(file.path, problem, "give class numbers 0, 1, 2 and so on")
    names = file.names
    if not names:
        return {label: label for label in file.present}
    of_organ = {folded(organ): label for label, organ in enumerate(organs, start=1)}
    found = {label: of_organ[folded(name)] for label, name in names.items() if folded(name) in of_organ}
    if not found or set(file.present) - found.keys():
        problem = f"names its labels {', '.join(names.values())}, and the organs are {', '.join(organs)}"
        raise InputError(file.path, problem, "give both the same names, in any order")
    return found


def matched(label_map: LabelMap, organs: Sequence[str], path: Path | str) -> LabelMap:
    """The label map with label 1 + n for the n-th organ. Raises `InputError` as `organ_labels` does."""
    labels = organ_labels(LabelFile.of(path, label_map), organs)
    if all(label == of_organ for label, of_organ in labels.items()):
        return label_map
    table = np.arange(256, dtype=np.uint8)
    for label, of_organ in labels.items():
        table[label] = of_organ
    segments = {of_organ: organs[of_organ - 1] for of_organ in sorted(labels.values())}
    return replace(label_map, voxels=table[label_map.voxels], segments=segments)


def organs_named_in(files: Iterable[LabelFile]) -> list[str]:
    """The organs that files name: first the organs of the first file by label, then new ones of others; [] for none.

    Raises:
        InputError: files do not agree: neither of two names all organs of the other, or a file without names stands
            beside others that number their labels differently.
    """
    files = list(files)
    named = [file for file in files if file.names]
    organs: dict[str, str] = {}
    for file in named:
        for _, name in sorted(file.segments.items()):
            organs.setdefault(folded(name), name.strip())
    most = max(named, key=lambda file: len(file.segments), default=None)
    for file in named:
        if most is not None and not _folded_names(file) <= _folded_names(most):
            of_file, of_most = (", ".join(one.segments.values()) for one in (file, most))
            problem = f"is of {of_file}, other segmentations of {of_most}"
            raise InputError(
                file.path,
                problem,
                "take segmentations of the same organs, or name them with --organs",
                in_panel="take segmentations of the same organs",
            )
    found = list(organs.values())
    nameless = next((file for file in files if not file.names), None)
    if nameless is not None:
        _check_numbers(nameless, named, list(organs))
    return found


def _check_numbers(nameless: LabelFile, named: Sequence[LabelFile], organs: Sequence[str]) -> None:
    """Refuse a file without names where others do not number the organs (folded) as 1, 2, ..."""
    for file in named:
        if any(list(organs[label - 1 : label]) != [folded(name)] for label, name in file.segments.items()):
            numbers = ", ".join(f"{label} {name}" for label, name in sorted(file.segments.items()))
            problem = f"does not name its labels, and what their numbers mean is not clear from {file.path} ({numbers})"
            raise InputError(
                nameless.path,
                problem,
                "tell the organs of label 1, 2, ... with --organs",
                in_panel="name its segments as the organs",
            )


def _folded_names(file: LabelFile) -> set[str]:
    return {folded(name) for name in file.segments.values()}


def _is_name(label: int, name: str) -> bool:
    return folded(name) != numbered(label) and not _NOBODY_NAMED.fullmatch(folded(name))
