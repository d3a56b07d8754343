"""The 2-D candidates of a run, and what they weigh beside those that start from where organs lie."""

from __future__ import annotations

from dataclasses import replace

from ..calibration.shares import Shares
from ..study.stages import Stage
from .cross_fitting import measured_shares
from .run import Run
from .slice_networks import offer_network, slice_trainings, slice_voters, with_slice_votes


def with_slice_networks(run: Run) -> Run:
    """The run with trained 2-D networks, their votes on all volumes, and their share of all votes."""
    trainings = slice_trainings(run)
    for training in trainings[1:]:
        offer_network(run, training)
    voters = slice_voters(run, trainings)
    if voters is None:
        return run
    shares: Shares = measured_shares(run, trainings)
    run.study.events.emit(Stage.CROSS_FITTING, 1, 1, message=shares.told())
    voted = replace(run, slices=voters, shares=shares)
    return replace(voted, volumes=with_slice_votes(voted, voters))
