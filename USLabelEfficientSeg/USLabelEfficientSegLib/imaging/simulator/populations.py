"""Populations whose subjects differ in what helps to find an organ: its place, its look, its shape, its neighbours.

A population draws the anatomy of a subject for an image of a given extent. What is not said to be fixed varies: place,
size, pose, shape and echo level. Places and sizes are fractions of the extent (lateral, depth, elevation).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from .anatomy import (
    GAP,
    ORGAN_PLANS,
    Anatomy,
    Body,
    OrganPlan,
    Tissue,
    draw_anatomy,
    draw_bone,
    draw_organ,
    draw_shape,
    place_organs,
    surrounded,
)
from .beams import Sector
from .hollow_shapes import Shell, Tube
from .shapes import StarShape, separated

Box = tuple[tuple[float, float, float], tuple[float, float, float]]

DARK_SOLID = Tissue(-10.0, 0.75, 1.8, surface_db=14.0)
BRIGHT_SOLID = Tissue(9.5, 0.7, 1.5, surface_db=12.0)
FLUID = Tissue(-46.0, 0.0, 0.5, surface_db=14.0)
WALL = Tissue(-11.0, 0.7, 0.8, surface_db=14.0)
STROMA = Tissue(-6.0, 0.7, 1.5, surface_db=10.0)
BLOOD = Tissue(-34.0, 0.1, 0.5, surface_db=10.0)

MOST_SHADED = 0.15  # share of an organ that may lie in a bone's shadow

FAINT = OrganPlan(
    (0.50, 0.54, 0.50),
    (0.24, 0.18, 0.26),
    Tissue(-4.5, 0.75, 2.4, surface_db=9.0, core_db=-1.5),
    ORGAN_PLANS["organ A"].bumps,
    ORGAN_PLANS["organ A"].heights,
)


@dataclass(frozen=True)
class Population:
    """Names of the labelled organs, and how a subject is drawn from extent (3,), sector and random numbers."""

    organs: tuple[str, ...]
    draw: Callable[[np.ndarray, Sector, np.random.Generator], Anatomy]


def solid(
    name: str,
    box: Box,
    semi_axes: tuple[float, float, float],
    tissue: Tissue,
    extent: np.ndarray,
    rng: np.random.Generator,
    scale: float,
) -> Body:
    """A body whose centre lies anywhere in a box; ``scale`` shrinks it."""
    size = scale * rng.uniform(0.87, 1.15) * rng.uniform(0.88, 1.13, 3)
    centre = rng.uniform(*box)
    shape = draw_shape(centre, size * semi_axes, extent, rng, tilt_degrees=25.0, bumpiness=0.13)
    return Body(name, shape, varied(tissue, rng))


def varied(tissue: Tissue, rng: np.random.Generator) -> Tissue:
    """The tissue as it is in one subject."""
    echo, surface = tissue.echo_db + rng.normal(0.0, 1.0), tissue.surface_db + rng.normal(0.0, 2.0)
    return replace(tissue, echo_db=echo, surface_db=surface)


def fixed_place(extent: np.ndarray, sector: Sector, rng: np.random.Generator) -> Anatomy:
    """A large faint organ in the middle: its place tells more than its look."""
    return _surrounded(
        place_organs([partial(draw_organ, "organ", FAINT, extent, rng)], extent, sector), extent, sector, rng
    )


def anywhere(extent: np.ndarray, sector: Sector, rng: np.random.Generator) -> Anatomy:
    """A dark organ anywhere; its look tells more than its place."""
    box = (0.2, 0.3, 0.2), (0.8, 0.85, 0.8)
    draw = partial(solid, "organ", box, (0.17, 0.15, 0.19), DARK_SOLID, extent, rng)
    return _surrounded(place_organs([draw], extent, sector), extent, sector, rng)


def either_side(extent: np.ndarray, sector: Sector, rng: np.random.Generator) -> Anatomy:
    """A dark organ on either side, and a smaller bright one on the other, each at any depth."""
    left, right = (((low, 0.34, 0.25), (high, 0.82, 0.75)) for low, high in ((0.22, 0.40), (0.60, 0.78)))
    first, second = (left, right) if rng.random() < 0.5 else (right, left)
    draws = [
        partial(solid, "dark organ", first, (0.14, 0.12, 0.17), DARK_SOLID, extent, rng),
        partial(solid, "bright organ", second, (0.09, 0.08, 0.12), BRIGHT_SOLID, extent, rng),
    ]
    return _surrounded(place_organs(draws, extent, sector), extent, sector, rng)


def same_texture(extent: np.ndarray, sector: Sector, rng: np.random.Generator) -> Anatomy:
    """Two organs that look alike: one is the upper one, the other the lower one."""
    tissue = varied(DARK_SOLID, rng)
    draws = [
        partial(_alike, "upper organ", ((0.32, 0.32, 0.3), (0.68, 0.46, 0.7)), tissue, extent, rng),
        partial(_alike, "lower organ", ((0.25, 0.62, 0.3), (0.75, 0.78, 0.7)), tissue, extent, rng),
    ]
    return _surrounded(place_organs(draws, extent, sector), extent, sector, rng)


def _alike(name: str, box: Box, tissue: Tissue, extent: np.ndarray, rng: np.random.Generator, scale: float) -> Body:
    return replace(solid(name, box, (0.15, 0.11, 0.17), tissue, extent, rng, scale), tissue=tissue)


def shell(extent: np.ndarray, sector: Sector, rng: np.random.Generator) -> Anatomy:
    """The wall of a bladder: thin, around fluid."""
    box = (0.40, 0.46, 0.42), (0.60, 0.62, 0.58)
    (whole,) = place_organs([partial(solid, "lumen", box, (0.24, 0.19, 0.25), FLUID, extent, rng)], extent, sector)
    assert isinstance(whole.shape, StarShape)
    wall = Body("wall", Shell(whole.shape, float(rng.uniform(0.042, 0.056) * extent.min())), varied(WALL, rng))
    # The lumen's own surface is hidden under the wall.
    lumen = replace(whole, tissue=replace(whole.tissue, surface_db=-60.0))
    return _surrounded([wall], extent, sector, rng, unlabelled=[lumen])


def tube(extent: np.ndarray, sector: Sector, rng: np.random.Generator) -> Anatomy:
    """A vessel that runs along the sweep, aslant and bent, wider than those beside it."""
    vessel = Body("vessel", draw_tube(extent, rng), varied(BLOOD, rng))
    return _surrounded([vessel], extent, sector, rng, widest_vessel=0.03)


def draw_tube(extent: np.ndarray, rng: np.random.Generator) -> Tube:
    """A tube from one end of the sweep towards the other."""
    middle = rng.uniform([0.3, 0.35, 0.46], [0.7, 0.7, 0.54])
    slant = rng.uniform([-0.15, -0.12, 0.36], [0.15, 0.12, 0.42])
    bend = rng.normal(0.0, [0.07, 0.05, 0.0])
    twist = rng.normal(0.0, [0.05, 0.04, 0.0])
    return Tube(np.array([middle, slant, bend, twist]) * extent, float(rng.uniform(0.055, 0.08) * extent.min()))


def follicles(extent: np.ndarray, sector: Sector, rng: np.random.Generator) -> Anatomy:
    """Several follicles of one class in an ovary that is not labelled."""
    box = (0.38, 0.42, 0.38), (0.62, 0.66, 0.62)
    (ovary,) = place_organs([partial(solid, "ovary", box, (0.27, 0.22, 0.29), STROMA, extent, rng)], extent, sector)
    found: list[Body] = []
    wanted = int(rng.integers(3, 7))
    scale = 1.0
    while len(found) < wanted:
        body = _follicle(ovary, scale, extent, rng)
        held = (ovary.shape.level(body.shape.surface(margin_mm=0.5 * GAP * extent.min())) < 1).all()
        if held and _apart(body, found, 0.5 * GAP * float(extent.min())):
            found.append(body)
        scale *= 0.995  # so that it ends in an ovary of any size
    return _surrounded(found, extent, sector, rng, unlabelled=[ovary], widest_vessel=0.03)


def _follicle(ovary: Body, scale: float, extent: np.ndarray, rng: np.random.Generator) -> Body:
    centre = ovary.shape.centre / extent + rng.uniform(-0.2, 0.2, 3)
    radius = scale * rng.uniform(0.065, 0.115) * extent.min() / extent
    shape = draw_shape(centre, radius * rng.uniform(0.85, 1.15, 3), extent, rng, tilt_degrees=90.0, bumpiness=0.05)
    return Body("follicle", shape, FLUID)


def _apart(body: Body, others: Sequence[Body], gap_mm: float) -> bool:
    return all(separated(body.shape, other.shape, gap_mm) for other in others)


def cut(extent: np.ndarray, sector: Sector, rng: np.random.Generator) -> Anatomy:
    """A large organ that the sector's edge cuts, on either side."""
    angle = rng.choice([-1, 1]) * rng.uniform(0.75, 1.0) * sector.lateral_half_angle
    reach = sector.lateral_radius + rng.uniform(0.42, 0.68) * sector.depth
    across, along = reach * np.sin(angle), reach * np.cos(angle) - sector.lateral_radius
    centre = np.array([sector.face[0] + across, sector.face[1] + along, rng.uniform(0.42, 0.58) * extent[2]])
    size = rng.uniform(0.87, 1.15) * rng.uniform(0.9, 1.1, 3) * np.array([0.20, 0.16, 0.22])
    shape = draw_shape(centre / extent, size, extent, rng, tilt_degrees=20.0, bumpiness=0.13)
    return _surrounded([Body("organ", shape, varied(DARK_SOLID, rng))], extent, sector, rng)


