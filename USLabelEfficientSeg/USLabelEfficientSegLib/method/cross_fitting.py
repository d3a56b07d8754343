"""What works in this study: candidates learn without some labelled volumes, and predict the slices of these.

Trained on all labels, a network knows its labelled slices by heart; only slices that had no part in its training tell
how it will do. So the labelled volumes are divided into folds; the 2-D networks and the location prior learn from the
other folds, and `calibration.stacking` finds what they weigh.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ..anatomy.alignment import align_group
from ..anatomy.kept import OnDemand
from ..anatomy.location_prior import LocationPrior, fit_location_prior
from ..calibration.shares import BEATEN, ONE_OF_SEVERAL, ONLY_VOLUME, Shares
from ..calibration.stacking import HeldOutSlice, share_of_networks
from ..disk.study_layout import WEIGHTS_SUFFIX
from ..imaging.normalisation import AnatomicalFrame, position_channels
from ..segmentation.slice_voters import SliceVoter
from ..slice_network.adaptation import adapted
from ..slice_network.fine_volume import FineVolume
from ..slice_network.prediction import predict_slices
from ..slice_network.slices import LINE, crossed_numbers
from ..study.stages import NumberedStage, Stage
from ..teacher.slices import in_slice_axes
from .ends import LeftOut, held_out_slice, measured_ends
from .fine_volumes import fine_volumes
from .plan import FOLDS, SHARE_OF_STEPS
from .present_model import watched
from .run import Run, labels_of, stop_if
from .slice_networks import SliceTraining, offer_network, trained_network

_MOST_CROSSED = 24  # slices of a volume of which lines are labelled


def measured_shares(run: Run, trainings: Sequence[SliceTraining]) -> Shares:
    """Cross-fit the candidates, and weigh them by the slices left out."""
    if not run.settings.location_prior:
        return Shares(1.0, by_settings=True)
    folds = folds_of(run)
    parts = [fold_trainings(run, trainings, number, fold) for number, fold in enumerate(folds)]
    for training in (each for part in parts for each in part):
        offer_network(run, training)
    held_out: list[HeldOutSlice] = []
    left_out = []
    for fold, part in zip(folds, parts, strict=True):
        voters = [SliceVoter(trained_network(run, each, watched(run, each)), each.axis, each.size) for each in part]
        without = LeftOut(fold, tuple(voters), *prior_without(run, fold))
        left_out.append(without)
        for fine in fine_volumes(run, fold):
            for voter in voters:
                held_out += held_out_slices(run, fine, voter, without.prior, without.frames[fine.name])
    if not held_out:
        return Shares(ONLY_VOLUME if len(run.volumes) == 1 else ONE_OF_SEVERAL)
    share, dice = share_of_networks(held_out)
    shares = Shares(share if share >= BEATEN else 0.0, len(held_out), dice)
    if len(trainings) > 1 or any(each.across for each in held_out):  # slices across show where organs end
        return shares
    return replace(shares, ends=measured_ends(run, left_out, shares))


def folds_of(run: Run) -> list[set[str]]:
    """The labelled volumes in up to three parts of about as many that show an organ; none if fewer than two do."""
    # As labelled: a slice fills less than half of a voxel of the coarse grid.
    labelled = {case.name: case.labels for case in run.study.cases if case.labels is not None}
    showing = [name for name, record in labelled.items() if any(record.organ_slices)]
    count = min(FOLDS, len(showing))
    if count < 2:
        return []
    rest = [name for name in labelled if name not in showing]
    draws = np.random.default_rng(run.settings.seed)
    ordered = [*draws.permutation(showing).tolist(), *draws.permutation(rest).tolist()]
    return [set(ordered[number::count]) for number in range(count)]


def fold_trainings(run: Run, trainings: Sequence[SliceTraining], number: int, fold: set[str]) -> list[SliceTraining]:
    """The networks that learn without the labels of a fold."""
    parts = []
    for place, training in enumerate(trainings):
        slices = training.slices.without_labels_of(fold)
        if slices is not None:
            stage = str(NumberedStage(Stage.CROSS_FITTING, member=1 + number * len(trainings) + place))
            file = f"slices_{training.axis}_without_{number}{WEIGHTS_SUFFIX}"
            steps = math.ceil(SHARE_OF_STEPS * training.steps)
            parts.append(replace(training, slices=slices, stage=stage, file=file, steps=steps))
    return parts


def prior_without(run: Run, fold: set[str]) -> tuple[LocationPrior, dict[str, AnatomicalFrame]]:
    """The location prior of the labels outside of a fold, and the frames that it is told of: lined up without them."""
    others = [volume for volume in run.labelled if volume.name not in fold]
    targets = labels_of(others)
    frames = {volume.name: AnatomicalFrame() for volume in run.volumes}
    prior = fit_location_prior(targets, OnDemand(others, lambda volume: position_channels(volume.shape)))
    if not run.settings.alignment:
        return prior, frames

    def progress(step: int, steps: int) -> None:
        stop_if(run.computing.cancelled, f"alignment stopped after {step - 1} of {steps} steps")

    aligned, _ = align_group(run.greys, prior, progress)
    frames = {volume.name: frame for volume, frame in zip(run.volumes, aligned, strict=True)}
    positions = OnDemand(others, lambda volume: position_channels(volume.shape, frames[volume.name]))
    return fit_location_prior(targets, positions), frames


@torch.inference_mode()
def held_out_slices(
    run: Run, fine: FineVolume, voter: SliceVoter, prior: LocationPrior, frame: AnatomicalFrame
) -> list[HeldOutSlice]:
    """The labels of a volume as a network and the prior predict them: slices along its axis, and lines across others.

    Slices through the middle of an organ do not tell whether a network finds the organ's ends. Labelled slices of
    other axes do, where they cross those of the network's.
    """
    if fine.labels is None:
        return []
    axis = voter.axis
    labelled, crossed = fine.labels.labelled_along(axis), crossed_numbers(fine.labels, axis, _MOST_CROSSED)
    numbers = torch.cat([torch.nonzero(labelled)[:, 0], crossed])
    if not len(numbers):
        return []
    share = run.settings.slice_network.adaptation
    network = adapted(voter.network, fine.grey, fine.spacing, axis, voter.size, share=share)
    predicted = predict_slices(
        network, fine.grey, fine.spacing, axis, voter.size, mirrored_axes=run.mirrored, numbers=numbers
    )
    places = position_channels(fine.shape, frame).index_select(axis + 1, numbers)
    located = prior(places[None])[0].softmax(dim=0)
    # Seen along the axis: (slices, ...).
    votes = torch.stack([vote.movedim(axis + 1, 0) for vote in (predicted, located)], dim=1)
    target = fine.labels.probability.movedim(axis + 1, 0)[numbers]
    known = fine.sector.movedim(axis, 0)[numbers]
    slices = int(labelled.sum())
    known[slices:] &= fine.labels.weight.movedim(axis, 0)[crossed] > LINE
    parts = [slice(row, row + 1) for row in range(slices)] + [slice(slices, len(numbers))] * (slices < len(numbers))
    across = any(bool(fine.labels.labelled_along(other).any()) for other in in_slice_axes(axis))
    return [held_out_slice(votes[part], target[part], known[part], across) for part in parts if known[part].any()]
