"""Random anatomy: labelled organs of exactly known volume among layers, vessels, bone and decoys.

Every subject has the same organs in the same rough arrangement; size, pose and shape vary. Positions
and semi-axes are fractions of the image's extent (lateral, depth, elevation) until a body is built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.spatial.transform import Rotation

from .beams import Sector
from .shapes import Shape, StarShape, separated


@dataclass(frozen=True)
class Tissue:
    """Acoustic properties; echo levels in dB relative to reference soft tissue.

    ``attenuation`` is one-way, in dB / (cm MHz); ``texture_db`` the slow variation of the echo level;
    ``surface_db`` the echo of the surface at normal incidence; ``core_db`` is added to the echo in the core.
    """

    echo_db: float
    attenuation: float = 0.5
    texture_db: float = 1.5
    surface_db: float = 0.0
    core_db: float = 0.0


@dataclass(frozen=True)
class Body:
    """A named body of one tissue."""

    name: str
    shape: Shape
    tissue: Tissue


@dataclass(frozen=True)
class Layer:
    """Tissue down to a depth (fraction of the imaged depth) that undulates by ``undulation``."""

    tissue: Tissue
    bottom: float
    undulation: float


@dataclass(frozen=True)
class Vessel:
    """A curved tube across the image (along lateral or elevation).

    ``path`` (3, 2) holds the polynomial coefficients of the other two coordinates over [-1, 1], in mm.
    """

    axis: int
    path: np.ndarray
    radius: float


@dataclass(frozen=True)
class Anatomy:
    """All that the sound meets; later groups cover earlier ones: layers, vessels, decoys, bones, organs."""

    layers: tuple[Layer, ...]
    vessels: tuple[Vessel, ...]
    decoys: tuple[Body, ...]
    bones: tuple[Body, ...]
    organs: tuple[Body, ...]


@dataclass(frozen=True)
class OrganPlan:
    """What an organ looks like in the population: place, semi-axes, tissue and the mean shape's bumps."""

    centre: tuple[float, float, float]
    semi_axes: tuple[float, float, float]
    tissue: Tissue
    bumps: tuple[tuple[float, float, float], ...]
    heights: tuple[float, ...]


ORGAN_PLANS = {
    # A large solid gland with a bright capsule and a darker core.
    "organ A": OrganPlan(
        (0.42, 0.52, 0.50),
        (0.21, 0.16, 0.24),
        Tissue(-7.0, 0.75, 1.8, surface_db=19.0, core_db=-4.0),
        ((-1.0, 0.3, 0.2), (0.5, 1.0, 0.0), (0.9, -0.6, 0.3)),
        (0.36, -0.34, -0.28),
    ),
    # A fluid-filled organ.
    "organ B": OrganPlan(
        (0.73, 0.50, 0.49),
        (0.115, 0.115, 0.19),
        Tissue(-48.0, 0.0, 0.5, surface_db=18.0),
        ((0.2, -0.8, 0.8), (0.0, 0.8, -0.8)),
        (0.32, 0.26),
    ),
    # A small bright organ below the others.
    "organ C": OrganPlan(
        (0.62, 0.80, 0.52),
        (0.12, 0.065, 0.13),
        Tissue(5.5, 0.7, 1.5, surface_db=14.0),
        ((1.0, 0.0, 0.4), (0.0, -1.0, 0.0)),
        (0.26, -0.22),
    ),
}

DECOY_TISSUES = (
    Tissue(-7.0, 0.75, 1.6, surface_db=14.0),
    Tissue(-45.0, 0.0, 0.5, surface_db=16.0),
    Tissue(5.0, 0.8, 1.5, surface_db=12.0),
)
BONE = Tissue(-28.0, 20.0, 1.0, surface_db=40.0)

GAP = 0.025  # between bodies, and between organs and the sector's edge: fraction of the smallest extent


