"""Shared by all rivals: the task, the budget, the loop. A rival adds its network and its loss.

Samples, poses, intensities, optimizer, learning rate and the averaging of weights are our own student's, so that
methods differ only in what they learn from unlabelled volumes.
"""

from __future__ import annotations

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...anatomy.training_volumes import TrainingVolume
from ...imaging.normalisation import IMAGE_CHANNELS
from ...student.augmentation import PoseRange, random_intensity
from ...student.training import AVERAGE_DECAY, GRADIENT_NORM, Sample, draw_sample
from ...study.setting_sections import StudentSettings
from ...training.cross_entropy import soft_cross_entropy
from ...training.moving_average import average_parameters, follows_first
from ...training.optimizers import adam_w
from ...training.precision import half_precision
from ...training.schedules import ramp_up, warmup_cosine
from ...training.seeds import step_seed
from .networks import VolumeUNet

_WARMUP = 0.1  # share of the budget
_RESOLUTION = 10_000  # steps of the schedules, which here run over the spent share of the budget


@dataclass(frozen=True)
class Budget:
    """How long a method may train: so many seconds, or so many steps.

    A number of steps gives the same weights each time; seconds do not, since machines vary.
    """

    seconds: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.seconds is None) == (self.steps is None):
            raise ValueError("a budget is either seconds or steps")

    def spent(self, step: int, seconds: float) -> float:
        """Share of the budget that is spent, from 0 to 1."""
        share = step / self.steps if self.steps is not None else seconds / (self.seconds or 1.0)
        return min(1.0, share)


@dataclass(frozen=True)
class Task:
    """What every method is given.

    Attributes:
        volumes: on their working grids, some with labels.
        classes: organs + 1.
        slice_axis: array axis of the labelled slices.
        settings: of our student: poses, window, learning rate.
        mirrored_axes: axes along which mirror images are plausible.
        device: where networks are trained.
        max_voxels: most voxels along an axis of the grids.
    """

    volumes: Sequence[TrainingVolume]
    classes: int
    slice_axis: int
    settings: StudentSettings
    mirrored_axes: tuple[int, ...]
    device: torch.device
    max_voxels: int

    @property
    def labelled(self) -> list[TrainingVolume]:
        """The volumes that hold a label."""
        return [volume for volume in self.volumes if volume.is_labelled]

    @property
    def pose(self) -> PoseRange:
        """The random poses of all methods."""
        s = self.settings
        return PoseRange(s.rotation_radians, s.scale, s.shift, s.deformation, self.mirrored_axes)

    def draw(self, volumes: Sequence[TrainingVolume], generator: torch.Generator) -> Sample:
        """A random one of `volumes` in a random pose, with random intensities."""
        volume = volumes[int(torch.randint(len(volumes), (1,), generator=generator))]
        return draw_sample(volume, self.pose, self.settings.window, generator)


