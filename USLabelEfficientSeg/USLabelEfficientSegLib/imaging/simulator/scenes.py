"""Random scenes that look like ultrasound: organs of any shape anywhere, for a network that is to know organs as such.

The phantoms beside this file imitate one kind of anatomy and one way to scan it. Scenes imitate nothing: shapes,
arrangements, tissues, speckle, shadows and gain are drawn so widely that a real scan is one more sample (domain
randomisation, Tobin et al., arXiv 1703.06907; for medical images Billot et al., arXiv 2107.09559).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .noise import smooth_noise
from .scene_shapes import Box, SceneShape, draw_shape

Field = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """A cube of an image and the bodies in it.

    Attributes:
        image: (N, N, N) float32 from 0 to 1.
        bodies: (N, N, N) uint8, 0 background, n the n-th body; what lies inside a body belongs to it.
        count: how many bodies were drawn; some may be hidden by later ones.
        echo: (N, N, N) float32, how strongly the tissue scatters in dB: the scene before sound goes through it.
    """

    image: Field
    bodies: NDArray[np.uint8]
    count: int
    echo: Field


def draw_scene(rng: np.random.Generator, size: int = 48) -> Scene:
    """A random scene of `size` voxels an axis, the first axis running away from the probe or not."""
    shape = (size, size, size)
    echo, rims = _surroundings(rng, shape)
    bodies = np.zeros(shape, np.uint8)
    weakening = np.zeros(shape, np.float32)
    level_of_first = rng.normal(0, 9)
    count = int(rng.integers(1, 8))
    for number in range(1, count + 1):
        body = draw_shape(rng, size)
        same_texture = number > 1 and rng.random() < 0.25
        level = level_of_first + rng.normal(0, 1.5) if same_texture else rng.normal(0, 9)
        if number == 1:
            level_of_first = level
        _paint(rng, body, level, number, echo, rims, bodies, weakening)
    seen = _insonified(rng, echo, rims, weakening)
    image = _displayed(rng, seen)
    return Scene(image, bodies, count, echo)


def _surroundings(rng: np.random.Generator, shape: tuple[int, int, int]) -> tuple[Field, Field]:
    """Echo level in dB of the tissue around bodies, and the echo of its interfaces: fields, layers and strands."""
    echo = np.zeros(shape, np.float32)
    rims = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        cells = tuple(int(n) for n in rng.integers(1, 14, 3))
        echo += np.float32(abs(rng.normal(0, 5))) * smooth_noise(rng, shape, (cells[0], cells[1], cells[2]))
    if rng.random() < 0.5:  # layers: the levels of a field that grows along one axis
        axis = int(rng.integers(3))
        ramp = np.linspace(0, rng.uniform(2, 8), shape[0], dtype=np.float32)
        field = np.float32(rng.uniform(0.1, 0.8)) * smooth_noise(rng, shape, (3, 3, 3))
        field += ramp.reshape([-1 if a == axis else 1 for a in range(3)])
        echo += np.float32(rng.uniform(2, 10)) * np.sin(np.float32(2.2) * field)
        rims += np.float32(rng.uniform(0, 1.5)) * np.exp(-((np.sin(field) / np.float32(0.12)) ** 2))
    if rng.random() < 0.4:  # strands: the zero level of a smooth field is a set of thin sheets
        cells = tuple(int(n) for n in rng.integers(2, 9, 3))
        sheets = np.exp(-((smooth_noise(rng, shape, (cells[0], cells[1], cells[2])) / np.float32(0.12)) ** 2))
        echo += np.float32(rng.uniform(-8, 12)) * sheets
    return echo, rims


def _paint(
    rng: np.random.Generator,
    body: SceneShape,
    level: float,
    number: int,
    echo: Field,
    rims: Field,
    bodies: NDArray[np.uint8],
    weakening: Field,
) -> None:
    """Put a body over what is there: its echo and texture, its inside, its rim, what it does to the sound."""
    box: Box = body.box
    distance = body.distance  # in voxels, negative inside
    inside = np.clip(np.float32(0.5) - distance / np.float32(rng.choice([1.0, 1.0, 2.0, 4.0])), 0, 1)
    own = np.full(distance.shape, level, np.float32)
    own += np.float32(abs(rng.normal(0, 2.5))) * smooth_noise(rng, distance.shape, _cells(rng, 2, 9))
    if rng.random() < 0.4:  # a core, or a zone that lies to one side
        depth = np.float32(rng.uniform(0.2, 0.8)) * distance.min()
        softness = np.float32(rng.uniform(0.5, 3))
        core = 1 / (1 + np.exp(np.clip((distance - depth) / softness, -30, 30)))
        own += np.float32(rng.normal(0, 7)) * core
    if rng.random() < 0.3:  # spots: cysts, calcifications, vessels
        spots = smooth_noise(rng, distance.shape, _cells(rng, 4, 12))
        own += np.float32(rng.normal(0, 10)) * (spots > rng.uniform(1.2, 2.2))
    echo[box] += inside * (own - echo[box])
    rims[box] *= 1 - inside
    if rng.random() < 0.6:
        thickness = np.float32(rng.uniform(0.5, 2.0))
        rim = np.exp(-((distance / thickness) ** 2))
        if rng.random() < 0.6:  # brightest where the surface faces the sound
            slope = np.gradient(distance, axis=0) if min(distance.shape) > 1 else np.ones_like(distance)
            rim = rim * np.clip(np.abs(slope), 0, 1) ** np.float32(rng.uniform(1, 6))
        strength = np.float32(rng.uniform(-9, 14))
        echo[box] += strength * rim
    weakening[box] += inside * np.float32(rng.choice([0.0, 0.0, 1.0, 3.0]) * rng.normal(0, 0.12))
    if body.owned is None:
        bodies[box][distance < 0] = number
    else:
        bodies[box][body.owned] = number


def _insonified(rng: np.random.Generator, echo: Field, rims: Field, weakening: Field) -> Field:
    """Amplitude of what comes back: attenuation and shadows along the beams, speckle, clutter, noise."""
    depth = np.linspace(0, 1, echo.shape[0], dtype=np.float32)[:, None, None]
    level = echo - np.cumsum(weakening, axis=0) + np.float32(rng.normal(0, 6)) * depth
    if rng.random() < 0.25:  # shadows of ribs, gas and poor contact
        lateral = smooth_noise(rng, (1, *echo.shape[1:]), (1, *_cells(rng, 2, 9)[1:]))
        start = np.float32(rng.uniform(-0.2, 0.8)) * (depth > rng.uniform(-0.3, 0.6))
        level = level - np.float32(rng.uniform(4, 25)) * np.clip(lateral - 0.8, 0, 1.5) * (start + 1) * depth
    amplitude = np.power(np.float32(10), level * np.float32(1 / 20))
    amplitude += rims
    if rng.random() < 0.85:
        widths = np.exp(rng.uniform(np.log(0.35), np.log(2.2), 3))
        noise = rng.standard_normal((2, *echo.shape), dtype=np.float32)
        noise = _blurred(noise, widths, unit_power=True)
        speckle = np.hypot(noise[0], noise[1]) * np.float32(np.sqrt(0.5) / 0.886)
        share = np.float32(rng.uniform(0.3, 1))
        amplitude *= share * speckle + (1 - share)
    amplitude += np.float32(10 ** rng.uniform(-2.5, -0.7)) * np.float32(np.mean(amplitude))
    return amplitude


def _displayed(rng: np.random.Generator, amplitude: Field) -> Field:
    """What a screen shows of amplitudes: log compression, blur, gain, gamma, sector, grey levels, noise."""
    decibel = np.float32(20) * np.log10(amplitude + np.float32(1e-4))
    if rng.random() < 0.15:
        decibel = amplitude  # not compressed, as some exports are
    if rng.random() < 0.7:
        decibel = _blurred(decibel, np.exp(rng.uniform(np.log(0.25), np.log(2.0))) * rng.uniform(0.6, 1.5, 3))
    if rng.random() < 0.4:  # thick slices along one axis
        widths = np.full(3, 0.2)
        widths[rng.integers(3)] = rng.uniform(0.8, 3)
        decibel = _blurred(decibel, widths)
    sample = decibel.ravel()[::7]
    low, high = np.percentile(sample, [rng.uniform(0, 8), rng.uniform(93, 100)])
    image = np.clip((decibel - low) / max(high - low, 1e-3), 0, 1) ** np.float32(np.exp(rng.normal(0, 0.35)))
    if rng.random() < 0.12:
        image = 1 - image
    if rng.random() < 0.3:
        image += np.float32(rng.uniform(0.01, 0.12)) * rng.standard_normal(image.shape, dtype=np.float32)
    if rng.random() < 0.4:
        image = image * _sector(rng, image.shape[0])
    return np.asarray(np.clip(image, 0, 1), dtype=np.float32)


def _sector(rng: np.random.Generator, size: int) -> Field:
    """1 inside a cone, a cylinder of a sector, or a cut box; 0 outside."""
    x = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / size
    depth, across = x[:, None] + np.float32(rng.uniform(0, 0.6)), x[None, :] - np.float32(0.5)
    angle = np.abs(np.arctan2(across, depth)) < rng.uniform(0.35, 1.2)
    reach = np.hypot(depth, across) < depth[-1, 0] * rng.uniform(0.95, 1.3)
    fan = (angle & reach).astype(np.float32)
    kind = rng.integers(3)
    if kind == 0:
        return fan[:, :, None]
    if kind == 1:
        return fan[:, :, None] * fan[:, None, :]
    margins = rng.integers(0, max(2, size // 6), 2)
    mask = np.zeros((1, 1, size), np.float32)
    mask[..., margins[0] : size - margins[1]] = 1
    return mask


def _blurred(field: Field, widths: NDArray[np.float64], *, unit_power: bool = False) -> Field:
    """The last three axes under Gaussians of so many voxels; with `unit_power` white noise keeps its variance."""
    result = field
    for axis, width in enumerate(widths):
        n = field.shape[axis - 3]
        kernel = np.exp(-0.5 * ((np.arange(n)[:, None] - np.arange(n)) / max(float(width), 0.2)) ** 2)
        kernel /= np.linalg.norm(kernel, axis=1, keepdims=True) if unit_power else kernel.sum(axis=1, keepdims=True)
        result = _along(result, kernel.astype(np.float32), axis)
    return result


def _along(field: Field, matrix: Field, axis: int) -> Field:
    if axis == 2:
        return np.asarray(field @ matrix.T)
    if axis == 1:
        return np.asarray(matrix @ field)
    flat = field.reshape(*field.shape[:-3], field.shape[-3], -1)
    return np.asarray((matrix @ flat).reshape(field.shape))


def _cells(rng: np.random.Generator, low: int, high: int) -> tuple[int, int, int]:
    first, second, third = (int(n) for n in rng.integers(low, high, 3))
    return first, second, third
