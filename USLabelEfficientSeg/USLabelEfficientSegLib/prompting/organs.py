"""All organs of a volume on a working grid: the network is asked for one after another, then they share the voxels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..imaging.geometry import Geometry
from ..imaging.resampling import resample_axes
from ..imaging.scan import LabelMap, Scan
from ..imaging.sector import sector_mask
from ..promptable_network.network import PromptableNetwork
from ..promptable_network.sharing import shared_probability
from ..promptable_network.starter import load_starter
from ..promptable_network.two_passes import MOST_MIRRORS, organ_odds
from .between_slices import pooled_with_shape
from .drawing import how_much, signs_of
from .open_ends import beyond_ends
from .opinions import opinion_on, pooled_odds

Field = NDArray[np.float32]
_OUTSIDE = 0.1  # of a drawn organ: more than that lies outside of no sector


def organ_probability(
    volume: Scan,
    labels: LabelMap,
    organs: int,
    grid: Geometry,
    *,
    opinion: Field | None = None,
    network: PromptableNetwork | None = None,
    mirrors: int = MOST_MIRRORS,
) -> tuple[Field, Field, NDArray[np.bool_]]:
    """The image on a working grid (i, j, k), its class probabilities (C, i, j, k), and the sector.

    Args:
        volume: the image.
        labels: on the image's grid, of so many `organs`.
        organs: how many there are.
        grid: of the image's extent, see `imaging.resampling`.
        opinion: a model's class probabilities (C, ...) of the image's extent, see `opinions`; without one every organ
            has to be drawn.
        network: what knows organs; by default with the starter weights.
        mirrors: of how many mirror images the result is the mean.
    """
    network = network or load_starter()
    image = resample_axes(volume.voxels, grid.shape)
    amount = how_much(labels.voxels, organs)
    drawn = [signs_of(labels.voxels, label, grid.shape) for label in range(1, organs + 1)]
    sector = believed_sector(sector_mask(image), drawn)
    beyond = [beyond_ends(ends, volume.geometry, grid.shape) for ends in amount.ends]
    if opinion is None:
        odds = [
            organ_odds(network, image, of_one, mirrors=mirrors) + moved
            for of_one, moved in zip(drawn, beyond, strict=True)
        ]
    else:
        odds = []
        for of_one, prior, moved in zip(drawn, opinion[1:], beyond, strict=True):
            thought = opinion_on(network, image, resample_axes(prior, grid.shape), mirrors=mirrors)
            odds.append(pooled_odds(network, image, of_one, thought, amount.slices, moved, mirrors=mirrors))
    shaped = shaped_odds(odds, drawn, grid.spacing, with_model=opinion is not None)
    return image, shared_probability(shaped, np.stack(drawn), sector), sector


def believed_sector(sector: NDArray[np.bool_], drawn: Sequence[Field]) -> NDArray[np.bool_]:
    """The sector, or all of the volume where the sector leaves out what somebody has drawn as an organ.

    Dark fluid before dark tissue with little speckle looks like the outside of a sector.

    Args:
        sector: (i, j, k) as it was found.
        drawn: (i, j, k) of each organ, 1 where it was drawn.
    """
    for signs in drawn:
        organ = signs > 0
        if np.count_nonzero(organ & ~sector) > _OUTSIDE * np.count_nonzero(organ):
            return np.ones_like(sector)
    return sector


def shaped_odds(
    odds: Sequence[Field], drawn: Sequence[Field], spacing: tuple[float, float, float], *, with_model: bool
) -> Field:
    """Log-odds (C - 1, i, j, k) of organs, each pooled with the shape of its drawn sections, see `between_slices`."""
    pairs = zip(odds, drawn, strict=True)
    return np.stack([pooled_with_shape(of_one, signs, spacing, with_model=with_model) for of_one, signs in pairs])