def draw_shape(
    centre: np.ndarray,
    semi_axes: np.ndarray,
    extent: np.ndarray,
    rng: np.random.Generator,
    *,
    tilt_degrees: float,
    bumpiness: float,
    bumps: np.ndarray | None = None,
    heights: np.ndarray | None = None,
) -> StarShape:
    """A tilted star shape of the volume of the ellipsoid, with given bumps plus eight random ones.

    ``centre`` and ``semi_axes`` are fractions of ``extent`` (mm); the body is tilted in that space too.
    """
    random_bumps = rng.standard_normal((8, 3))
    every_bump = random_bumps if bumps is None else np.concatenate([bumps, random_bumps])
    random_heights = rng.normal(0.0, bumpiness, 8)
    every_height = random_heights if heights is None else np.concatenate([heights, random_heights])
    rotation = Rotation.from_rotvec(np.deg2rad(tilt_degrees) * rng.standard_normal(3)).as_matrix()
    directions = every_bump / np.linalg.norm(every_bump, axis=1, keepdims=True)
    shape = StarShape(centre * extent, extent[:, None] * rotation * semi_axes, directions, every_height)
    # Bumps shape the body; how large it is, the semi-axes alone decide.
    ellipsoid = 4 / 3 * np.pi * float(np.prod(semi_axes * extent))
    return replace(shape, axes=shape.axes * (ellipsoid / shape.volume_mm3()) ** (1 / 3))


def draw_organ(name: str, plan: OrganPlan, extent: np.ndarray, rng: np.random.Generator, scale: float) -> Body:
    """One subject's organ: place, size (+-30 %), pose and shape vary about the plan; ``scale`` shrinks it."""
    size = rng.uniform(0.82, 1.18) * rng.uniform(0.9, 1.1, 3)
    shape = draw_shape(
        np.asarray(plan.centre) + rng.normal(0.0, 0.025, 3),
        scale * size * np.asarray(plan.semi_axes),
        extent,
        rng,
        tilt_degrees=9.0,
        bumpiness=0.17,
        bumps=np.asarray(plan.bumps),
        heights=np.asarray(plan.heights) * rng.uniform(0.6, 1.4, len(plan.heights)),
    )
    # Echo level and capsule differ between subjects too.
    tissue = replace(
        plan.tissue,
        echo_db=plan.tissue.echo_db + rng.normal(0.0, 1.0),
        surface_db=plan.tissue.surface_db + rng.normal(0.0, 2.0),
        core_db=plan.tissue.core_db * rng.uniform(0.3, 1.4),
    )
    return Body(name, shape, tissue)


def fit_organ(
    draw: Callable[[float], Body],
    placed: Sequence[Body],
    extent: np.ndarray,
    sector: Sector,
    smallest: float,
) -> Body | None:
    """An organ in the sector, apart from those placed; drawn again, ever smaller, down to the scale ``smallest``."""
    gap = GAP * float(extent.min())
    scale = 1.0
    while scale >= smallest:
        organ = draw(scale)
        inside = sector.contains(organ.shape.surface(margin_mm=gap)).all()
        if inside and all(separated(organ.shape, other.shape, gap) for other in placed):
            return organ
        scale *= 0.985
    return None


def place_organs(draws: Sequence[Callable[[float], Body]], extent: np.ndarray, sector: Sector) -> list[Body]:
    """All organs inside the sector and apart from each other; begins again when one finds no room.

    ``draws`` gives an organ of a scale, each time another one.
    """
    smallest = 0.85
    placed: list[Body] = []
    while len(placed) < len(draws):
        organ = fit_organ(draws[len(placed)], placed, extent, sector, smallest)
        if organ is None:
            placed = []
            smallest *= 0.98  # so that it ends in images of any proportions
        else:
            placed.append(organ)
    return placed


def place_decoys(
    count: int, organs: Sequence[Body], extent: np.ndarray, sector: Sector, rng: np.random.Generator
) -> list[Body]:
    """Unlabelled bodies that resemble organs in tissue but not in place or size, apart from the organs."""
    gap = GAP * float(extent.min())
    decoys: list[Body] = []
    while len(decoys) < count:
        centre = rng.uniform([0.12, 0.3, 0.15], [0.88, 0.92, 0.85])
        semi_axes = rng.uniform(0.04, 0.08, 3)
        shape = draw_shape(centre, semi_axes, extent, rng, tilt_degrees=30.0, bumpiness=0.1)
        if sector.contains(shape.centre) and all(separated(shape, body.shape, gap) for body in [*organs, *decoys]):
            tissue = DECOY_TISSUES[rng.integers(len(DECOY_TISSUES))]
            decoys.append(Body(f"decoy {len(decoys) + 1}", shape, tissue))
    return decoys


