"""Whole organs from a few slices or strokes drawn in a volume: no study, no training.

The promptable network is asked for one organ after another. Then the organs are normalised against each other, and the
drawing is kept as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..annotation.sparse_labels import UNLABELLED
from ..errors import InputError
from ..imaging.geometry import Geometry
from ..imaging.intensities import normalised_grey
from ..imaging.resampling import resample_axes, working_geometry
from ..imaging.scan import LabelMap, Scan
from ..imaging.sector import sector_mask
from ..segmentation.inference import VolumePrediction
from ..segmentation.intensity_features import IntensityFeatures
from .network import PromptableNetwork
from .starter import load_starter
from .two_passes import MOST_MIRRORS, organ_odds

MOST_VOXELS = 256  # along an axis of the grid of the result
Field = NDArray[np.float32]


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

    def predict(self, volume: Scan, device: torch.device) -> VolumePrediction:
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
) -> VolumePrediction:
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
    _check_drawn(labels, organs, volume.name)
    grid = working_geometry(volume.geometry, MOST_VOXELS)
    image, probability, sector = organ_probability(volume, labels, len(organs), grid, network=network, mirrors=mirrors)
    features = IntensityFeatures(normalised_grey(image, sector), sector)
    return VolumePrediction(probability, volume.geometry, volume.name, sector, features)


def organ_probability(
    volume: Scan,
    labels: LabelMap,
    organs: int,
    grid: Geometry,
    *,
    network: PromptableNetwork | None = None,
    mirrors: int = MOST_MIRRORS,
) -> tuple[Field, Field, NDArray[np.bool_]]:
    """The image on a working grid (i, j, k), its class probabilities (C, i, j, k), and the sector.

    Args:
        volume: the image.
        labels: on the image's grid, of so many `organs`.
        organs: how many there are.
        grid: of the image's extent, see `imaging.resampling`.
        network: what knows organs; by default with the starter weights.
        mirrors: of how many mirror images the result is the mean.
    """
    network = network or load_starter()
    image = resample_axes(volume.voxels, grid.shape)
    sector = sector_mask(image)
    drawn = [_drawn(labels.voxels, label, grid.shape) for label in range(1, organs + 1)]
    odds = np.stack([organ_odds(network, image, of_one, mirrors=mirrors) for of_one in drawn])
    return image, shared_probability(odds, np.stack(drawn), sector), sector


def check_grid(labels: LabelMap, geometry: Geometry, name: str) -> None:
    """Raises `InputError` when labels lie on another grid than their image, the volume of that name."""
    if not labels.geometry.same_grid(geometry):
        problem = f"has another geometry than its image: it {labels.geometry.difference(geometry)}"
        raise InputError(f"label of {name}", problem, "resample the label to the grid of the image")


def _check_drawn(labels: LabelMap, organs: Sequence[str], name: str) -> None:
    counts = np.bincount(labels.voxels.ravel(), minlength=UNLABELLED + 1)
    if counts[UNLABELLED] == labels.voxels.size:
        raise InputError(f"label of {name}", "has nothing drawn (all is 255)", "draw the organs in one slice")
    if counts[UNLABELLED] == 0:
        problem = "is labelled everywhere, and 255 marks nothing as open"
        raise InputError(f"label of {name}", problem, "give 255 to all slices that are to be filled in")
    absent = [organ for label, organ in enumerate(organs, start=1) if not counts[label]]
    if absent:
        problem = f"shows {', '.join(absent)} nowhere"
        raise InputError(f"label of {name}", problem, "draw every organ in a slice, or name only those that are there")


def _drawn(labels: NDArray[np.uint8], label: int, shape: tuple[int, int, int]) -> Field:
    """1 where an organ was drawn, -1 where something else, 0 where nothing, on the working grid."""
    told = labels != UNLABELLED
    signs = np.where(told, np.where(labels == label, np.float32(1), np.float32(-1)), np.float32(0))
    if labels.shape == shape:
        return signs
    cover = resample_axes(told.astype(np.float32), shape)
    return np.where(cover > 0, resample_axes(signs, shape) / np.maximum(cover, 1e-6), np.float32(0)).astype(np.float32)


def shared_probability(odds: Field, drawn: Field, sector: NDArray[np.bool_]) -> Field:
    """Class probabilities (C, i, j, k) of log-odds (C - 1, ...), each against the background."""
    highest = np.maximum(odds.max(axis=0), 0)
    weights = np.concatenate([np.exp(-highest)[None], np.exp(odds - highest)])
    probability = weights / weights.sum(axis=0)
    probability[1:] *= sector
    told = np.abs(drawn).max(axis=0) > 0
    probability[1:] = np.where(told, np.maximum(drawn, 0), probability[1:])
    probability[1:] /= np.maximum(probability[1:].sum(axis=0), 1)
    probability[0] = 1 - probability[1:].sum(axis=0)
    return np.asarray(probability, dtype=np.float32)
