"""A simulated 3-D ultrasound volume: anatomy -> echoes along the beams -> scan conversion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage

from ...errors import InputError
from ..geometry import Geometry
from ..scan import LabelMap, Scan
from .anatomy import ORGAN_PLANS, Anatomy, Body, draw_anatomy
from .beams import BeamGrid, Sector, draw_sector
from .populations import POPULATIONS
from .probe import ProbeSettings, compensation_db, compress, gain_error_db, probe_settings, tissue_loss_db
from .speckle import electronic_noise, envelope, received_echoes, with_clutter
from .tissue import sample_anatomy


@dataclass(frozen=True)
class SimulatedCase:
    """A simulated volume, its dense labels and the exact volume of each organ in ml.

    The volume is that of the whole organ, also where the sector cuts it; labels are of what the beams reach.
    """

    volume: Scan
    label_map: LabelMap
    volumes_ml: dict[str, float]
    organs: tuple[str, ...]


def simulate_volume(
    seed: int,
    *,
    shape: tuple[int, int, int] = (96, 96, 64),
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    probe: str | ProbeSettings = "good",
    organ_count: int = 2,
    direction: np.ndarray | None = None,
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> SimulatedCase:
    """Simulate one subject, scanned by a swept curved-array probe.

    Array axes are lateral, depth (growing away from the probe) and elevation. Voxels are uint8, 0 outside the
    sector. The seed alone decides anatomy and sector, so the same subject can be seen with several probes;
    the same arguments give the same bytes. Organs lie whole inside the sector and never overlap.

    Args:
        seed: Which subject, and which speckle.
        shape: Voxels along each axis, at least 16.
        spacing: Millimetres along each axis.
        probe: "good", "medium", "low-cost", or settings.
        organ_count: 1 to 3 labelled organs: solid, fluid-filled, bright.
        direction: Directions of the axes in LPS, (3, 3) with one column an axis; identity by default.
        origin: Centre of the first voxel in LPS millimetres.

    Raises:
        InputError: For an unknown probe, an impossible number of organs, too few voxels or a spacing that is
            not positive.

    Examples:
        >>> case = simulate_volume(0, shape=(24, 24, 16), spacing=(3.3, 3.3, 4.0))
        >>> case.volume.voxels.shape, case.organs
        ((24, 24, 16), ('organ A', 'organ B'))
    """
    if not 1 <= organ_count <= len(ORGAN_PLANS):
        raise InputError("simulated volume", f"cannot have {organ_count} organs", f"ask for 1 to {len(ORGAN_PLANS)}")
    organs = tuple(ORGAN_PLANS)[:organ_count]
    anatomy = partial(draw_anatomy, organs)
    geometry = _geometry(shape, spacing, origin, direction)
    return _scanned(f"simulated_{seed:04d}", seed, organs, anatomy, geometry, probe)


def simulate_population(
    name: str,
    seed: int,
    *,
    shape: tuple[int, int, int] = (72, 72, 48),
    spacing: tuple[float, float, float] = (1.2, 1.2, 1.6),
    probe: str | ProbeSettings = "good",
) -> SimulatedCase:
    """Simulate one subject of a population, see ``POPULATIONS``, as ``simulate_volume`` does.

    Args:
        name: Of the population.
        seed: Which subject, and which speckle.
        shape: Voxels along each axis, at least 16.
        spacing: Millimetres along each axis.
        probe: "good", "medium", "low-cost", or settings.

    Raises:
        InputError: For an unknown population or probe, too few voxels or a spacing that is not positive.

    Examples:
        >>> case = simulate_population("tube", 0, shape=(24, 24, 16), spacing=(3.3, 3.3, 4.0))
        >>> case.organs
        ('vessel',)
    """
    if name not in POPULATIONS:
        raise InputError(f"population {name}", "does not exist", f"choose among {', '.join(POPULATIONS)}")
    population = POPULATIONS[name]
    geometry = _geometry(shape, spacing)
    return _scanned(f"{name}_{seed:04d}", seed, population.organs, population.draw, geometry, probe)


def _geometry(
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    direction: np.ndarray | None = None,
) -> Geometry:
    if min(shape) < 16 or min(spacing) <= 0:
        raise InputError(
            "simulated volume",
            f"has {shape} voxels of {spacing} mm",
            "give at least 16 voxels along every axis and spacings above zero",
        )
    return Geometry(shape, spacing, origin, np.eye(3) if direction is None else np.asarray(direction, dtype=float))


def _scanned(
    name: str,
    seed: int,
    organs: tuple[str, ...],
    draw: Callable[[np.ndarray, Sector, np.random.Generator], Anatomy],
    geometry: Geometry,
    probe: str | ProbeSettings,
) -> SimulatedCase:
    """A subject drawn by ``draw`` from extent, sector and random numbers, seen through a probe."""
    settings = probe_settings(probe)
    subject_rng, echo_rng = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    shape, spacing = geometry.shape, geometry.spacing
    extent = np.asarray(shape) * np.asarray(spacing)
    sector = draw_sector(extent, subject_rng)
    anatomy = draw(extent, sector, subject_rng)
    grid = beam_grid(sector, shape, settings)
    beams = beam_image(anatomy, grid, settings, echo_rng)
    points = voxel_centres(shape, spacing)
    return SimulatedCase(
        Scan(scan_convert(beams, grid, points), geometry, name),
        LabelMap(label_voxels(anatomy.organs, points, organs, sector), geometry, name),
        {organ: sum(b.shape.volume_mm3() for b in anatomy.organs if b.name == organ) / 1000 for organ in organs},
        organs,
    )


def beam_grid(sector: Sector, shape: tuple[int, int, int], settings: ProbeSettings) -> BeamGrid:
    """Samples fine enough for the voxels and for the pulse; at the far end about one beam for every voxel."""
    per_pulse = 2.5 * sector.depth / settings.pulse_width(sector.depth)
    return BeamGrid(sector, (int(max(1.7 * shape[1], per_pulse)), int(1.15 * shape[0]), int(1.1 * shape[2])))


def beam_echoes(anatomy: Anatomy, grid: BeamGrid, settings: ProbeSettings, rng: np.random.Generator) -> np.ndarray:
    """Envelope (depth, lateral, elevation) of what the probe receives; reference tissue has unit power."""
    frequency = settings.frequency_mhz(grid.sector.depth)
    maps = sample_anatomy(anatomy, grid, rng)
    compensation = compensation_db(grid, frequency)
    loss = tissue_loss_db(maps.attenuation, grid, frequency) - compensation
    diffuse = 10 ** ((maps.echo_db - loss) / np.float32(20))
    specular = maps.interface * 10 ** (-loss / np.float32(20))
    echoes = received_echoes(with_clutter(diffuse, grid, settings), specular, grid, settings, rng)
    # Compensation lifts the receiver's constant noise along with the echoes: it grows with depth.
    echoes += electronic_noise(grid, settings, rng) * 10 ** ((settings.noise_db + compensation) / np.float32(20))
    return envelope(echoes) * 10 ** (gain_error_db(grid, settings, rng) / np.float32(20))


def beam_image(anatomy: Anatomy, grid: BeamGrid, settings: ProbeSettings, rng: np.random.Generator) -> np.ndarray:
    """Log-compressed grey values in [0, 1] on the beam grid (depth, lateral, elevation)."""
    return compress(beam_echoes(anatomy, grid, settings, rng), settings.dynamic_range_db)


def voxel_centres(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> np.ndarray:
    """Image position (i, j, k, 3) of every voxel centre in millimetres from the volume's corner."""
    axes = [((np.arange(n) + 0.5) * s).astype(np.float32) for n, s in zip(shape, spacing, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def scan_convert(beams: np.ndarray, grid: BeamGrid, points: np.ndarray) -> np.ndarray:
    """Grey values (i, j, k) uint8 at voxel centres ``points`` (i, j, k, 3), 0 outside the sector."""
    index, inside = grid.from_image(points)
    voxels = np.zeros(points.shape[:3], np.uint8)
    values = ndimage.map_coordinates(beams, index, order=1, mode="nearest")
    voxels[inside] = np.round(255 * values).astype(np.uint8)
    return voxels


def label_voxels(bodies: Sequence[Body], points: np.ndarray, organs: Sequence[str], sector: Sector) -> np.ndarray:
    """Labels (i, j, k) uint8 at voxel centres ``points`` (i, j, k, 3): 1 + index of the organ there, or 0.

    An organ is all bodies of its name, as far as the sector shows them.
    """
    labels = np.zeros(points.shape[:3], np.uint8)
    for body in bodies:
        near = np.nonzero(body.shape.near(points))
        here = points[near]
        held = (body.shape.level(here) < 1) & sector.contains(here)
        labels[near] = np.where(held, organs.index(body.name) + 1, labels[near])
    return labels
