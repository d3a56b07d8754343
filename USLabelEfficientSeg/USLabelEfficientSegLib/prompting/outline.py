"""A quick outline of the organs in a whole volume while its slices are being labelled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..imaging.geometry import Geometry
from ..imaging.resampling import resample_axes, resample_slice, working_geometry
from ..imaging.scan import LabelMap, Scan
from ..imaging.sector import sector_mask
from ..promptable_network.network import PromptableNetwork
from ..promptable_network.sharing import shared_probability
from ..promptable_network.starter import load_starter
from ..promptable_network.two_passes import organ_odds
from ..segmentation.decision import decide, dice_threshold
from .coarse_drawing import CoarseDrawing, coarse_drawing
from .drawing import check_grid
from .drawn_intervals import ALONE, WITH_MODEL, bounds
from .next_slice import Slice, least_certain, next_on_coarse_grid
from .open_ends import beyond_ends
from .opinions import Opinion, opinion_on, pooled_odds
from .organs import believed_sector, shaped_odds

OUTLINE_VOXELS = 96  # along an axis of the grid of an outline: what is seen in a slice view while one paints


@dataclass(frozen=True)
class CoarseVolume:
    """What an outline needs of a volume, whatever is drawn in it.

    Attributes:
        image: (i, j, k) grey values on the coarse grid.
        sector: (i, j, k) which voxels carry image.
        grid: the coarse one.
        geometry: the volume's own grid.
        name: of the volume.
    """

    image: NDArray[np.float32]
    sector: NDArray[np.bool_]
    grid: Geometry
    geometry: Geometry
    name: str


@dataclass(frozen=True)
class Outline:
    """The organs of a volume as far as they are known.

    Attributes:
        labels: on a coarse grid of the volume's extent: 0 background, n the n-th organ.
        volumes_ml: the sum of each organ's probability in millilitres, by name.
        intervals_ml: 90 % prediction intervals of them, by name; see `drawn_intervals`.
        probability: (C, i, j, k) on that grid, of the background and of the organs that are known of.
        shown: the labels of these organs: those drawn anywhere, or all if a model has an opinion on them.
        thresholds: of their probabilities, in labels.
        geometry: the volume's own grid.
    """

    labels: LabelMap
    volumes_ml: dict[str, float]
    intervals_ml: dict[str, tuple[float, float]]
    probability: NDArray[np.float32]
    shown: tuple[int, ...]
    thresholds: tuple[float, ...]
    geometry: Geometry

    def slice_labels(self, axis: int, index: int) -> NDArray[np.uint8]:
        """The labels of a slice, 2-D, across an array axis of the volume's own grid, smoother than the coarse ones."""
        probability = resample_slice(self.probability, self.geometry.shape, axis, index)
        return _labels(probability, self.thresholds, self.shown)

    def next_slice(self, drawn: Collection[Slice]) -> Slice | None:
        """Axis and index of the slice to draw next: of the organ whose volume is least certain, see `next_slice`.

        Args:
            drawn: axis and index of those in which something is drawn.
        """
        organ = self.shown[least_certain(list(self.intervals_ml.values()))]
        return next_on_coarse_grid(self.labels.voxels == organ, drawn, self.geometry.shape, self.geometry.spacing)


def coarse_volume(volume: Scan, max_voxels: int = OUTLINE_VOXELS) -> CoarseVolume:
    """A volume as `outline` sees it, on a grid of at most so many voxels along an axis."""
    grid = working_geometry(volume.geometry, max_voxels)
    image = resample_axes(volume.voxels, grid.shape)
    return CoarseVolume(image, sector_mask(image), grid, volume.geometry, volume.name)


def coarse_opinions(
    volume: CoarseVolume, probability: NDArray[np.float32], network: PromptableNetwork | None = None
) -> tuple[Opinion, ...]:
    """What is thought of each organ of a volume before somebody draws in it; it is the same for all drawings.

    Args:
        volume: the image.
        probability: (C, ...) of the volume's extent by a model, background first.
        network: what knows organs; by default with the starter weights.
    """
    network = network or load_starter()
    priors = (resample_axes(of_one, volume.grid.shape) for of_one in probability[1:])
    return tuple(opinion_on(network, volume.image, prior, mirrors=1) for prior in priors)


