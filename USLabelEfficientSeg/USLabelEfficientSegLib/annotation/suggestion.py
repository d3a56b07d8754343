"""Which slices to label next: cuts in all directions through the middle of random volumes.

A slice tells nothing of the extent across it, so the slice axes take turns. Volumes are drawn at random, none twice
before all are drawn once. Typical volumes would teach as much about the mean, but too little about the spread of sizes,
which calibrates intervals. Volumes that a model is most unsure of taught less where it was tried (docs/results.md).

A volume is cut in the middle of the worth of its slices. Before there is a model all slices are worth the same, because
an organ that is imaged on purpose lies around the middle; later a slice is worth as much as the model finds of the
organs. Cuts are spread around the middle by multiples of the golden ratio, which fill [0, 1) evenly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..text.counting import counted_of

_GOLDEN = (5**0.5 - 1) / 2
_MIDDLE = 0.4  # share of the worth, around its middle, that slices are taken from
Place = tuple[int, int]  # axis and index


class Choosable(Protocol):
    """A volume to choose slices of."""

    @property
    def worth(self) -> dict[int, NDArray[np.floating]]:
        """For each slice axis that may be labelled (n,) the worth of its slices, 0 where a slice is not usable."""

    @property
    def labelled(self) -> Sequence[Place]:
        """Slices that are labelled already, as (axis, index)."""


@dataclass(frozen=True)
class Candidate:
    """A volume whose slices are known, see `Choosable`."""

    worth: dict[int, NDArray[np.floating]]
    labelled: Sequence[Place]


def choose_slices(volumes: Sequence[Choosable], count: int, *, seed: int = 0) -> list[tuple[int, Place]]:
    """Choose slices to label as (volume, (axis, index)), the first first; fewer if there are not so many.

    Called again after some of them are labelled, it goes on where it was: axes and places continue their turns. Only
    volumes whose turn it is are asked for the worth of their slices.

    Args:
        volumes: what to choose from.
        count: how many.
        seed: of the order of the volumes.

    Raises:
        InputError: a count below 1, or nothing left to choose.
    """
    if count < 1:
        raise InputError(f"count {count}", "is not at least 1", "ask for one slice or more")
    found = islice(_choices(volumes, seed), count)
    chosen = list(counted_of(found, count, "looking through volumes"))
    if not chosen:
        raise InputError("suggestion", "has no slice left: all that show something are labelled", "train with them")
    return chosen


def _choices(volumes: Sequence[Choosable], seed: int) -> Iterator[tuple[int, Place]]:
    """Slices as long as there are any."""
    taken = [set(volume.labelled) for volume in volumes]
    order = np.random.default_rng(seed).permutation(len(volumes)).tolist()
    while True:
        turn = sorted(order, key=lambda n: len(taken[n]))  # of those with as many the first in the random order
        left = ((n, free) for n in turn if (free := _free(volumes[n], taken[n])))
        number, free = next(left, (-1, {}))
        if not free:
            return
        turns = Counter(axis for places in taken for axis, _ in places)
        axis = min(free, key=lambda a: (turns[a], a))
        share = 0.5 + _MIDDLE * ((0.5 + turns[axis] * _GOLDEN) % 1 - 0.5)
        place = axis, _with_worth_before(free[axis], volumes[number].worth[axis], share)
        taken[number].add(place)
        yield number, place


def _free(volume: Choosable, taken: set[Place]) -> dict[int, NDArray[np.integer]]:
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
