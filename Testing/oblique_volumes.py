"""Volumes that tell where each of their voxels lies, and directions of oblique ones."""

import numpy as np

from USLabelEfficientSegLib.imaging.scan import Scan


def turned(degrees, axis, flips=(1, 1, 1)):
    """Directions of axes turned by so many degrees about one of them, some of them flipped."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    i, j = (a for a in range(3) if a != axis)
    rotation = np.eye(3)
    rotation[i, i], rotation[i, j], rotation[j, i], rotation[j, j] = c, -s, s, c
    return rotation @ np.diag(flips)


def blocks(geometry):
    """A volume of dark and bright voxels without any symmetry, alike along the axes only in blocks of two voxels."""
    coarse = np.random.default_rng(1).random([-(-n // 2) for n in geometry.shape]) < 0.3
    fine = coarse.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)
    i, j, k = geometry.shape
    return Scan(np.where(fine[:i, :j, :k], 200, 50).astype(np.uint8), geometry, "blocks")
