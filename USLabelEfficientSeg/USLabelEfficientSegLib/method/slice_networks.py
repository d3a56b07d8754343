"""2-D networks of a run: one along each labelled axis, on slices at the labels' own resolution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from ..anatomy.kept import Again
from ..anatomy.training_volumes import TrainingVolume
from ..disk.study_layout import WEIGHTS_SUFFIX
from ..imaging.resampling import resample_axes
from ..pseudolabels.fusion import FusedPrediction, confidence
from ..segmentation.slice_voters import SliceVoter, SliceVoters
from ..slice_network.slices import AxisSlices, slice_size, slices_to_learn
from ..slice_network.training import train_slice_network
from ..study.coverage import labelled_axes
from ..study.stages import NumberedStage, Stage
from ..teacher.slices import in_slice_axes
from ..training.context import TrainingContext
from .fine_volumes import fine_volumes
from .pseudo_labelling import stored
from .run import Run

_AS_LONG_AS = 5  # steps of a student is one of these networks: a process is worth its start earlier


@dataclass(frozen=True)
class SliceTraining:
    """One network to train.

    Attributes:
        axis: of its slices.
        size: longer side of a slice in pixels.
        slices: that it learns from.
        stage: its name in events.
        file: its checkpoint in the run folder.
        steps: of the training.
    """

    axis: int
    size: int
    slices: AxisSlices
    stage: str
    file: str
    steps: int


def slice_trainings(run: Run) -> list[SliceTraining]:
    """The final networks, one along each axis that has labelled slices; none if the settings want none."""
    settings = run.settings.slice_network
    if not settings.steps:
        return []
    trainings = []
    # As labelled: on the coarse grid many slices of one axis label all others, too.
    for number, axis in enumerate(sorted(labelled_axes(run.study)), start=1):
        size = slice_size(fine_volumes(run), axis, settings.max_voxels)
        slices = slices_to_learn(fine_volumes(run), axis, len(run.volumes), size)
        stage = str(NumberedStage(Stage.SLICE_NETWORK, member=number))
        trainings.append(SliceTraining(axis, size, slices, stage, f"slices_{axis}{WEIGHTS_SUFFIX}", settings.steps))
    return trainings


def trained_network(run: Run, training: SliceTraining, after_step: Callable[[int, nn.Module], None]) -> nn.Module:
    """The network of a training, here or by another process that took it up; that one nobody observes."""
    train, context = training_of(run, training)
    run.computing.beside.settle(context.checkpoint_path)
    return train(context, after_step=after_step)


def offer_network(run: Run, training: SliceTraining) -> None:
    """Another process may train the network now, if a processor is idle, see `training.side_by_side`."""
    run.computing.beside.offer(*training_of(run, training), steps=_AS_LONG_AS * training.steps)


def training_of(run: Run, training: SliceTraining) -> tuple[partial[nn.Module], TrainingContext]:
    """A network's training and its context."""
    rows, columns = (axis in run.mirrored for axis in in_slice_axes(training.axis))
    train = partial(
        train_slice_network,
        training.slices,
        run.settings.slice_network,
        steps=training.steps,
        flips=(rows, columns),
    )
    return train, run.context(training.stage, training.file)


def with_slice_votes(run: Run, voters: SliceVoters) -> list[TrainingVolume]:
    """The run's volumes with the votes of the 2-D networks, averaged to the working grid; made once, and kept."""

    def voted(volume: TrainingVolume) -> TrainingVolume:
        fine = next(fine_volumes(run, {volume.name}))
        votes = []
        for voter in voters.voters:

            def predict(voter: SliceVoter = voter) -> FusedPrediction:
                alone = replace(voters, voters=(voter,))
                vote = next(alone.votes(fine, run.mirrored, run.computing.device))
                probability = torch.from_numpy(resample_axes(vote.numpy(), volume.shape))
                none = torch.zeros(volume.shape)
                return FusedPrediction(probability, none, confidence(none))

            votes.append(Again(stored(run, f"slices_{voter.axis}", volume, predict)))
        return replace(volume, votes=tuple(votes))

    return run.each_volume(Stage.SLICE_VOTES, voted)
