"""Bodies of random scenes: round, bent, lobed, tubular, hollow, scattered, as distances from their surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .noise import smooth_noise

Box = tuple[slice, slice, slice]
Field = NDArray[np.float32]
_MARGIN = 4  # voxels around a body in which its rim is painted


@dataclass(frozen=True)
class SceneShape:
    """A body in the box of the cube that holds it.

    Attributes:
        box: where in the cube.
        distance: about how many voxels from the surface, negative inside, on the voxels of the box.
        owned: which voxels the body is named by, if not all inside (the wall of a hollow organ).
    """

    box: Box
    distance: Field
    owned: NDArray[np.bool_] | None = None


def draw_shape(rng: np.random.Generator, size: int) -> SceneShape:
    """A random body somewhere in a cube of `size` voxels an axis."""
    kind = rng.choice(
        ["round", "lobed", "bent", "tube", "hollow", "scattered", "tiny"],
        p=[0.48, 0.13, 0.12, 0.08, 0.07, 0.04, 0.08],
    )
    half = size / 2
    radius = half * np.exp(rng.uniform(np.log(0.16), np.log(0.85)))
    if kind == "tiny":
        radius = half * rng.uniform(0.07, 0.16)
    centre = rng.normal(0, 0.38, 3).clip(-1, 1) * (half - 0.3 * radius) + half
    stretch = np.exp(rng.normal(0, 0.3, 3))
    axes = radius * stretch / np.cbrt(stretch.prod())
    turn = random_rotation(rng)
    if kind == "tube":
        axes = np.array([half * rng.uniform(0.7, 2.0), *(half * rng.uniform(0.07, 0.25) * rng.uniform(0.8, 1.25, 2))])
    if kind == "bent":
        axes = axes * np.array([1.5, 0.8, 0.8])
    balls = [(centre, axes)]
    if kind in ("lobed", "scattered"):
        spread = 0.8 if kind == "lobed" else 1.8
        for _ in range(int(rng.integers(1, 4)) if kind == "lobed" else int(rng.integers(2, 7))):
            offset = turn @ (rng.normal(0, 1, 3) * axes * spread / 1.7)
            balls.append((centre + offset, axes * rng.uniform(0.4, 1.0)))
    reach = max(float(np.max(a)) for _, a in balls) * 1.45 + _MARGIN
    box = _box(np.array([c for c, _ in balls]), reach, size)
    points: Field = np.stack(np.meshgrid(*(np.arange(s.start, s.stop, dtype=np.float32) for s in box), indexing="ij"))
    exponent = np.exp(rng.normal(np.log(2.2), 0.25)).clip(1.5, 4.5)
    bend = rng.uniform(0.5, 1.4) if kind == "bent" else rng.normal(0, 0.12)
    if kind == "tube":
        bend = rng.normal(0, 0.5) * 4
    distance = _distance(points, balls, turn, exponent, bend, joined=rng.uniform(0.1, 0.5))
    bumps = abs(rng.normal(0, 0.1)) * min(float(min(axes)), half)
    cells = [int(c) for c in rng.integers(1, 5, 3)]
    distance += np.float32(bumps) * smooth_noise(rng, distance.shape, (cells[0], cells[1], cells[2]))
    if kind != "hollow":
        return SceneShape(box, distance)
    wall = max(1.5, radius * rng.uniform(0.12, 0.4))
    shell = np.abs(distance + np.float32(wall / 2)) - np.float32(wall / 2)
    if rng.random() < 0.5:  # the wall is the organ
        return SceneShape(box, shell)
    return SceneShape(box, shell, distance < 0)  # the wall and all inside is the organ, as a bladder with its wall


def random_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """A rotation (3, 3), uniform over all: from a random unit quaternion."""
    w, x, y, z = (q := rng.standard_normal(4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _distance(
    points: Field,
    balls: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    turn: NDArray[np.float64],
    exponent: float,
    bend: float,
    *,
    joined: float,
) -> Field:
    """About the distance in voxels to a smooth union of superellipsoids, each bent along its first axis."""
    union: Field | None = None
    for centre, axes in balls:
        offset = points - centre.astype(np.float32)[:, None, None, None]
        q = np.tensordot((turn.T / axes[:, None]).astype(np.float32), offset, 1)
        q[1] += np.float32(bend * axes[0] / axes[1] * 0.5) * (q[0] ** 2 - np.float32(0.3))
        power = np.float32(exponent)
        level = (np.abs(q) ** power).sum(axis=0) ** (1 / power)
        here = (level - 1) * np.float32(np.min(axes) ** 0.5 * np.cbrt(np.prod(axes)) ** 0.5)
        if union is None:
            union = here
        else:  # smooth minimum, so that lobes merge
            softness = np.float32(max(joined * float(np.min(axes)), 0.5))
            union = -softness * np.logaddexp(-union / softness, -here / softness)
    assert union is not None
    return np.asarray(union, dtype=np.float32)


def _box(centres: NDArray[np.float64], reach: float, size: int) -> Box:
    low = np.clip(np.floor(centres.min(axis=0) - reach), 0, size - 4).astype(int)
    high = np.clip(np.ceil(centres.max(axis=0) + reach) + 1, low + 4, size).astype(int)
    return (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