class Rival(ABC):
    """A method: what it learns from, and what predicts in the end.

    Args:
        task: what it learns from.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    @abstractmethod
    def predictors(self) -> tuple[nn.Module, ...]:
        """Networks on volumes whose mean is the result."""


class Peer(Rival):
    """A method that is trained step by step: its network and the loss of a step."""

    sees_slices = False  # whether its networks are 2-D

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.network = self.build().to(task.device).train()
        self.average = copy.deepcopy(self.network).requires_grad_(False)

    @property
    def learning_rate(self) -> float:
        """The largest of the schedule; that of our student unless a method says otherwise."""
        return self.task.settings.learning_rate

    def build(self) -> nn.Module:
        """The untrained network; a 3-D U-Net unless a method says otherwise."""
        return VolumeUNet(self.task.classes)

    @abstractmethod
    def loss(self, progress: float, generator: torch.Generator) -> Tensor:
        """The loss of one step on samples of its own; `progress` goes from 0 to 1."""

    def predictors(self) -> tuple[nn.Module, ...]:
        """The moving average of the trained network."""
        return (self.average,)

    def update_average(self, step: int) -> None:
        """Follow the trained network after a step."""
        average_parameters(self.average, self.network, follows_first(step, AVERAGE_DECAY))

    def supervised(self, network: nn.Module, sample: Sample) -> tuple[Tensor, Tensor]:
        """Cross-entropy on the labelled voxels of a sample, and the logits behind it."""
        logits = self.logits(network, sample.inputs)
        weighted, weight = (target.to(self.task.device) for target in sample.targets["labels"])
        return soft_cross_entropy(logits, weighted, weight), logits

    def precision(self) -> torch.autocast:
        """Half precision where it is faster, for 2-D networks also on some CPUs."""
        return half_precision(self.task.device, on_cpu=self.sees_slices)

    def logits(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """Logits in float32, whatever they are computed in."""
        with self.precision():
            output: Tensor = network(inputs.to(self.task.device))
        return output.float()


def perturbed(inputs: Tensor, generator: torch.Generator) -> Tensor:
    """The same volume (1, 5, I, J, K) with other random intensities; positions stay."""
    image = random_intensity(inputs[:, :IMAGE_CHANNELS], generator)
    return torch.cat([image, inputs[:, IMAGE_CHANNELS:]], dim=1)


def ramp(progress: float) -> float:
    """`exp(-5 (1 - progress)^2)`, the weight of unlabelled losses over a training (arXiv 1610.02242)."""
    return ramp_up(round(progress * _RESOLUTION), _RESOLUTION)


def train_peer(
    make: Callable[[Task], Rival],
    task: Task,
    budget: Budget,
    seed: int,
    on_step: Callable[[float], None] | None = None,
    after_step: Callable[[float, Rival], None] | None = None,
) -> tuple[tuple[nn.Module, ...], int]:
    """Train a rival until its budget is spent; one that is no `Peer` is done when it is made.

    Args:
        make: the rival.
        task: what it learns from.
        budget: seconds or steps.
        seed: of weights and samples.
        on_step: called before every step with the share of the budget that is spent.
        after_step: called after every step, or once there are none to come, with that share and the rival, which it
            must not change; like that of `on_step`, its time is not part of the budget.

    Returns:
        Its predictors in evaluation mode, and the steps it did.

    Raises:
        ValueError: the task holds no label.
    """
    if not any(volume.is_labelled for volume in task.volumes):
        raise ValueError("a rival needs labels")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        rival = make(task)
        step = 0
        if isinstance(rival, Peer):
            step = _train(rival, budget, seed, on_step, after_step)
        elif after_step is not None:
            after_step(1.0, rival)
    return tuple(network.eval() for network in rival.predictors()), step


def _train(
    peer: Peer,
    budget: Budget,
    seed: int,
    on_step: Callable[[float], None] | None,
    after_step: Callable[[float, Rival], None] | None,
) -> int:
    """Step by step; the number of steps."""
    rate, decay = peer.learning_rate, peer.task.settings.weight_decay
    optimizer = adam_w([{"params": list(peer.network.parameters())}], rate, decay)
    seconds, step = 0.0, 0
    while (progress := budget.spent(step, seconds)) < 1:
        if on_step is not None:
            on_step(progress)
        started = time.monotonic()
        generator = torch.Generator().manual_seed(value := step_seed(seed, "peer", step))
        torch.manual_seed(value)
        for group in optimizer.param_groups:
            at = round(progress * _RESOLUTION)
            group["lr"] = warmup_cosine(at, _RESOLUTION, rate, warmup=round(_WARMUP * _RESOLUTION))
        optimizer.zero_grad()
        peer.loss(progress, generator).backward()
        nn.utils.clip_grad_norm_(peer.network.parameters(), GRADIENT_NORM)
        optimizer.step()
        peer.update_average(step)
        step += 1
        seconds += time.monotonic() - started
        if after_step is not None:
            after_step(budget.spent(step, seconds), peer)
    return step
