"""How much of a study is labelled, and which of its organs no labelled slice shows."""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from ..errors import InputError
from .manifest import Case

if TYPE_CHECKING:
    from .study import Study


def label_fraction(cases: Sequence[Case], slice_axis: int) -> float:
    """Labelled slices over all slices along the slice axis, from 0 to 1.

    Where slices along several axes are labelled they cross. A volume counts with no more than the share of its voxels
    that lie on labelled slices.
    """
    return sum(_slices(case, slice_axis) for case in cases) / sum(case.image.shape[slice_axis] for case in cases)


def unseen_organs(study: "Study") -> list[str]:
    """The organs that no labelled slice shows."""
    records = [case.labels for case in study.cases if case.labels is not None]
    return [
        organ for number, organ in enumerate(study.organs) if not any(record.organ_slices[number] for record in records)
    ]


def check_every_organ_is_shown(study: "Study") -> None:
    """Refuse to train organs without an example. The caller holds the study's lock.

    Raises:
        InputError: an organ is on no labelled slice.
    """
    if unseen_organs(study):
        study.check_files()  # labels may have been edited since
    if organs := unseen_organs(study):
        of = "slice" if study.dimension == 3 else "image"
        problem = f"has no labelled {of} that shows {' or '.join(organs)}"
        raise InputError(study.folder, problem, f"label a {of} that does, or make the study without it (--organs)")


def _slices(case: Case, slice_axis: int) -> float:
    if case.labels is None:
        return 0.0
    shape = case.image.shape
    counts = [sum(axis == a for a, _ in case.labels.slices) for axis in range(3)]
    on_slices = 1 - prod(1 - count / n for count, n in zip(counts, shape, strict=True))
    return min(sum(counts), on_slices * shape[slice_axis])
