"""How much of a study is labelled, and which of its organs no labelled slice shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from .manifest import Case
    from .study import Study


def label_fraction(cases: Sequence[Case], slice_axis: int) -> float:
    """Labelled slices over all slices along the slice axis, from 0 to 1.

    Labelled slices along several axes cross. A volume counts with no more than the share of its voxels on labelled
    slices.
    """
    counted = [
        counted_slices([] if case.labels is None else case.labels.slices, case.image.shape, slice_axis)
        for case in cases
    ]
    return sum(counted) / sum(case.image.shape[slice_axis] for case in cases)


def labelled_counts(study: Study) -> tuple[int, int]:
    """How many volumes, and how many slices, the study holds labels of."""
    records = [case.labels for case in study.cases if case.labels is not None]
    return len(records), sum(len(record.slices) for record in records)


def in_percent(fraction: float) -> str:
    """A fraction for people: two digits, "100 %" for all."""
    percent = 100 * fraction
    return f"{percent:.2g} %" if percent < 99.5 else f"{percent:.0f} %"


def share_in_words(study: Study) -> str:
    """The label fraction in a report. Slices of several axes share voxels, so it may be below the count's."""
    once = ", where they cross counted once" if len(labelled_axes(study)) > 1 else ""
    return f"{in_percent(study.label_fraction())} of all{once}"


def labelled_axes(study: Study) -> set[int]:
    """The axes along which some slice is labelled."""
    return {axis for case in study.cases if case.labels is not None for axis, _ in case.labels.slices}


def volumes_with_organs(study: Study) -> int:
    """How many volumes have a labelled slice that shows an organ."""
    return sum(case.labels is not None and any(case.labels.organ_slices) for case in study.cases)


def unseen_organs(study: Study) -> list[str]:
    """The organs that no labelled slice shows."""
    records = [case.labels for case in study.cases if case.labels is not None]
    return [
        organ for number, organ in enumerate(study.organs) if not any(record.organ_slices[number] for record in records)
    ]


def check_every_organ_is_shown(study: Study) -> None:
    """Refuse to train organs without an example. The caller holds the study's lock.

    Raises:
        InputError: an organ is on no labelled slice.
    """
    if unseen_organs(study):
        study.check_files()  # labels may have been edited since
    if organs := unseen_organs(study):
        of = study.words.slice
        problem = f"has no labelled {of} that shows {' or '.join(organs)}"
        raise InputError(
            study.folder,
            problem,
            f"label a {of} that does, or make the study without it (--organs)",
            in_panel=f"label a {of} that does, or make a study without it",
        )


def counted_slices(places: Iterable[tuple[int, int]], shape: Sequence[int], slice_axis: int) -> float:
    """The number of slices along the slice axis that a volume's labelled slices (axis, index) are worth."""
    labelled = [axis for axis, _ in places]
    if not labelled:
        return 0.0
    on_slices = 1 - prod(1 - labelled.count(axis) / n for axis, n in enumerate(shape))
    return min(len(labelled), on_slices * shape[slice_axis])