def draw_bone(extent: np.ndarray, rng: np.random.Generator) -> Body:
    """A rib-like reflector near the probe, on the side away from organ B, lengthwise along the sweep."""
    centre = rng.uniform([0.19, 0.17, 0.40], [0.27, 0.22, 0.60])
    semi_axes = rng.uniform([0.045, 0.022, 0.25], [0.065, 0.03, 0.5])
    return Body("bone", draw_shape(centre, semi_axes, extent, rng, tilt_degrees=5.0, bumpiness=0.05), BONE)


def draw_vessel(extent: np.ndarray, rng: np.random.Generator, widest: float) -> Vessel:
    """A vessel that crosses the deeper half of the image or runs along the sweep.

    ``widest`` is its largest radius, as a fraction of the smallest extent.
    """
    axis = int(rng.choice([0, 2]))
    others = [a for a in range(3) if a != axis]
    start = (rng.uniform([0.1, 0.28, 0.1], [0.9, 0.9, 0.9]) * extent)[others]
    bend = rng.normal(0.0, [[0.10], [0.05]], (2, 2)) * extent[others]
    return Vessel(axis, np.concatenate([start[None], bend]), float(rng.uniform(0.02, widest) * extent.min()))


def draw_anatomy(names: tuple[str, ...], extent: np.ndarray, sector: Sector, rng: np.random.Generator) -> Anatomy:
    """One subject: ``names`` of ``ORGAN_PLANS`` and background anatomy, in an image of ``extent`` (3,) mm."""
    draws = [partial(draw_organ, name, ORGAN_PLANS[name], extent, rng) for name in names]
    return surrounded(place_organs(draws, extent, sector), extent, sector, rng)


def surrounded(
    organs: Sequence[Body],
    extent: np.ndarray,
    sector: Sector,
    rng: np.random.Generator,
    *,
    unlabelled: Sequence[Body] = (),
    bones: tuple[Body, ...] | None = None,
    widest_vessel: float = 0.055,
) -> Anatomy:
    """Organs among layers, vessels, bone and decoys.

    Args:
        organs: labelled bodies.
        extent: of the image (3,) in mm.
        sector: what the beams reach.
        rng: draws all that is around the organs.
        unlabelled: bodies that organs lie in or around; decoys keep apart from them too.
        bones: None: one is drawn, and left out where it would touch an organ.
        widest_vessel: largest radius of an unlabelled vessel, as a fraction of the smallest extent.
    """
    decoys = place_decoys(int(rng.integers(2, 5)), [*organs, *unlabelled], extent, sector, rng)
    skin, fat, muscle = np.cumsum(rng.uniform([0.015, 0.05, 0.06], [0.03, 0.11, 0.11]))
    deep = rng.uniform(0.86, 0.93)
    layers = (
        Layer(Tissue(5.0, 0.8, 0.8, surface_db=13.0), float(skin), 0.002),
        Layer(Tissue(-8.0, 0.6, 1.5, surface_db=17.0), float(fat), 0.008),
        Layer(Tissue(-5.0, 0.9, 2.0, surface_db=18.0), float(muscle), 0.010),
        Layer(Tissue(-1.0, 0.7, 3.2, surface_db=19.0), float(deep), 0.035),
        Layer(Tissue(-4.0, 0.8, 2.8), np.inf, 0.0),
    )
    if bones is None:
        bone = draw_bone(extent, rng)
        bones = (bone,) if all(separated(bone.shape, organ.shape, 0.0) for organ in [*organs, *unlabelled]) else ()
    vessels = tuple(draw_vessel(extent, rng, widest_vessel) for _ in range(rng.integers(3, 6)))
    return Anatomy(layers, vessels, (*decoys, *unlabelled), bones, tuple(organs))
