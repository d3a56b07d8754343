"""Smooth random bodies whose volume is known to quadrature precision: what every shape tells, and star shapes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np


class Shape(Protocol):
    """A body's shape; points (..., 3) are in millimetres."""

    @property
    def centre(self) -> np.ndarray:
        """A point (3,) in the middle of the body."""
        ...

    def volume_mm3(self) -> float:
        """Exact volume in mm^3."""
        ...

    def surface(self, *, margin_mm: float = 0.0) -> np.ndarray:
        """Points (n, 3) spread over the surface, moved outwards by ``margin_mm``."""
        ...

    def near(self, points: np.ndarray, margin_mm: float = 0.0) -> np.ndarray:
        """Which points (...) lie where the body and ``margin_mm`` around it may be."""
        ...

    def level(self, points: np.ndarray) -> np.ndarray:
        """Level (...): below 1 inside, 1 on the surface."""
        ...

    def distance(self, points: np.ndarray, level: np.ndarray) -> np.ndarray:
        """About the distance (...) from the surface in mm, negative inside, of points of known level."""
        ...

    def incidence(self, points: np.ndarray, beams: np.ndarray) -> np.ndarray:
        """Absolute cosine (...) between beams (..., 3) and the surface's normal near points."""
        ...


@lru_cache(maxsize=4)
def sphere_quadrature(order: int) -> tuple[np.ndarray, np.ndarray]:
    """Directions (n, 3) and weights (n,) that integrate over the unit sphere; the weights sum to 4 pi.

    Gauss-Legendre in the cosine of the polar angle times a uniform rule in azimuth, which converges
    exponentially for smooth functions.
    """
    cosines, polar_weights = np.polynomial.legendre.leggauss(order)
    azimuth = 2 * np.pi * np.arange(2 * order) / (2 * order)
    sines = np.sqrt(1 - cosines**2)
    directions = np.stack(
        [
            np.outer(sines, np.cos(azimuth)),
            np.outer(sines, np.sin(azimuth)),
            np.outer(cosines, np.ones_like(azimuth)),
        ],
        axis=-1,
    ).reshape(-1, 3)
    return directions, np.repeat(polar_weights * np.pi / order, 2 * order)


@dataclass(frozen=True)
class StarShape:
    """An ellipsoid with smooth bumps: inside where ``|q| < f(q / |q|)``, ``q = axes^-1 (p - centre)``.

    ``f(u) = exp(sum_m heights[m] * exp(sharpness * (u . bumps[m] - 1)))``, so the surface is smooth and
    star-shaped about ``centre`` by construction. Points are in millimetres; the columns of ``axes`` (3, 3)
    are the semi-axes, ``bumps`` (m, 3) are unit vectors in the frame of the semi-axes.
    """

    centre: np.ndarray
    axes: np.ndarray
    bumps: np.ndarray
    heights: np.ndarray
    sharpness: float = 4.0

    def radius_factor(self, directions: np.ndarray) -> np.ndarray:
        """``f`` for unit vectors (..., 3) in the frame of the semi-axes."""
        dtype = directions.dtype
        closeness = directions @ self.bumps.T.astype(dtype) - dtype.type(1)
        bumps = np.exp(dtype.type(self.sharpness) * closeness)
        return np.asarray(np.exp(bumps @ self.heights.astype(dtype)))

    def volume_mm3(self, order: int = 64) -> float:
        """Volume in mm^3: ``det(axes)`` times the integral of ``f^3 / 3`` over the unit sphere."""
        directions, weights = sphere_quadrature(order)
        integral = weights @ self.radius_factor(directions) ** 3 / 3
        return float(abs(np.linalg.det(self.axes)) * integral)

    def surface(self, *, order: int = 16, margin_mm: float = 0.0) -> np.ndarray:
        """Points (n, 3) on the surface in millimetres, moved outwards along their radius by ``margin_mm``."""
        directions, _ = sphere_quadrature(order)
        offsets = (self.radius_factor(directions)[:, None] * directions) @ self.axes.T
        lengths = np.linalg.norm(offsets, axis=1, keepdims=True)
        return np.asarray(self.centre + offsets * (1 + margin_mm / lengths))

    def near(self, points: np.ndarray, margin_mm: float = 0.0) -> np.ndarray:
        """Which points (..., 3) lie in an ellipsoid that holds the body and ``margin_mm`` around it."""
        # 3 % for what lies between the sampled directions.
        largest = 1.03 * self.radius_factor(sphere_quadrature(16)[0]).max()
        reach = largest + margin_mm / np.linalg.svd(self.axes, compute_uv=False).min()
        q = (points - self.centre.astype(points.dtype)) @ np.linalg.inv(self.axes).T.astype(points.dtype)
        close: np.ndarray = np.einsum("...a,...a->...", q, q) < reach**2
        return close

    def level(self, points: np.ndarray) -> np.ndarray:
        """Level (...) of points (..., 3): below 1 inside, 1 on the surface, linear along every radius."""
        dtype = points.dtype
        q = (points - self.centre.astype(dtype)) @ np.linalg.inv(self.axes).T.astype(dtype)
        length = np.maximum(np.linalg.norm(q, axis=-1), dtype.type(1e-6))
        level: np.ndarray = length / self.radius_factor(q / length[..., None])
        return level

    def distance(self, points: np.ndarray, level: np.ndarray) -> np.ndarray:
        """Distance from the surface in mm along the radius (...), negative inside, of points of known level."""
        radius = np.linalg.norm(points - self.centre.astype(points.dtype), axis=-1)
        return np.asarray(radius * (1 - 1 / level))

    def incidence(self, points: np.ndarray, beams: np.ndarray) -> np.ndarray:
        """Absolute cosine between beams (..., 3) and the underlying ellipsoid's normal at points (..., 3)."""
        dtype = points.dtype
        inverse = np.linalg.inv(self.axes).astype(dtype)
        normal = (points - self.centre.astype(dtype)) @ (inverse.T @ inverse)
        length = np.maximum(np.linalg.norm(normal, axis=-1), np.finfo(dtype).tiny)
        cosine: np.ndarray = np.abs(np.einsum("...a,...a->...", normal, beams)) / length
        return cosine


def separated(first: Shape, second: Shape, margin_mm: float) -> bool:
    """Whether two bodies keep a gap of about ``margin_mm``, judged on densely sampled surfaces."""
    return bool(
        np.all(second.level(first.surface(margin_mm=margin_mm)) > 1)
        and np.all(first.level(second.surface(margin_mm=margin_mm)) > 1)
    )