def tiny(extent: np.ndarray, sector: Sector, rng: np.random.Generator) -> Anatomy:
    """An organ of about 1 % of the image, anywhere."""
    box = (0.2, 0.25, 0.2), (0.8, 0.85, 0.8)
    lesion = Tissue(-18.0, 0.6, 1.2, surface_db=12.0)
    draw = partial(solid, "organ", box, (0.13, 0.12, 0.14), lesion, extent, rng)
    return _surrounded(place_organs([draw], extent, sector), extent, sector, rng)


def _surrounded(
    organs: Sequence[Body],
    extent: np.ndarray,
    sector: Sector,
    rng: np.random.Generator,
    *,
    unlabelled: Sequence[Body] = (),
    widest_vessel: float = 0.055,
) -> Anatomy:
    """As `surrounded`, with a rib on either side or none, which shades little of the organs."""
    rib = draw_bone(extent, rng)
    if rng.random() < 0.5:
        assert isinstance(rib.shape, StarShape)
        mirrored = rib.shape.centre * [-1, 1, 1] + [extent[0], 0, 0]
        rib = replace(rib, shape=replace(rib.shape, centre=mirrored))
    bodies = [*organs, *unlabelled]
    clear = _apart(rib, bodies, 0.0) and all(shaded(body, rib, sector) < MOST_SHADED for body in organs)
    bones = (rib,) if clear else ()
    return surrounded(organs, extent, sector, rng, unlabelled=unlabelled, bones=bones, widest_vessel=widest_vessel)


def shaded(body: Body, bone: Body, sector: Sector) -> float:
    """The share of a body's surface that lies in the lateral angles of a bone."""
    _, angle, _ = sector.to_beam(body.shape.surface())
    _, of_bone, _ = sector.to_beam(bone.shape.surface())
    return float(((angle > of_bone.min()) & (angle < of_bone.max())).mean())


_TWO = ("organ A", "organ B")
POPULATIONS = {
    "two-organs": Population(_TWO, partial(draw_anatomy, _TWO)),
    "fixed-place": Population(("organ",), fixed_place),
    "anywhere": Population(("organ",), anywhere),
    "either-side": Population(("dark organ", "bright organ"), either_side),
    "same-texture": Population(("upper organ", "lower organ"), same_texture),
    "shell": Population(("wall",), shell),
    "tube": Population(("vessel",), tube),
    "follicles": Population(("follicle",), follicles),
    "cut": Population(("organ",), cut),
    "tiny": Population(("organ",), tiny),
}
