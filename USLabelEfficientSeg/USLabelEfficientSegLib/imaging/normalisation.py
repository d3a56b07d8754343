"""The input of a 3-D network: two views of a volume's intensities, and the position of each voxel.

Gain and time-gain compensation differ from scan to scan, so intensities are normalised twice: over the whole sector,
and locally, which leaves echo texture and boundaries. Position has channels of its own because scans of one organ
follow a protocol: it anchors a network that has seen a handful of labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from .intensities import least_spread

IMAGE_CHANNELS = 2
POSITION_CHANNELS = 3
_LOCAL_VOXELS = 5.0  # standard deviation of the local window, in voxels of the finest axis
_CLIP = 4.0


def image_channels(voxels: NDArray[np.floating], sector: NDArray[np.bool_], spacing: Sequence[float]) -> Tensor:
    """Normalised intensities (2, I, J, K): z-score in the sector, and local z-score of the log-intensity.

    Args:
        voxels: (I, J, K) grey values on the working grid.
        sector: (I, J, K) which voxels carry image; both channels are 0 elsewhere.
        spacing: voxel size in mm; the local window is isotropic in mm.
    """
    inside = sector.astype(np.float32)
    image = voxels.astype(np.float32)
    values = image[sector]
    least = least_spread(float(np.abs(values).max()))
    z = (image - values.mean()) / (values.std() + least)

    sigma = [_LOCAL_VOXELS * min(spacing) / step for step in spacing]
    share = gaussian_filter(inside, sigma) + 1e-6  # normalised convolution: the outside has no say

    def local_mean(x: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(gaussian_filter(x * inside, sigma) / share)

    darkest, brightest = values.min(), np.percentile(values, 99.5)
    # As if stored in a byte, whatever the file's unit; the outside may be darker than anything inside.
    log = np.log1p(np.maximum(image - darkest, 0) * (255 / max(brightest - darkest, least))).astype(np.float32)
    detail = log - local_mean(log)
    local = detail / (np.sqrt(np.maximum(local_mean(detail**2), 0)) + 0.1)
    return torch.from_numpy(np.stack([z, local]).clip(-_CLIP, _CLIP) * inside).float()


@dataclass(frozen=True)
class AnatomicalFrame:
    """Where the anatomy lies in a volume: place u of the anatomy is at x = shift + scale u of the volume.

    Both are in half extents of the volume, axis by axis: x is -1 and 1 at its outer edges.
    """

    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def places(self, axis: int, x: Tensor) -> Tensor:
        """Coordinates u of the anatomy along an axis, at coordinates x of the volume."""
        return (x - self.shift[axis]) / self.scale[axis]


def position_channels(shape: Sequence[int], frame: AnatomicalFrame | None = None) -> Tensor:
    """Voxel centres (3, I, J, K) in the anatomy's frame; without one, -1 to 1 between the volume's outer edges."""
    frame = frame or AnatomicalFrame()
    axes = [frame.places(axis, (2 * torch.arange(n) + 1) / n - 1) for axis, n in enumerate(shape)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def mirrored_positions(position: Tensor, axes: Sequence[int]) -> Tensor:
    """Position channels (3, I, J, K) of the mirror image of a volume: its anatomy lies on the other side.

    Coordinates keep their direction: a mirrored patient is still on the couch.
    """
    flipped = position.flip([axis - 3 for axis in axes])
    sign = torch.tensor([-1.0 if axis in axes else 1.0 for axis in range(POSITION_CHANNELS)])
    return flipped * sign.view(3, 1, 1, 1)
