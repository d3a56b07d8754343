"""The 2-D candidates of a run, and what they weigh beside those that start from where organs lie."""

from __future__ import annotations

from dataclasses import replace

from ..study.stages import Stage
from .cross_fitting import measured_shares
from .run import Run
from .slice_networks import offer_network, slice_trainings, slice_voters, with_slice_votes


def with_slice_networks(run: Run) -> Run:
    """The run with trained 2-D networks, their votes on all volumes, and their share of all votes.

    Without them if the settings want none, or if the location prior beats them soundly on slices left out.
    """
    trainings = slice_trainings(run)
    if not trainings:
        return run
    weighed = replace(run, shares=measured_shares(run, trainings))
    run.study.events.emit(Stage.CROSS_FITTING, 1, 1, message=weighed.shares.told())
    if not weighed.shares.slices:
        return weighed
    if run.alone is not None and not weighed.shares.students_help:
        weighed = replace(weighed, settings=run.alone)
        trainings = [replace(training, steps=run.alone.slice_network.steps) for training in trainings]
    for training in trainings[1:]:
        offer_network(weighed, training)
    voters = slice_voters(weighed, trainings)
    voted = replace(weighed, slices=voters)
    return replace(voted, volumes=with_slice_votes(voted, voters))
