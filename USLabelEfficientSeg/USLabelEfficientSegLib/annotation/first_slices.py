"""Which slices to label before any model can be asked: cuts through the middle of random volumes, in all directions.

An organ that is imaged on purpose lies around the middle of the picture. A cut there shows its outline, a cut near
the edge often shows nothing; and since a slice tells nothing of the extent across it, the slice axes take turns. The
volumes are drawn at random, none twice before all are drawn once: typical ones would teach as much about the mean, but
too little about the spread of sizes, by which intervals are calibrated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

_MIDDLE = 0.4  # share of the usable extent, around its centre, that slices are taken from
_GOLDEN = (5**0.5 - 1) / 2  # its multiples spread evenly over [0, 1), however many there are
Place = tuple[int, int]  # axis and index


@dataclass(frozen=True)
class Candidate:
    """A volume to choose slices of.

    Attributes:
        usable: for each slice axis that may be labelled (n,) which of its slices show enough.
        labelled: slices that are labelled already, as (axis, index).
    """

    usable: dict[int, NDArray[np.bool_]]
    labelled: Sequence[Place]


def choose_first_slices(volumes: Sequence[Candidate], count: int, *, seed: int = 0) -> list[tuple[int, Place]]:
    """Choose slices to label as (volume, (axis, index)), the first first; fewer if there are not so many.

    Asked again after some of them are labelled, it goes on where it was: axes and places continue their turns.

    Raises:
        InputError: a count below 1, or nothing left to choose.
    """
    if count < 1:
        raise InputError(f"count {count}", "is not at least 1", "ask for one slice or more")
    taken = [set(volume.labelled) for volume in volumes]
    axes = sorted({axis for volume in volumes for axis in volume.usable})
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
        place = axis, _near_the_middle(free[number][axis], turns[axis])
        taken[number].add(place)
        chosen.append((number, place))
    if not chosen:
        raise InputError("suggestion", "has no slice left: all that show something are labelled", "train with them")
    return chosen


def _free(volume: Candidate, taken: set[Place]) -> dict[int, NDArray[np.integer]]:
    """Usable unlabelled slices of each axis that has any."""
    free: dict[int, NDArray[np.integer]] = {}
    for axis, usable in volume.usable.items():
        left = usable.copy()
        left[[index for a, index in taken if a == axis]] = False
        if left.any():
            free[axis] = np.flatnonzero(left)
    return free


def _near_the_middle(free: NDArray[np.integer], turn: int) -> int:
    """The free slice next to the place of this turn in the middle part of what is free."""
    share = 0.5 + _MIDDLE * ((0.5 + turn * _GOLDEN) % 1 - 0.5)
    target = free[0] + share * (free[-1] - free[0])
    return int(free[np.abs(free - target).argmin()])
