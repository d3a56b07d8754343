"""Where organs end across the slices of one axis, which networks on these slices cannot know.

A 2-D network sees one slice at a time, and if all labels lie along one axis it often takes what lies beside an organ
for the organ. The promptable network of `propagate` knows how organs end. It is shown the middle half of what was
found, where slices are surest of themselves, as if somebody had drawn it there, and asked for the whole organ: one more
vote. What the vote weighs is measured on labelled slices left out, see `method.ends`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..promptable_network.inputs import log_odds
from ..promptable_network.sharing import shared_probability
from ..promptable_network.starter import load_starter
from ..promptable_network.two_passes import organ_odds
from .decision import dice_threshold
from .pooling import agreed

if TYPE_CHECKING:
    from .slice_voters import SliceVoters

_MIDDLE = 0.5  # of the organ's extent, which the network is shown
_SURE = 0.75  # probability from which on a voxel counts as drawn, or as drawn around
_MIRRORS = 4


def with_ends(voters: SliceVoters, probability: Tensor, grey: Tensor, sector: Tensor, device: torch.device) -> Tensor:
    """Class probabilities (C, I, J, K) with the vote on where organs end, if it has a share; see `ends_vote`.

    Args:
        voters: the 2-D networks of the model, along one axis if there is a share.
        probability: of the votes before.
        grey: (I, J, K) grey values of any scale.
        sector: (I, J, K) bool, voxels that carry image.
        device: where to compute.
    """
    if not voters.ends:
        return probability
    vote = ends_vote(probability, grey, sector, voters.voters[0].axis, device)
    return agreed([probability, vote], [1 - voters.ends, voters.ends])


def ends_vote(probability: Tensor, grey: Tensor, sector: Tensor, axis: int, device: torch.device) -> Tensor:
    """Class probabilities (C, I, J, K) by the promptable network, shown the middle of what was found along an axis."""
    network = load_starter().to(device)
    inside = sector.numpy()
    image = torch.where(sector, grey, grey.min()).numpy()  # as files have it: black outside
    found = [organ * inside for organ in probability[1:].numpy()]
    odds = [log_odds(organ) for organ in found]
    for number, organ in enumerate(found):
        drawn = middle_of(organ, axis)
        if drawn is not None:
            odds[number] = organ_odds(network, image, drawn, mirrors=_MIRRORS)
    return torch.from_numpy(shared_probability(np.stack(odds), np.zeros((1, *inside.shape), np.float32), inside))


def middle_of(organ: NDArray[np.float32], axis: int) -> NDArray[np.float32] | None:
    """(I, J, K) 1 and -1 where the slices in the middle of an organ surely show it or not; None if it is not found.

    Args:
        organ: (I, J, K) its probability.
        axis: of the slices.
    """
    areas = (organ > dice_threshold(organ)).sum(axis=tuple({0, 1, 2} - {axis}))
    shown = np.flatnonzero(areas)
    if not len(shown):
        return None
    numbers = np.arange(len(areas))
    centre = float((numbers * areas).sum() / areas.sum())
    chosen = np.abs(numbers - round(centre)) <= _MIDDLE / 2 * (shown[-1] - shown[0] + 1)
    drawn = (organ > _SURE).astype(np.float32) - (organ < 1 - _SURE)
    np.moveaxis(drawn, axis, 0)[~chosen] = 0
    return np.asarray(drawn, dtype=np.float32)
