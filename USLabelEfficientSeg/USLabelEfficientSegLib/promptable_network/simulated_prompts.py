"""Simulated drawings of an organ, and partly wrong opinions, to train the promptable network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..imaging.simulator.noise import smooth_noise
from .inputs import Prompts

Mask = NDArray[np.bool_]
Field = NDArray[np.float32]


def draw_prompts(rng: np.random.Generator, organ: Mask, *, has_prior: bool) -> Prompts:
    """Slices, strokes, clicks and limits of an organ (N, N, N), few of them and mostly near its middle."""
    drawn = np.where(organ, np.float32(1), np.float32(-1))
    told = np.zeros(organ.shape, np.bool_)
    count = int(rng.choice([0, 1, 2, 3, 4, 6], p=[0.28, 0.27, 0.18, 0.18, 0.05, 0.04]))
    parallel = int(rng.integers(3)) if rng.random() < 0.35 else None
    order = rng.permutation(3)
    for number in range(count):
        axis = parallel if parallel is not None else int(order[number % 3])
        _tell_slice(rng, organ, axis, drawn, told)
    if rng.random() < (0.8 if count == 0 else 0.15):
        told |= _painted(rng, organ)
    if rng.random() < (0.3 if count == 0 else 0.08):
        _tell_clicks(rng, organ, told, int(rng.integers(1, 6)))
    if rng.random() < 0.12:
        _tell_limits(rng, organ, told)
    if not told.any() and not has_prior:
        _tell_slice(rng, organ, int(rng.integers(3)), drawn, told)
    return Prompts(drawn * told, told.astype(np.float32))


def draw_prior(rng: np.random.Generator, organ: Mask) -> Field:
    """A corrupted copy of an organ, as a probability: shifted, scaled, deformed, with pieces missing or added."""
    size = organ.shape[0]
    extent = max(float(np.cbrt(np.count_nonzero(organ))), 3.0)
    worse = rng.choice([0.3, 1.0, 2.0])
    centre = np.array(ndimage.center_of_mass(organ))
    scale = np.exp(rng.normal(0, 0.06 * worse, 3))
    matrix = np.diag(1 / scale)
    offset = centre - matrix @ (centre + rng.normal(0, 0.06 * worse * extent, 3))
    smooth = ndimage.gaussian_filter(organ.astype(np.float32), max(0.4, rng.uniform(0, 0.09) * extent * worse))
    moved = ndimage.affine_transform(smooth, matrix, offset, order=1)
    cells = [int(n) for n in rng.integers(2, max(3, min(10, int(2 * size / extent) + 2)), 3)]
    bumps = smooth_noise(rng, organ.shape, (cells[0], cells[1], cells[2]))
    odds = np.float32(rng.uniform(3, 9)) * (moved - np.float32(0.5)) + np.float32(0.7 * worse * rng.random()) * bumps
    odds += np.float32(rng.normal(0, 0.4 * worse))
    return np.asarray(1 / (1 + np.exp(-odds)), dtype=np.float32)


def _tell_slice(rng: np.random.Generator, organ: Mask, axis: int, drawn: Field, told: Mask) -> None:
    """Label one slice, which is thicker than a voxel where the image's own slices are."""
    shown = np.flatnonzero(organ.any(axis=tuple(a for a in range(3) if a != axis)))
    middle, extent = (shown[0] + shown[-1]) / 2, shown[-1] - shown[0] + 1
    kind = rng.random()
    if kind < 0.7:
        place = rng.normal(middle, 0.13 * extent)
    elif kind < 0.92:
        place = rng.uniform(shown[0], shown[-1])
    else:
        place = rng.uniform(0, organ.shape[axis] - 1)
    centre = int(np.clip(round(place), 0, organ.shape[axis] - 1))
    thickness = int(rng.choice([1, 1, 1, 1, 2, 3]))
    first = max(centre - thickness // 2, 0)
    slab = slice(first, first + thickness)
    sides = np.moveaxis(drawn, axis, 0)
    sides[slab] = sides[centre]
    np.moveaxis(told, axis, 0)[slab] = True


def _painted(rng: np.random.Generator, organ: Mask) -> Mask:
    """Where strokes run: all over the organ or in one slice, thin or broad."""
    told = np.zeros(organ.shape, np.bool_)
    count = int(rng.integers(1, 14))
    if rng.random() < 0.6:
        draw_strokes(rng, organ, told, count)
    else:
        axis = int(rng.integers(3))
        sizes = np.moveaxis(organ, axis, 0).sum((1, 2))
        place = int(rng.choice(len(sizes), p=sizes**2 / (sizes**2).sum()))
        shown, marked = (np.moveaxis(field, axis, 0)[place : place + 1] for field in (organ, told))
        draw_strokes(rng, shown, marked, count, across=0)
    if rng.random() < 0.4:
        thin = int(rng.integers(3))
        broad = np.ones([1 if axis == thin else 3 for axis in range(3)], np.bool_)
        within, around = (ndimage.binary_dilation(told & side, broad) & side for side in (organ, ~organ))
        told = within | around
    return told


def draw_strokes(rng: np.random.Generator, organ: Mask, told: Mask, count: int, *, across: int | None = None) -> None:
    """Lines in slices across one axis or any, inside an organ (I, J, K) and around it; sets `told` where they run."""
    near = ndimage.binary_dilation(organ, iterations=int(rng.integers(2, 9))) & ~organ
    inside = np.argwhere(organ)
    outside = np.argwhere(near if near.any() else ~organ)
    size = np.array(organ.shape)
    for number in range(count):
        within = number == 0 or rng.random() < 0.5
        places = inside if within or not len(outside) else outside
        start = places[rng.integers(len(places))].astype(float)
        axis = int(rng.integers(3)) if across is None else across
        angle, turn = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.12)
        value = organ[tuple(start.astype(int))]
        for _ in range(int(rng.integers(3, 22))):
            spot = np.rint(start).astype(int)
            if (spot < 0).any() or (spot >= size).any() or organ[tuple(spot)] != value:
                break
            told[tuple(spot)] = True
            step = np.insert([np.cos(angle), np.sin(angle)], axis, 0.0)
            start, angle = start + step, angle + turn


def _tell_clicks(rng: np.random.Generator, organ: Mask, told: Mask, count: int) -> None:
    """Single spots, the first one inside."""
    inside, outside = np.argwhere(organ), np.argwhere(~organ)
    for number in range(count):
        places = inside if number == 0 or rng.random() < 0.5 or not len(outside) else outside
        i, j, k = places[rng.integers(len(places))]
        told[i, j, k] = True


def _tell_limits(rng: np.random.Generator, organ: Mask, told: Mask) -> None:
    """The slices just before the first and after the last one that show the organ, along one axis or all."""
    for axis in range(3) if rng.random() < 0.3 else [int(rng.integers(3))]:
        shown = np.flatnonzero(organ.any(axis=tuple(a for a in range(3) if a != axis)))
        sides = np.moveaxis(told, axis, 0)
        for place in (shown[0] - 1, shown[-1] + 1):
            if 0 <= place < organ.shape[axis]:
                sides[place] = True
