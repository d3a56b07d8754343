"""Whole organs from a few slices or strokes drawn in a volume: no study, no training.

The promptable network is asked for one organ after another. Then the organs are normalised against each other, and the
drawing is kept as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from ..errors import InputError
from ..imaging.intensities import normalised_grey
from ..imaging.resampling import working_geometry
from ..imaging.scan import LabelMap, Scan
from ..promptable_network.network import PromptableNetwork
from ..promptable_network.starter import load_starter
from ..promptable_network.two_passes import MOST_MIRRORS
from ..segmentation.intensity_features import IntensityFeatures
from .drawing import check_drawn, check_every_organ, check_grid
from .drawn_intervals import ALONE
from .drawn_prediction import DrawnPrediction
from .organs import organ_probability

MOST_VOXELS = 256  # along an axis of the grid of the result


@dataclass(frozen=True)
class Propagation:
    """Segments volumes with a drawing in them.

    Args:
        labels: by the name of their volume: 0 background, n the n-th organ, 255 where nothing was drawn.
        organs: names, in the order of the label values.
        network: what knows organs; by default with the starter weights.
        mirrors: of how many mirror images, 1 to 8, a result is the mean.
    """

    labels: Mapping[str, LabelMap]
    organs: tuple[str, ...]
    network: PromptableNetwork | None = None
    mirrors: int = MOST_MIRRORS

    dimension: Literal[3] = 3
    calibration: None = None
    statistics: None = None
    is_rough: bool = True

    def predict(self, volume: Scan, device: torch.device) -> DrawnPrediction:
        """Probabilities of the organs in a volume. Raises `InputError` as `propagate` does."""
        if volume.name not in self.labels:
            raise InputError(volume.name, "has no labels", "draw the organs in a slice of it, or leave it out")
        network = (self.network or load_starter()).to(device)
        return propagate(volume, self.labels[volume.name], self.organs, network=network, mirrors=self.mirrors)

    def digest(self) -> str:
        """A checksum of the weights and of how they are asked; the drawing is no part of it."""
        text = hashlib.sha256(f"{self.organs} {self.mirrors}".encode())
        for name, tensor in sorted((self.network or load_starter()).state_dict().items()):
            text.update(name.encode())
            text.update(tensor.cpu().contiguous().numpy().tobytes())
        return text.hexdigest()


def propagate(
    volume: Scan,
    labels: LabelMap,
    organs: Sequence[str],
    *,
    network: PromptableNetwork | None = None,
    mirrors: int = MOST_MIRRORS,
) -> DrawnPrediction:
    """The organs of a volume from a drawing in some of its slices.

    Args:
        volume: the image.
        labels: on its grid: 0 background, n the n-th organ, 255 where nothing was drawn; whole slices or strokes.
        organs: names.
        network: what knows organs; by default with the starter weights.
        mirrors: of how many mirror images, 1 to 8, the result is the mean.

    Raises:
        InputError: labels on another grid, everything or nothing labelled, an organ without a drawing.

    Examples:
        >>> import numpy as np
        >>> from USLabelEfficientSegLib.annotation.sparse_labels import UNLABELLED
        >>> from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume
        >>> complete = read_label_map("labels/simulated_0000.nrrd")
        >>> voxels = np.full_like(complete.voxels, UNLABELLED)
        >>> voxels[:, :, ::3] = complete.voxels[:, :, ::3]  # every third slice is labelled
        >>> labels = LabelMap(voxels, complete.geometry, complete.name)
        >>> prediction = propagate(read_volume("images/simulated_0000.nrrd"), labels, ["solid", "fluid"], mirrors=1)
        >>> np.unique(prediction.labels().voxels).tolist()
        [0, 1, 2]
    """
    check_grid(labels, volume.geometry, volume.name)
    check_drawn(labels, organs, volume.name)
    check_every_organ(labels, organs, volume.name)
    grid = working_geometry(volume.geometry, MOST_VOXELS)
    image, probability, sector = organ_probability(volume, labels, len(organs), grid, network=network, mirrors=mirrors)
    features = IntensityFeatures(normalised_grey(image, sector), sector)
    return DrawnPrediction(
        probability, volume.geometry, volume.name, sector, features, drawn=labels.voxels, rules=ALONE
    )
