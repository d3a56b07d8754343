import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan


@pytest.fixture
def oblique_geometry() -> Geometry:
    """Anisotropic, turned about two axes, far from the origin, and left-handed (the k axis is flipped)."""
    a, b = 0.4, -0.7
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    direction = about_z @ about_x @ np.diag([1, 1, -1])
    return Geometry((12, 9, 7), (0.4, 0.55, 1.3), (-35.2, 81.75, -12.125), direction)


@pytest.fixture
def volume(oblique_geometry: Geometry) -> Scan:
    voxels = np.random.default_rng(0).integers(0, 256, oblique_geometry.shape).astype(np.uint8)
    return Scan(voxels, oblique_geometry, "case")
