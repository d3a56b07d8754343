"""Smooth random fields."""

from __future__ import annotations

import numpy as np


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int, int], cells: tuple[int, int, int]) -> np.ndarray:
    """A smooth Gaussian field of zero mean and unit variance with about ``cells`` independent values an axis.

    White noise on a coarse grid times a Gaussian basis along each axis: three small matrix products.
    """
    bases = []
    for n, count in zip(shape, cells, strict=True):
        position = (np.arange(n) + 0.5) / n * count
        knots = np.arange(-1, count + 1) + 0.5
        basis = np.exp(-0.5 * ((position[:, None] - knots) / 0.7) ** 2)
        bases.append((basis / np.linalg.norm(basis, axis=1, keepdims=True)).astype(np.float32))
    coarse = rng.standard_normal([basis.shape[1] for basis in bases], dtype=np.float32)
    return np.asarray(bases[1] @ np.tensordot(bases[0], coarse @ bases[2].T, axes=1))
