"""Which slices to label before any model can be asked: cuts through the middle of typical volumes, in all directions.

An organ that is imaged on purpose lies around the middle of the picture. A cut there shows its outline, a cut near
the edge often shows nothing; and since a slice tells nothing of the extent across it, the slice axes take turns. The
volumes are those that stand for most others (the k-medoids of `choose_slices`, with a volume for each slice), and
none is used twice before all are used once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .suggestion import choose_slices

_MIDDLE = 0.4  # share of the usable extent, around its centre, that slices are taken from
_GOLDEN = (5**0.5 - 1) / 2  # its multiples spread evenly over [0, 1), however many there are
Place = tuple[int, int]  # axis and index


@dataclass(frozen=True)
class Candidate:
    """A volume to choose slices of.

    Attributes:
        appearance: (E,) descriptor of the whole volume, see `slice_descriptors`.
        usable: for each slice axis that may be labelled (n,) which of its slices show enough.
        labelled: slices that are labelled already, as (axis, index).
    """

    appearance: NDArray[np.floating]
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
    chosen: list[tuple[int, Place]] = []
    while len(chosen) < count:
        free = [_free(volume, places) for volume, places in zip(volumes, taken, strict=True)]
        open_to_choice = np.array([bool(axes_left) for axes_left in free])
        if not open_to_choice.any():
            break
        used = np.array([len(places) for places in taken])
        fewest = open_to_choice & (used == used[open_to_choice].min())
        for number in _typical(volumes, fewest, used > 0, count - len(chosen), seed):
            turns = {axis: sum(axis == a for places in taken for a, _ in places) for axis in axes}
            axis = min(free[number], key=lambda a: (turns[a], a))
            index = _near_the_middle(free[number][axis], turns[axis])
            taken[number].add((axis, index))
            chosen.append((number, (axis, index)))
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


def _typical(
    volumes: Sequence[Candidate],
    among: NDArray[np.bool_],
    labelled: NDArray[np.bool_],
    count: int,
    seed: int,
) -> list[int]:
    """At most `count` volumes `among` which to choose, those that stand for most others first."""
    features = np.stack([volume.appearance for volume in volumes])
    choices = choose_slices(
        features, np.arange(len(volumes)), count, labelled=labelled & ~among, usable=among, seed=seed
    )
    return [choice.row for choice in choices]


def _near_the_middle(free: NDArray[np.integer], turn: int) -> int:
    """The free slice next to the place of this turn in the middle part of what is free."""
    share = 0.5 + _MIDDLE * ((0.5 + turn * _GOLDEN) % 1 - 0.5)
    target = free[0] + share * (free[-1] - free[0])
    return int(free[np.abs(free - target).argmin()])
