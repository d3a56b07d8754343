"""Checksums of voxels and their place: whether an image or an organ is still the same, however it was saved.

Compression, header fields, the type of the numbers, the order of files and rounding by a format play no part.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .geometry import Geometry
from .scan import LabelMap, Scan

_TOLERANCE_VOXELS = 0.05  # what formats round; a shift that is worth a word is larger
_EMPTY = hashlib.sha256(b"").hexdigest()

Point = tuple[float, float, float]


@dataclass(frozen=True)
class VoxelChecksum:
    """A box of voxels and its place.

    Attributes:
        sha256: of the values in the box.
        shape: voxels along i, j, k.
        corners_lps_mm: outer corners of the box: the first one, and those at its other ends along i, j, k.
    """

    sha256: str
    shape: tuple[int, int, int]
    corners_lps_mm: tuple[Point, Point, Point, Point]

    def same(self, other: VoxelChecksum) -> bool:
        """Whether the values are the same and lie in the same place, within a twentieth of a voxel."""
        if (self.sha256, self.shape) != (other.sha256, other.shape):
            return False
        corners, others = np.array(self.corners_lps_mm), np.array(other.corners_lps_mm)
        voxel_mm = np.linalg.norm(corners[1:] - corners[0], axis=1) / self.shape
        return bool(np.linalg.norm(corners - others, axis=1).max() <= _TOLERANCE_VOXELS * voxel_mm.min())


def organ_checksums(label_map: LabelMap, organs: int) -> list[VoxelChecksum]:
    """The voxels of each organ 1, ..., `organs`; an organ without voxels has the whole grid for its place."""
    found = []
    for label, box in enumerate(ndimage.find_objects(label_map.voxels, max_label=organs), start=1):
        if box is None:
            found.append(_placed(_EMPTY, label_map.geometry.shape, np.zeros(3), label_map.geometry))
            continue
        mask = label_map.voxels[box] == label
        bits = np.packbits(mask.ravel(order="F"))
        first = np.array([along.start for along in box])
        found.append(_placed(hashlib.sha256(bits.tobytes()).hexdigest(), mask.shape, first, label_map.geometry))
    return found


def image_checksum(volume: Scan) -> VoxelChecksum:
    """The grey values of an image, whatever their type."""
    digest = hashlib.sha256()
    for k in range(volume.voxels.shape[2]):
        digest.update(volume.voxels[..., k].astype("<f4").tobytes(order="F"))
    return _placed(digest.hexdigest(), volume.geometry.shape, np.zeros(3), volume.geometry)


def _placed(sha256: str, shape: tuple[int, ...], first: NDArray[np.generic], geometry: Geometry) -> VoxelChecksum:
    i, j, k = (int(count) for count in shape)
    ends = np.vstack([np.zeros(3), np.diag((i, j, k))]) + first - 0.5
    corners = [(float(x), float(y), float(z)) for x, y, z in geometry.index_to_physical(ends)]
    return VoxelChecksum(sha256, (i, j, k), (corners[0], corners[1], corners[2], corners[3]))
