"""Which slices to label next: those that stand for most of what is still unlabelled.

Slices are points x_i of a feature space, described by what they show, by their volume and by their place in it. A set
S of labelled slices leaves slice i at the distance d_i(S) = min_{s in S} |x_i - x_s| from the nearest label, and the
slices to label next are those that reduce

    sum_i w_i d_i(S)

most: the k-medoids (facility location) criterion, by greedy choice, which is near optimal for it (Nemhauser, Wolsey &
Fisher, Mathematical Programming 1978), and a few exchanges where they help (PAM, Kaufman & Rousseeuw 1990). Typical
slices come first, since they are close to many, and different ones follow: what is close to a label gains nothing.
Without a model all w_i are equal; with one, w_i is its uncertainty about the slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..errors import InputError

MOST_REPRESENTED = 2000  # slices that the sum runs over: a random sample tells the same
MOST_CANDIDATES = 8000  # slices to choose among: of more, neighbours are alike
_EXCHANGES = 200  # tried at most, in whole rounds over the chosen slices
_MOST_ROUNDS = 10
_LEAST_WEIGHT = 0.05  # of the mean: even a sure model may be wrong

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Choice:
    """A slice to label: its row in the features, and the share of all slices that it is the nearest label of."""

    row: int
    share: float


def choose_slices(
    features: Floats,
    volumes: NDArray[np.integer],
    count: int,
    *,
    labelled: NDArray[np.bool_],
    usable: NDArray[np.bool_],
    uncertainty: Floats | None = None,
    seed: int = 0,
) -> list[Choice]:
    """Choose slices to label, most useful first, from different volumes as far as there are enough.

    A volume is chosen from again only when no other has fewer labelled and chosen slices.

    Args:
        features: (N, D) a point for each slice.
        volumes: (N,) number of each slice's volume.
        count: slices to choose, fewer if there are not so many.
        labelled: (N,) slices that are labelled already; never chosen.
        usable: (N,) slices that show enough to be worth labelling; others are never chosen.
        uncertainty: (N,) of a model about each slice, at least 0; None: all slices count alike.
        seed: of the samples of slices to represent and to choose among, where there are more than 2,000 and 8,000.

    Raises:
        InputError: a count below 1, or nothing left to choose.
    """
    if count < 1:
        raise InputError(f"count {count}", "is not at least 1", "ask for one slice or more")
    candidates: NDArray[np.integer] = np.flatnonzero(usable & ~labelled)
    if not len(candidates):
        raise InputError("suggestion", "has no slice left: all that show something are labelled", "train with them")
    count = min(count, len(candidates))
    random = np.random.default_rng(seed)
    shown = _sample(np.flatnonzero(usable), MOST_REPRESENTED, random)
    candidates = _sample(candidates, max(MOST_CANDIDATES, count), random)
    weight = np.ones(len(shown), dtype=np.float32) if uncertainty is None else _weights(uncertainty[shown])

    distance = _distances(features[shown], features[candidates])
    start = np.full(len(shown), distance.max() + 1.0, dtype=np.float32)
    if labelled.any():
        start = cKDTree(features[labelled]).query(features[shown])[0].astype(np.float32)
    taken = np.bincount(volumes[labelled], minlength=int(volumes.max()) + 1)
    chosen: list[int] = []
    for _ in range(count):
        chosen.append(_best(distance, start, weight, volumes[candidates], taken, chosen))
    for _ in range(min(_MOST_ROUNDS, _EXCHANGES // count)):
        before = list(chosen)
        for place in range(count):
            others = chosen[:place] + chosen[place + 1 :]
            chosen[place] = _best(distance, start, weight, volumes[candidates], taken, others, chosen[place])
        if chosen == before:
            break
    return _ranked(distance[:, chosen], start, weight, candidates[chosen])


def _sample(rows: NDArray[np.integer], most: int, random: np.random.Generator) -> NDArray[np.integer]:
    return rows if len(rows) <= most else np.sort(random.choice(rows, most, replace=False))


def _weights(uncertainty: Floats) -> NDArray[np.float32]:
    mean = max(float(uncertainty.mean()), 1e-12)
    return np.maximum(uncertainty / mean, _LEAST_WEIGHT).astype(np.float32)


def _best(
    distance: Floats,
    start: Floats,
    weight: Floats,
    volumes: NDArray[np.integer],
    taken: NDArray[np.integer],
    others: Sequence[int],
    current: int | None = None,
) -> int:
    """The candidate that, beside `others`, leaves the smallest weighted sum; `current` unless one is better."""
    nearest = np.minimum(start, distance[:, list(others)].min(axis=1)) if others else start
    gain = weight @ np.maximum(nearest[:, None] - distance, 0)
    counts = (taken + np.bincount(volumes[list(others)], minlength=len(taken)))[volumes].astype(float)
    counts[list(others)] = np.inf
    allowed = counts == counts.min()
    best = int(np.where(allowed, gain, -np.inf).argmax())
    better = current is None or not allowed[current] or gain[best] > gain[current] * (1 + 1e-6)
    return best if better or current is None else current


def _ranked(distance: Floats, start: Floats, weight: Floats, rows: NDArray[np.integer]) -> list[Choice]:
    """The chosen slices by the gain that each brings after those before it."""
    left, order, nearest = list(range(len(rows))), list[int](), start
    while left:
        gains = weight @ np.maximum(nearest[:, None] - distance[:, left], 0)
        order.append(left.pop(int(gains.argmax())))
        nearest = np.minimum(nearest, distance[:, order[-1]])
    owner = distance.argmin(axis=1)
    nearer = distance.min(axis=1) < start
    shares = np.bincount(owner[nearer], minlength=len(rows)) / len(distance)
    return [Choice(int(rows[place]), float(shares[place])) for place in order]


def _distances(points: Floats, others: Floats) -> NDArray[np.float32]:
    """Euclidean distances (N, M) between the rows of (N, D) and (M, D)."""
    squared = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None] - 2 * points @ others.T
    return np.sqrt(np.maximum(squared, 0)).astype(np.float32)