def outline(
    volume: Scan | CoarseVolume,
    labels: LabelMap | CoarseDrawing,
    organs: Sequence[str],
    *,
    opinions: Sequence[Opinion] | None = None,
    network: PromptableNetwork | None = None,
) -> Outline:
    """The organs that labelled slices show, continued through the volume, on a coarse grid and by one look.

    Unlike `propagate` it leaves out organs that are drawn nowhere, for one labels them one after the other. With a
    model's opinions it is, on this grid, what `correction.corrected` finds.

    Args:
        volume: the image; who asks again with other labels gives the same `coarse_volume` each time.
        labels: on its grid: 0 background, n the n-th organ, 255 where nothing was drawn; or on its coarse grid.
        organs: names.
        opinions: of a model on every organ, see `coarse_opinions`.
        network: what knows organs; by default with the starter weights.

    Raises:
        InputError: labels on another grid, or that show no organ; with opinions, in which nothing is drawn.

    Examples:
        >>> from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume
        >>> complete = read_label_map("labels/simulated_0000.nrrd")
        >>> voxels = np.full_like(complete.voxels, 255)
        >>> voxels[:, :, ::3] = complete.voxels[:, :, ::3]
        >>> labels = LabelMap(voxels, complete.geometry, complete.name)
        >>> sorted(outline(read_volume("images/simulated_0000.nrrd"), labels, ["solid", "fluid"]).volumes_ml)
        ['fluid', 'solid']
    """
    seen = coarse_volume(volume) if isinstance(volume, Scan) else volume
    if isinstance(labels, LabelMap):
        check_grid(labels, seen.geometry, seen.name)
        drawing = coarse_drawing(labels.voxels, len(organs), seen.grid.shape)
    else:
        drawing = labels
    shown = drawing.shown if opinions is None else tuple(range(1, len(organs) + 1))
    if not (shown and drawing.drawn.slices):
        raise InputError(f"label of {seen.name}", "shows no organ", "draw an organ in a slice")
    network = network or load_starter()
    drawn, how = drawing.signs[[label - 1 for label in shown]], drawing.drawn
    beyond = [beyond_ends(how.ends[label - 1], seen.geometry, seen.grid.shape) for label in shown]
    if opinions is None:
        odds = [organ_odds(network, seen.image, of_one) + moved for of_one, moved in zip(drawn, beyond, strict=True)]
    else:
        odds = [
            pooled_odds(network, seen.image, of_one, opinion, how.slices, moved, mirrors=1)
            for of_one, opinion, moved in zip(drawn, opinions, beyond, strict=True)
        ]
    shaped = shaped_odds(odds, list(drawn), seen.grid.spacing, with_model=opinions is not None)
    probability = shared_probability(shaped, drawn, believed_sector(seen.sector, list(drawn)))
    names, voxel_ml = [organs[label - 1] for label in shown], seen.grid.voxel_volume_ml
    ml = {
        name: float(of_one.sum(dtype=np.float64)) * voxel_ml
        for name, of_one in zip(names, probability[1:], strict=True)
    }
    intervals = {}
    for name, label, of_one in zip(names, shown, probability[1:], strict=True):
        low, high = bounds(of_one, how.told[label - 1], ALONE if opinions is None else WITH_MODEL)
        intervals[name] = (low * voxel_ml, high * voxel_ml)
    thresholds = tuple(dice_threshold(of_one) for of_one in probability[1:])
    found = LabelMap(_labels(probability, thresholds, shown), seen.grid, seen.name)
    return Outline(found, ml, intervals, probability, shown, thresholds, seen.geometry)


def _labels(probability: NDArray[np.float32], thresholds: Sequence[float], shown: Sequence[int]) -> NDArray[np.uint8]:
    """The labels (...) of probabilities (C, ...)."""
    return np.array([0, *shown], np.uint8)[decide(probability, list(thresholds))]
