"""What a 2-D network in training finds: the live preview, and models that can be used before the training ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..anatomy.training_volumes import TrainingVolume
from ..calibration.shares import Shares
from ..disk.study_layout import FIRST_MODEL_NAME
from ..imaging.resampling import resample_axes
from ..segmentation.model import SegmentationModel
from ..segmentation.preview import LivePreview, PreviewOfVolumes
from ..segmentation.slice_voters import SliceVoter, SliceVoters
from ..slice_network.fine_volume import FineVolume
from .fine_volumes import fine_volumes
from .run import Run
from .slice_networks import SliceTraining
from .voting import Students, voting_model

AfterStep = Callable[[int, nn.Module], None]
_FIRST_USABLE = 0.25  # share of the steps after which a network has learnt its labelled slices
SECONDS_BETWEEN_MODELS = 60.0


def observed(run: Run, training: SliceTraining, before: Sequence[SliceVoter]) -> AfterStep:
    """The calls with a network after every step: live preview, first models, and the run's observer.

    Args:
        run: with the shares of the votes.
        training: of the network.
        before: the networks that were trained before and vote with it.
    """
    present = _present_model(run, training, before)
    preview, observer = _preview(run, training, present), run.computing.observer
    saved: float | None = None

    def after_step(step: int, network: nn.Module) -> None:
        nonlocal saved
        preview(step, network)
        done = (step + 1) / training.steps
        if observer is not None:
            observer(training.stage, done, lambda: present(network))
        now = time.monotonic()
        if done >= _FIRST_USABLE and (saved is None or now - saved > SECONDS_BETWEEN_MODELS):
            present(network).save(run.folder / FIRST_MODEL_NAME)
            if saved is None:
                told = "a first model can be used while the training goes on"
                run.study.events.emit(training.stage, step + 1, training.steps, message=told)
            saved = now

    return after_step


def watched(run: Run, training: SliceTraining) -> AfterStep:
    """The live preview of a network that learns without the labels of a fold, alone: nobody else has learnt yet."""
    return _preview(run, training, _present_model(replace(run, shares=Shares(1.0, by_settings=True)), training, ()))


def _present_model(
    run: Run, training: SliceTraining, before: Sequence[SliceVoter]
) -> Callable[[nn.Module], SegmentationModel]:
    """Makes a network in training, those before it, and the place if it votes, a model without intervals."""

    def present(network: nn.Module) -> SegmentationModel:
        settings = run.settings.slice_network
        voters = (*before, SliceVoter(network, training.axis, training.size))
        slices = SliceVoters(voters, settings.max_voxels, settings.widths, settings.adaptation, run.shares.ends)
        return voting_model(replace(run, slices=slices), Students())

    return present


def _preview(run: Run, training: SliceTraining, present: Callable[[nn.Module], SegmentationModel]) -> LivePreview:
    fine: dict[str, FineVolume] = {}  # the one that is watched

    def votes(volume: TrainingVolume, model: SegmentationModel) -> list[Tensor]:
        assert model.slices is not None
        if volume.name not in fine:
            fine.clear()
            fine[volume.name] = next(fine_volumes(run, {volume.name}))
        # Without mirror images: it is looked at for some seconds.
        found = model.slices.votes(fine[volume.name], (), run.computing.device)
        return [torch.from_numpy(resample_axes(vote.numpy(), volume.shape)) for vote in found]

    volumes = {volume.name: volume for volume in run.volumes}
    segmented = PreviewOfVolumes(run.study, volumes, present, run.computing.device, votes)
    return LivePreview(run.study, volumes, segmented, (training.stage, training.steps))
