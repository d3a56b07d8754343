"""The organs of a new study: named by the user, or by the label files, or one for each number."""

from collections import Counter
from collections.abc import Sequence

from ..annotation.organ_names import folded
from ..annotation.segments import LabelFile, numbered_organs, organ_labels, organs_named_in
from ..errors import InputError

_MOST = 254


def study_organs(files: Sequence[LabelFile], given: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the organs, in the order of the labels that they have in the study.

    Args:
        files: the label files of the study.
        given: names by the user; names in files are matched to them, and labels of other files numbered by them.

    Raises:
        InputError: names are empty, too many or not different; files name other organs, or disagree; labels have no
            name or organ; without names, only one of several files has a class, or the classes have a gap.
    """
    if given is None:
        _check_classes(files)
    names = tuple(name.strip() for name in given) if given is not None else tuple(organs_named_in(files))
    if given is not None and not (
        names and all(names) and len({folded(name) for name in names}) == len(names) <= _MOST
    ):
        raise InputError(f"organs {', '.join(given)}", "are not 1 to 254 different names", "name each organ once")
    names = names or numbered_organs(max((max(file.present, default=0) for file in files), default=1))
    for file in files:
        highest = max(organ_labels(file, names).values(), default=0)
        if highest > len(names):
            problem = f"has the class {highest}, but only {len(names)} organs are named"
            raise InputError(file.path, problem, "name an organ for every class")
    return names


def _check_classes(files: Sequence[LabelFile]) -> None:
    """Refuse labels without an organ and, if no file has names, classes that look like a mistake."""
    uses = Counter(label for file in files for label in file.present)
    if files and not uses:
        problem = "and all other labels hold no organ"
        raise InputError(files[0].path, problem, "label organs as 1..254 (255 means unlabelled)")
    if any(file.names for file in files):
        return
    for file in files:
        lonely = [label for label in file.present if uses[label] == 1]
        if lonely and len(files) > 1:
            problem = f"has the class {lonely[0]}, which no other label has"
            raise InputError(file.path, problem, "correct it or name the organs")
    if files and len(uses) != max(uses):
        missing = min(set(range(1, max(uses))) - uses.keys())
        problem = f"and all other labels lack the class {missing}, though they hold {max(uses)}"
        raise InputError(files[0].path, problem, "number the classes 1, 2, ... or name the organs")
