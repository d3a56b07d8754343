"""Which slices to label next: cuts in all directions through the middle of random volumes.

A slice tells nothing of the extent across it, so the slice axes take turns. Volumes are drawn at random, none twice
before all are drawn once. Typical volumes would teach as much about the mean, but too little about the spread of sizes,
which calibrates intervals. Volumes that a model is most unsure of taught less where it was tried (docs/results.md).

A volume is cut in the middle of the worth of its slices. Before there is a model all slices are worth the same, because
an organ that is imaged on purpose lies around the middle; later a slice is worth as much as the model finds of the
organs. Cuts are spread around the middle by multiples of the golden ratio, which fill [0, 1) evenly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

_GOLDEN = (5**0.5 - 1) / 2
_MIDDLE = 0.4  # share of the worth, around its middle, that slices are taken from
Place = tuple[int, int]  # axis and index


@dataclass(frozen=True)
class Candidate:
    """A volume to choose slices of.

    Attributes:
        worth: for each slice axis that may be labelled (n,) the worth of its slices, 0 where a slice is not usable.
        labelled: slices that are labelled already, as (axis, index).
    """

    worth: dict[int, NDArray[np.floating]]
    labelled: Sequence[Place]


def choose_slices(volumes: Sequence[Candidate], count: int, *, seed: int = 0) -> list[tuple[int, Place]]:
    """Choose slices to label as (volume, (axis, index)), the first first; fewer if there are not so many.

    Called again after some of them are labelled, it goes on where it was: axes and places continue their turns.

    Args:
        volumes: what to choose from.
        count: how many.
        seed: of the order of the volumes.

    Raises:
        InputError: a count below 1, or nothing left to choose.
    """
    if count < 1:
        raise InputError(f"count {count}", "is not at least 1", "ask for one slice or more")
    taken = [set(volume.labelled) for volume in volumes]
    axes = sorted({axis for volume in volumes for axis in volume.worth})
    order = np.random.default_rng(seed).permutation(len(volumes))
    chosen: list[tuple[int, Place]] = []
    while len(chosen) < count:
        free = [_free(volume, places) for volume, places in zip(volumes, taken, strict=True)]
        left = [int(number) for number in order if free[number]]
        if not left:
            break
        number = min(left, key=lambda n: len(taken[n]))  # of those the first in the random order
        turns = {axis: sum(axis == a for places in taken for a, _ in places) for axis in axes}
        axis = min(free[number], key=lambda a: (turns[a], a))
        share = 0.5 + _MIDDLE * ((0.5 + turns[axis] * _GOLDEN) % 1 - 0.5)
        place = axis, _with_worth_before(free[number][axis], volumes[number].worth[axis], share)
        taken[number].add(place)
        chosen.append((number, place))
    if not chosen:
        raise InputError("suggestion", "has no slice left: all that show something are labelled", "train with them")
    return chosen


def _free(volume: Candidate, taken: set[Place]) -> dict[int, NDArray[np.integer]]:
    """Usable unlabelled slices of each axis that has any."""
    free: dict[int, NDArray[np.integer]] = {}
    for axis, worth in volume.worth.items():
        left = worth > 0
        left[[index for a, index in taken if a == axis]] = False
        if left.any():
            free[axis] = np.flatnonzero(left)
    return free


def _with_worth_before(free: NDArray[np.integer], worth: NDArray[np.floating], share: float) -> int:
    """The free slice next to where this share of the free slices' worth lies before it."""
    mean = (worth[free][1:] + worth[free][:-1]) / 2
    before = np.concatenate([[0.0], np.cumsum(np.diff(free) * mean)])  # by trapezoids
    target = np.interp(share * before[-1], before, free)
    return int(free[np.abs(free - target).argmin()])
