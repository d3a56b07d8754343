"""Sector geometry of a swept curved-array probe: beam coordinates (depth, lateral angle, elevation angle)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sector:
    """Beams that diverge from virtual apices above the image, in millimetres and radians.

    Image millimetres (x lateral, y depth, z elevation) start at the corner of the volume. ``face`` is the
    foremost point of the probe's face, which is curved with radius ``lateral_radius`` and swept about an axis
    ``elevation_radius`` above it.
    """

    face: tuple[float, float, float]
    depth: float
    lateral_radius: float
    lateral_half_angle: float
    elevation_radius: float
    elevation_half_angle: float

    def to_beam(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Depth (mm), lateral angle and elevation angle of image points (..., 3)."""
        offset = points - np.asarray(self.face, dtype=points.dtype)
        x, y, z = offset[..., 0], offset[..., 1], offset[..., 2]
        height = np.hypot(y + self.elevation_radius, z) - self.elevation_radius
        depth = np.hypot(x, height + self.lateral_radius) - self.lateral_radius
        return depth, np.arctan2(x, height + self.lateral_radius), np.arctan2(z, y + self.elevation_radius)

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Which image points (..., 3) the beams reach."""
        depth, lateral, elevation = self.to_beam(points)
        inside: np.ndarray = (
            (depth >= 0)
            & (depth <= self.depth)
            & (np.abs(lateral) <= self.lateral_half_angle)
            & (np.abs(elevation) <= self.elevation_half_angle)
        )
        return inside


@dataclass(frozen=True)
class BeamGrid:
    """Regular samples in beam coordinates, array axes (depth, lateral, elevation), that cover a sector."""

    sector: Sector
    shape: tuple[int, int, int]

    @property
    def depth_step(self) -> float:
        """Distance in millimetres between two samples along a beam."""
        return self.sector.depth / (self.shape[0] - 1)

    @property
    def depths(self) -> np.ndarray:
        """Depth in millimetres of each sample along a beam."""
        return np.linspace(0.0, self.sector.depth, self.shape[0])

    def beam_spacing(self, axis: int) -> np.ndarray:
        """Distance in millimetres between neighbouring beams at each depth; axis 1 lateral, 2 elevation."""
        if axis == 1:
            radius, half_angle = self.sector.lateral_radius, self.sector.lateral_half_angle
        else:
            radius, half_angle = self.sector.elevation_radius, self.sector.elevation_half_angle
        return np.asarray((radius + self.depths) * 2 * half_angle / (self.shape[axis] - 1))

    def directions(self) -> np.ndarray:
        """Unit vectors (1, lateral, elevation, 3) of the beams in image axes."""
        sector = self.sector
        lateral = np.linspace(-sector.lateral_half_angle, sector.lateral_half_angle, self.shape[1])[:, None]
        elevation = np.linspace(-sector.elevation_half_angle, sector.elevation_half_angle, self.shape[2])
        across = np.broadcast_to(np.sin(lateral), self.shape[1:])
        along = np.cos(lateral)
        beams = np.stack([across, along * np.cos(elevation), along * np.sin(elevation)], axis=-1)
        return beams[None].astype(np.float32)

    def points(self) -> np.ndarray:
        """Image position (depth, lateral, elevation, 3) in millimetres of every sample."""
        sector = self.sector
        beams = self.directions()
        elevation = np.linspace(-sector.elevation_half_angle, sector.elevation_half_angle, self.shape[2])
        # On the face: lateral circle of radius R_l about its apex, swept about the axis R_e above the face.
        lift = (sector.elevation_radius - sector.lateral_radius) * np.stack(
            [np.zeros_like(elevation), np.cos(elevation), np.sin(elevation)], axis=-1
        )
        start = np.asarray(sector.face) - [0.0, sector.elevation_radius, 0.0] + lift
        reach = (sector.lateral_radius + self.depths).astype(np.float32)[:, None, None, None]
        return np.asarray(start.astype(np.float32) + reach * beams)

    def from_image(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fractional grid index (3, n) of those points (..., 3) that lie in the sector, and their mask."""
        depth, lateral, elevation = self.sector.to_beam(points)
        inside = self.sector.contains(points)
        index = np.stack(
            [
                depth[inside] / self.depth_step,
                (lateral[inside] / self.sector.lateral_half_angle + 1) * (self.shape[1] - 1) / 2,
                (elevation[inside] / self.sector.elevation_half_angle + 1) * (self.shape[2] - 1) / 2,
            ]
        )
        return index, inside


def draw_sector(extent: np.ndarray, rng: np.random.Generator) -> Sector:
    """A sector, never quite the same, that fills an image of ``extent`` mm (lateral, depth, elevation)."""
    face_half = extent[[0, 2]] * rng.uniform([0.25, 0.30], [0.31, 0.36])
    far_half = extent[[0, 2]] * rng.uniform([0.56, 0.55], [0.62, 0.60])
    # A wide, shallow image gets a wide, flat probe: the curve of the face may not use up the depth.
    flat_enough = 2 * np.arctan(0.12 * extent[1] / far_half)
    half_angle = np.minimum(np.arctan((far_half - face_half) / extent[1]), flat_enough)
    radius = (far_half - extent[1] * np.tan(half_angle)) / np.sin(half_angle)
    # The ends of a curved face lie above its foremost point: leave them room at the top of the image.
    sagitta = float((radius * (1 - np.cos(half_angle))).sum())
    top = 0.015 * extent[1] + sagitta
    return Sector(
        face=(extent[0] / 2, top, extent[2] / 2),
        depth=0.985 * extent[1] - top,
        lateral_radius=float(radius[0]),
        lateral_half_angle=float(half_angle[0]),
        elevation_radius=float(radius[1]),
        elevation_half_angle=float(half_angle[1]),
    )
