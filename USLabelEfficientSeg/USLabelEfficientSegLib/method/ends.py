"""Whether the promptable network knows better where organs end: measured on labelled slices left out.

It is asked in volumes of which the networks have not learnt the labels, as `segmentation.organ_ends` has it, and its
vote is weighed against the pool of all others as these were weighed against each other, see `calibration.stacking`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..anatomy.location_prior import LocationPrior
from ..calibration.shares import Shares
from ..calibration.stacking import HeldOutSlice, share_of_ends
from ..imaging.normalisation import AnatomicalFrame, position_channels
from ..segmentation.organ_ends import ends_vote
from ..segmentation.pooling import agreed
from ..segmentation.slice_voters import SliceVoter, SliceVoters
from ..slice_network.fine_volume import FineVolume
from .fine_volumes import fine_volumes
from .run import Run

_MOST_VOLUMES = 18  # in which it is asked
_MOST_PIXELS = 4_000  # of a slice: neighbours tell the same


@dataclass(frozen=True)
class LeftOut:
    """Volumes, and what has learnt without their labels.

    Attributes:
        names: of the volumes.
        voters: 2-D networks.
        prior: where organs lie.
        frames: of all volumes, by name.
    """

    names: set[str]
    voters: tuple[SliceVoter, ...]
    prior: LocationPrior
    frames: Mapping[str, AnatomicalFrame]


def measured_ends(run: Run, folds: Sequence[LeftOut], shares: Shares) -> float:
    """The share of the vote on where organs end, along the only axis of the networks; 0 if it is not to be asked."""
    if not (run.settings.slice_network.ends and shares.slices):
        return 0.0
    slices: list[HeldOutSlice] = []
    for fold in folds:
        if fold.voters:
            some = sorted(fold.names)[: -(-_MOST_VOLUMES // len(folds))]
            for fine in fine_volumes(run, some):
                slices += _asked(run, fine, fold, shares)
    return share_of_ends(slices)


@torch.inference_mode()
def _asked(run: Run, fine: FineVolume, fold: LeftOut, shares: Shares) -> list[HeldOutSlice]:
    """The labelled slices of a volume, by the vote on ends and by all others."""
    axis, device = fold.voters[0].axis, run.computing.device
    if fine.labels is None or not bool(fine.labels.labelled_along(axis).any()):
        return []
    settings = run.settings.slice_network
    voters = SliceVoters(fold.voters, settings.max_voxels, settings.widths, settings.adaptation)
    votes, weights = list(voters.votes(fine, run.mirrored, device)), [shares.slices]
    if shares.location_helps:
        votes.append(fold.prior(position_channels(fine.shape, fold.frames[fine.name])[None])[0].softmax(dim=0))
        weights.append(1 - shares.slices)
    pooled = agreed(votes, weights)
    both = torch.stack([ends_vote(pooled, fine.grey, fine.sector, axis, device), pooled])
    numbers = torch.nonzero(fine.labels.labelled_along(axis))[:, 0]
    seen = both.movedim(axis + 2, 0)[numbers]
    target = fine.labels.probability.movedim(axis + 1, 0)[numbers]
    known = fine.sector.movedim(axis, 0)[numbers]
    parts = (slice(row, row + 1) for row in range(len(numbers)))
    return [held_out_slice(seen[part], target[part], known[part], False) for part in parts if known[part].any()]


def held_out_slice(votes: Tensor, target: Tensor, known: Tensor, across: bool) -> HeldOutSlice:
    """Of slices (n, 2, C, h, w), (n, C, h, w) and (n, h, w), what is known, thinned."""
    every = max(1, int(known.sum()) // _MOST_PIXELS)
    of_votes, of_target = votes.movedim(0, 2)[:, :, known], target.movedim(0, 1)[:, known]
    return HeldOutSlice(of_votes[..., ::every], of_target[:, ::every], across)
