"""Thin bodies: the wall of a hollow organ, and a tube."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import KDTree

from .shapes import StarShape, sphere_quadrature

_SAMPLES = 257  # of a tube's middle line: their spacing is far below any radius
_SURFACE_SAMPLES, _SURFACE_ORDER = 32, 6


@dataclass(frozen=True)
class Shell:
    """What lies within ``wall_mm`` below the surface of a star shape, measured along its radius."""

    outer: StarShape
    wall_mm: float

    @property
    def centre(self) -> np.ndarray:
        """That of the star shape."""
        return self.outer.centre

    def volume_mm3(self) -> float:
        """The star shape's volume without that of what is hollow, both by quadrature."""
        directions, weights = sphere_quadrature(64)
        radius = self.outer.radius_factor(directions)
        length = np.linalg.norm((radius[:, None] * directions) @ self.outer.axes.T, axis=1)
        hollow = np.clip(1 - self.wall_mm / length, 0, None) ** 3
        return float(abs(np.linalg.det(self.outer.axes)) * (weights @ (radius**3 * (1 - hollow)) / 3))

    def surface(self, *, margin_mm: float = 0.0) -> np.ndarray:
        """Points (n, 3) on the outer surface, moved outwards by ``margin_mm``."""
        return self.outer.surface(margin_mm=margin_mm)

    def near(self, points: np.ndarray, margin_mm: float = 0.0) -> np.ndarray:
        """Which points (..., 3) lie in an ellipsoid that holds the shell and ``margin_mm`` around it."""
        return self.outer.near(points, margin_mm)

    def level(self, points: np.ndarray) -> np.ndarray:
        """Level (...) of points (..., 3): 0 in the middle of the wall, 1 on both surfaces."""
        below = self.outer.distance(points, self.outer.level(points))
        half = points.dtype.type(self.wall_mm / 2)
        return np.asarray(np.abs(below + half) / half)

    def distance(self, points: np.ndarray, level: np.ndarray) -> np.ndarray:
        """Distance in mm (...) from the nearer surface along the radius, negative in the wall."""
        return np.asarray((level - 1) * points.dtype.type(self.wall_mm / 2))

    def incidence(self, points: np.ndarray, beams: np.ndarray) -> np.ndarray:
        """That of the star shape."""
        return self.outer.incidence(points, beams)


@dataclass(frozen=True)
class Tube:
    """All that lies within ``radius_mm`` of a smooth line; its ends are round.

    ``path`` (degree + 1, 3) holds the coefficients, in mm, of polynomials over [-1, 1]. The line may not bend more
    sharply than its radius, nor come back to itself.
    """

    path: np.ndarray
    radius_mm: float

    @cached_property
    def line(self) -> np.ndarray:
        """Points (n, 3) along the middle."""
        return np.polynomial.polynomial.polyval(np.linspace(-1, 1, _SAMPLES), self.path).T

    @property
    def centre(self) -> np.ndarray:
        """The middle of the line."""
        return np.asarray(self.line[_SAMPLES // 2])

    def volume_mm3(self) -> float:
        """Cross-section times length (Weyl, American Journal of Mathematics 1939), and the two round ends."""
        length = np.linalg.norm(np.diff(self.line, axis=0), axis=1).sum()
        return float(np.pi * self.radius_mm**2 * length + 4 / 3 * np.pi * self.radius_mm**3)

    def surface(self, *, margin_mm: float = 0.0) -> np.ndarray:
        """Points (n, 3) of spheres along the line: on the surface or within, none outside."""
        directions, _ = sphere_quadrature(_SURFACE_ORDER)
        middles = self.line[:: _SAMPLES // _SURFACE_SAMPLES]
        return np.asarray((middles[:, None] + (self.radius_mm + margin_mm) * directions).reshape(-1, 3))

    def near(self, points: np.ndarray, margin_mm: float = 0.0) -> np.ndarray:
        """Which points (..., 3) lie in a box that holds the tube and ``margin_mm`` around it."""
        reach = self.radius_mm + margin_mm
        low, high = self.line.min(axis=0) - reach, self.line.max(axis=0) + reach
        inside: np.ndarray = ((points >= low) & (points <= high)).all(axis=-1)
        return inside

    def level(self, points: np.ndarray) -> np.ndarray:
        """Level (...) of points (..., 3): 0 on the line, 1 on the surface."""
        return np.asarray((self._tree.query(points)[0] / self.radius_mm).astype(points.dtype))

    def distance(self, points: np.ndarray, level: np.ndarray) -> np.ndarray:
        """Distance in mm (...) from the surface, negative inside."""
        return np.asarray((level - 1) * points.dtype.type(self.radius_mm))

    def incidence(self, points: np.ndarray, beams: np.ndarray) -> np.ndarray:
        """Absolute cosine (...) between beams (..., 3) and the direction away from the line."""
        normal = points - self.line.astype(points.dtype)[self._tree.query(points)[1]]
        length = np.maximum(np.linalg.norm(normal, axis=-1), np.finfo(points.dtype).tiny)
        return np.asarray(np.abs(np.einsum("...a,...a->...", normal, beams)) / length)

    @cached_property
    def _tree(self) -> KDTree:
        return KDTree(self.line)
