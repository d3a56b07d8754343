"""A quick outline of the organs in a whole volume while its slices are being labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..annotation.sparse_labels import UNLABELLED
from ..errors import InputError
from ..imaging.geometry import Geometry
from ..imaging.resampling import resample_slice, working_geometry
from ..imaging.scan import LabelMap, Scan
from ..segmentation.decision import decide, dice_threshold
from .network import PromptableNetwork
from .propagation import check_grid, organ_probability

OUTLINE_VOXELS = 96  # along an axis of the grid of an outline: what is seen in a slice view while one paints


@dataclass(frozen=True)
class Outline:
    """The organs of a volume as far as they are known.

    Attributes:
        labels: on a coarse grid of the volume's extent: 0 background, n the n-th organ.
        volumes_ml: the sum of each organ's probability in millilitres, by name.
        probability: (C, i, j, k) on that grid, of the background and of the organs that are drawn anywhere.
        shown: the labels of these organs.
        geometry: the volume's own grid.
    """

    labels: LabelMap
    volumes_ml: dict[str, float]
    probability: NDArray[np.float32]
    shown: tuple[int, ...]
    geometry: Geometry

    def slice_labels(self, axis: int, index: int) -> NDArray[np.uint8]:
        """The labels of a slice, 2-D, across an array axis of the volume's own grid, smoother than the coarse ones."""
        return _labels(self.probability, resample_slice(self.probability, self.geometry.shape, axis, index), self.shown)


def outline(
    volume: Scan,
    labels: LabelMap,
    organs: Sequence[str],
    *,
    network: PromptableNetwork | None = None,
    max_voxels: int = OUTLINE_VOXELS,
) -> Outline:
    """The organs that labelled slices show, continued through the volume, on a coarse grid and by one look.

    Unlike `propagate` it leaves out organs that are drawn nowhere, for one labels them one after the other.

    Args:
        volume: the image.
        labels: on its grid: 0 background, n the n-th organ, 255 where nothing was drawn.
        organs: names.
        network: what knows organs; by default with the starter weights.
        max_voxels: along an axis of the grid.

    Raises:
        InputError: labels on another grid, or that show no organ.

    Examples:
        >>> from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume
        >>> complete = read_label_map("labels/simulated_0000.nrrd")
        >>> voxels = np.full_like(complete.voxels, UNLABELLED)
        >>> voxels[:, :, ::3] = complete.voxels[:, :, ::3]
        >>> labels = LabelMap(voxels, complete.geometry, complete.name)
        >>> sorted(outline(read_volume("images/simulated_0000.nrrd"), labels, ["solid", "fluid"]).volumes_ml)
        ['fluid', 'solid']
    """
    check_grid(labels, volume)
    shown = [label for label in range(1, len(organs) + 1) if (labels.voxels == label).any()]
    if not shown:
        raise InputError(f"label of {volume.name}", "shows no organ", "draw an organ in a slice")
    of_shown = np.zeros(UNLABELLED + 1, np.uint8)
    of_shown[UNLABELLED] = UNLABELLED
    of_shown[shown] = np.arange(1, len(shown) + 1)
    drawn = LabelMap(of_shown[labels.voxels], labels.geometry, labels.name)
    grid = working_geometry(volume.geometry, max_voxels)
    _, probability, _ = organ_probability(volume, drawn, len(shown), grid, network=network, mirrors=1)
    ml = {
        organs[label - 1]: float(of_one.sum(dtype=np.float64)) * grid.voxel_volume_ml
        for label, of_one in zip(shown, probability[1:], strict=True)
    }
    found = LabelMap(_labels(probability, probability, shown), grid, volume.name)
    return Outline(found, ml, probability, tuple(shown), volume.geometry)


def _labels(whole: NDArray[np.float32], part: NDArray[np.float32], shown: Sequence[int]) -> NDArray[np.uint8]:
    """The labels of a part (C, ...), by the thresholds that suit the whole (C, i, j, k)."""
    found = decide(part, [dice_threshold(of_one) for of_one in whole[1:]])
    return np.array([0, *shown], np.uint8)[found]
