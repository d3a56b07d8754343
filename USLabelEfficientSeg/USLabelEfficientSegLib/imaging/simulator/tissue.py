"""Anatomy sampled along the beams: echo amplitude of scatterers, echo of interfaces, attenuation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .anatomy import Anatomy, Body, Vessel
from .beams import BeamGrid
from .noise import smooth_noise

WALL = 0.006  # thickness of interfaces, fraction of the imaged depth


@dataclass
class TissueMaps:
    """What each sample (depth, lateral, elevation) does to the sound; painted in place, body over body.

    ``echo_db``: level of the diffuse echo; ``interface``: amplitude of the specular echo (1 = reference
    tissue); ``attenuation``: one-way, dB / (cm MHz).
    """

    echo_db: np.ndarray
    interface: np.ndarray
    attenuation: np.ndarray


def sample_anatomy(anatomy: Anatomy, grid: BeamGrid, rng: np.random.Generator) -> TissueMaps:
    """Tissue maps of an anatomy on a beam grid; ``rng`` draws the texture within tissues."""
    points = grid.points()
    beams = np.broadcast_to(grid.directions(), points.shape)
    maps = paint_layers(anatomy, grid, rng)
    texture = smooth_noise(rng, grid.shape, (22, 12, 10))
    for vessel in anatomy.vessels:
        paint_vessel(maps, vessel, points, WALL * grid.sector.depth)
    for body in (*anatomy.decoys, *anatomy.bones, *anatomy.organs):
        paint_body(maps, body, points, beams, texture, WALL * grid.sector.depth)
    return maps


def paint_layers(anatomy: Anatomy, grid: BeamGrid, rng: np.random.Generator) -> TissueMaps:
    """Layers with undulating bright boundaries, strands of connective tissue and striated muscle."""
    shape = grid.shape
    depth = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None, None]
    texture = smooth_noise(rng, shape, (6, 5, 4)) + np.float32(0.7) * smooth_noise(rng, shape, (22, 14, 10))
    # Strands: the zero level of a smooth field is a set of thin, connected sheets; flat ones near the probe.
    strands = np.exp(-((smooth_noise(rng, shape, (34, 4, 4)) / np.float32(0.16)) ** 2))
    sheets = np.exp(-((smooth_noise(rng, shape, (9, 6, 5)) / np.float32(0.08)) ** 2))
    sheets *= np.clip(smooth_noise(rng, shape, (18, 12, 10)), 0, 2)
    maps = TissueMaps(*(np.zeros(shape, np.float32) for _ in range(3)))
    top = np.full((1, *shape[1:]), -np.inf, np.float32)
    for number, layer in enumerate(anatomy.layers):
        bottom = np.float32(layer.bottom) + np.float32(layer.undulation) * smooth_noise(rng, (1, *shape[1:]), (1, 4, 3))
        inside = (depth >= top) & (depth < bottom)
        superficial = number < 3
        lines = 11 * strands if superficial else 3 * sheets
        level = layer.tissue.echo_db + layer.tissue.texture_db * texture + lines
        np.copyto(maps.echo_db, level, where=inside)
        np.copyto(maps.attenuation, np.float32(layer.tissue.attenuation), where=inside)
        if not superficial:
            maps.interface += sheets * inside * np.float32(10 ** (11 / 20))
        # Boundaries fade in and out with their orientation and with what lies on the two sides.
        strength = layer.tissue.surface_db + 7 * smooth_noise(rng, (1, *shape[1:]), (1, 9, 7))
        profile = np.exp(-(((depth - bottom) / np.float32(0.7 * WALL)) ** 2))
        if np.isfinite(layer.bottom):
            maps.interface += profile * 10 ** (strength / np.float32(20))
        top = bottom
    return maps


def paint_vessel(maps: TissueMaps, vessel: Vessel, points: np.ndarray, wall: float) -> None:
    """An anechoic tube with an echoing wall."""
    first, second = (axis for axis in range(3) if axis != vessel.axis)
    along = points[..., vessel.axis]
    position = 2 * along / along.max() - 1
    middle = np.polynomial.polynomial.polyval(position, vessel.path.astype(np.float32))
    distance = np.hypot(points[..., first] - middle[0], points[..., second] - middle[1])
    distance -= np.float32(vessel.radius)
    lumen = distance < 0
    maps.echo_db[lumen] = -34.0
    maps.attenuation[lumen] = 0.1
    maps.interface[lumen] = 0.0
    rim = (distance >= 0) & (distance < 1.5 * wall)
    maps.echo_db[rim] += 8.0


def paint_body(
    maps: TissueMaps, body: Body, points: np.ndarray, beams: np.ndarray, texture: np.ndarray, wall: float
) -> None:
    """A body with its texture, core and surface, which echoes most where beams meet it at right angles."""
    where = np.nonzero(body.shape.near(points, 3 * wall))
    here, tissue = points[where], body.tissue
    level = body.shape.level(here)
    distance = body.shape.distance(here, level)
    inside = level < 1
    core = tissue.core_db * np.float32(0.5) * (1 - np.tanh((level - np.float32(0.6)) / np.float32(0.1)))
    echo_db = tissue.echo_db + tissue.texture_db * texture[where] + core
    maps.echo_db[where] = np.where(inside, echo_db, maps.echo_db[where])
    maps.attenuation[where] = np.where(inside, np.float32(tissue.attenuation), maps.attenuation[where])
    # A surface is rough as well as smooth: part of its echo comes back at any angle.
    facing = np.float32(0.12) + np.float32(0.88) * body.shape.incidence(here, beams[where]) ** 6
    surface = 10 ** (tissue.surface_db / 20) * facing * np.exp(-((distance / np.float32(wall)) ** 2))
    maps.interface[where] = np.where(inside, 0, maps.interface[where]) + surface.astype(np.float32)
