"""The 2-D candidates of a run, and what they weigh beside those that start from where organs lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..segmentation.slice_voters import SliceVoter, SliceVoters
from ..study.stages import Stage
from .cross_fitting import measured_shares
from .present_model import observed
from .run import Run
from .slice_networks import SliceTraining, offer_network, slice_trainings, trained_network, with_slice_votes


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


def slice_voters(run: Run, trainings: Sequence[SliceTraining]) -> SliceVoters:
    """The trained networks."""
    voters: list[SliceVoter] = []
    for each in trainings:
        network = trained_network(run, each, observed(run, each, tuple(voters)))
        voters.append(SliceVoter(network, each.axis, each.size))
    settings = run.settings.slice_network
    return SliceVoters(tuple(voters), settings.max_voxels, settings.widths, settings.adaptation, run.shares.ends)
