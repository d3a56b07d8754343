"""Training of the 3-D student: true labels where there are any, pseudo-labels elsewhere, and distillation.

    loss = CE(labels) + a CE(pseudo-labels) + b (correlation within slices + correlation between slices)

Half of all samples are labelled volumes, as published (CDKD, doi 10.1016/j.ultrasmedbio.2025.12.014), or all where none
has pseudo-labels or features. The result is the exponential moving average of the weights.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..anatomy.location_prior import LocationPrior
from ..anatomy.training_volumes import TrainingVolume
from ..imaging.normalisation import mirrored_positions
from ..study.setting_sections import StudentSettings
from ..training.context import TrainingContext
from ..training.cross_entropy import soft_cross_entropy
from ..training.loop import TrainingState, run_training
from ..training.moving_average import average_parameters, follows_first
from ..training.optimizers import adam_w
from ..training.precision import half_precision
from ..training.schedules import warmup_cosine
from ..training.threads import DrawnAhead, second_thread
from .augmentation import PoseRange, random_grid, random_intensity, random_mirror, warp
from .build import StudentDesign, build_student
from .convolution import with_weight_gradients_beside
from .correlation import correlation_distillation, random_positions
from .network import Steps, UNetStudent
from .weight_gradients import WeightGradients

AVERAGE_DECAY = 0.99
SETTLED = 1_000  # steps after which the average has its full decay: trained weights are worth keeping
LABELLED_SHARE = 0.5
GRADIENT_NORM = 5.0


@dataclass(frozen=True)
class Sample:
    """One volume in a random pose: inputs (1, 5, ...), targets, and the grid that took it there."""

    volume: TrainingVolume
    inputs: Tensor
    targets: Mapping[str, tuple[Tensor, Tensor]]
    grid: Tensor


def train_student(
    volumes: Sequence[TrainingVolume],
    design: StudentDesign,
    settings: StudentSettings,
    context: TrainingContext,
    *,
    mirrored_axes: tuple[int, ...],
    start: nn.Module | None = None,
    after_step: Callable[[int, nn.Module], None] | None = None,
) -> nn.Module:
    """Train one student.

    Args:
        volumes: with true labels, pseudo-labels and teacher features, each where there are any.
        design: of the network.
        settings: steps, learning rate, weights of the losses, poses.
        context: of the training; its identity tells what the volumes and pseudo-labels are made from.
        mirrored_axes: axes along which mirror images are as plausible as the volumes themselves.
        start: a trained student of the same design that learns on; or the location prior of a new one, log-odds by
            position that its logits are added to; None: a new one to which every place is alike.
        after_step: called after every step with its number and the averaged student, which it must not change.

    Returns:
        The averaged student in evaluation mode, on the context's device.
    """
    network = _new_student(design, context.seed, start)
    learns_on = start is not None and not isinstance(start, LocationPrior)
    device, group = context.device, context.group
    memory_format = torch.channels_last_3d if device.type == "cuda" else torch.contiguous_format
    network = network.to(device).requires_grad_(True).train()
    network = network.to(memory_format=memory_format)  # type: ignore[call-overload]
    average = copy.deepcopy(network).requires_grad_(False)
    optimizer = adam_w([{"params": list(network.parameters())}], settings.learning_rate, settings.weight_decay)
    pose = PoseRange(settings.rotation_radians, settings.scale, settings.shift, settings.deformation, mirrored_axes)
    labelled = [volume for volume in volumes if volume.is_labelled]
    taught = [volume for volume in volumes if volume.proposed is not None or volume.seen is not None]

    def losses_of(sample: Sample, generator: torch.Generator) -> dict[str, Tensor]:
        inputs = sample.inputs.to(device, memory_format=memory_format)
        with half_precision(device):
            logits, features = network.forward_with_features(inputs)
        losses = {
            name: soft_cross_entropy(logits.float(), weighted.to(device), weight.to(device))
            for name, (weighted, weight) in sample.targets.items()
        }
        if sample.volume.seen is not None and settings.correlation_weight > 0:
            maps = torch.tensor(sample.volume.seen()).float()  # a copy: the file is read-only
            losses["correlation"] = _correlation(
                maps,
                features.float(),
                sample.grid,
                network.cell,
                design.slice_axis,
                settings.correlation_slices,
                generator,
            )
        return losses

    def draw(step: int) -> tuple[list[Sample], torch.Generator]:
        generator = context.generator(step)
        samples = []
        for _ in range(group.share(settings.batch_size)):
            from_labelled = not taught or float(torch.rand(1, generator=generator)) < LABELLED_SHARE
            pool = labelled if from_labelled else taught
            volume = pool[int(torch.randint(len(pool), (1,), generator=generator))]
            samples.append(draw_sample(volume, pose, settings.window, generator))
        return samples, generator

    def train_step(
        step: int, samples: Sequence[Sample], generator: torch.Generator, gradients: WeightGradients | None
    ) -> dict[str, Tensor]:
        optimizer.zero_grad()
        seen: dict[str, Tensor] = {}
        for sample in samples:
            losses = losses_of(sample, generator)
            factors = {"pseudo-labels": settings.pseudo_label_weight, "correlation": settings.correlation_weight}
            total = torch.stack([factors.get(name, 1.0) * loss for name, loss in losses.items()]).sum()
            (total / len(samples)).backward()
            if gradients is not None:
                gradients.finish()
            seen |= losses
        group.average_gradients(network.parameters())
        nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
        optimizer.step()
        average_parameters(average, network, follows_first(step + (SETTLED if learns_on else 0), AVERAGE_DECAY))
        if after_step is not None:
            after_step(step, average)
        return seen

    with second_thread() as thread, with_weight_gradients_beside(network, thread) as gradients:
        ahead = DrawnAhead(draw, settings.steps, thread)
        run_training(
            context,
            steps=settings.steps,
            state=TrainingState({"network": network, "average": average}, optimizer),
            step_function=lambda step, _: train_step(step, *ahead.take(step), gradients),
            settings={**settings.model_dump(mode="json"), **design.model_dump(mode="json")},
            learning_rate=lambda step: warmup_cosine(
                step, settings.steps, settings.learning_rate, warmup=settings.steps // 10
            ),
        )
    return average.eval()


def _new_student(design: StudentDesign, seed: int, start: nn.Module | None) -> nn.Module:
    """A student with random weights, or those that `train_student` starts from."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_student(design)
    if isinstance(start, LocationPrior):
        if isinstance(network, UNetStudent):
            network.prior.load_state_dict(start.state_dict())
    elif start is not None:
        network.load_state_dict(start.state_dict())
    return network


def draw_sample(volume: TrainingVolume, pose: PoseRange, window: int, generator: torch.Generator) -> Sample:
    """A volume and its targets in a random pose and with random intensities, cut to a window if it is larger."""
    mirrored = random_mirror(pose, generator)
    grid = random_grid(volume.shape, volume.spacing, pose, generator, mirrored)
    targets = {
        name: target
        for name, target in (("labels", volume.labels), ("pseudo-labels", volume.pseudo))
        if target is not None
    }
    anchor = None
    if "labels" in targets and max(volume.shape) > window:
        anchor = warp(targets["labels"].weight[None, None], grid)[0, 0]
    i, j, k = _window(volume.shape, window, anchor, generator)
    grid = grid[:, i, j, k]
    maps = [volume.image.float(), *(torch.cat([target.weighted, target.weight[None]]) for target in targets.values())]
    image, *moved = warp(torch.cat(maps)[None], grid).split([len(each) for each in maps], dim=1)
    image = random_intensity(image, generator)
    position = mirrored_positions(volume.position, mirrored)[:, i, j, k]
    warped = {name: (both[:, :-1], both[:, -1]) for name, both in zip(targets, moved, strict=True)}
    return Sample(volume, torch.cat([image, position[None]], dim=1), warped, grid)


def _window(
    shape: tuple[int, int, int], window: int, anchor: Tensor | None, generator: torch.Generator
) -> tuple[slice, slice, slice]:
    """A random window of at most `window` voxels a side; if anything is labelled, it holds a labelled voxel."""
    centre = [int(torch.randint(n, (1,), generator=generator)) for n in shape]
    if anchor is not None:
        candidates = (anchor > 0).nonzero()
        if len(candidates):
            centre = candidates[int(torch.randint(len(candidates), (1,), generator=generator))].tolist()
    starts = [min(max(c - window // 2, 0), max(n - window, 0)) for c, n in zip(centre, shape, strict=True)]
    i, j, k = (slice(start, start + window) for start in starts)
    return i, j, k


def _correlation(
    teacher: Tensor,
    student: Tensor,
    grid: Tensor,
    cell: Steps,
    slice_axis: int,
    count: int,
    generator: torch.Generator,
) -> Tensor:
    """Correlation distillation on `count` random slices; the teacher's features follow the pose of the sample.

    Args:
        teacher: features (n, C, h, w) of all slices of the volume along `slice_axis`.
        student: features (1, C', i, j, k) of the volume in its pose.
        grid: the pose, see `random_grid`.
        cell: voxels that a feature of the student stands for, along each axis.
        slice_axis: array axis.
        count: slices to compare.
        generator: of slices, positions and partners.
    """
    cells = student.shape[2:]
    coarse_grid = poses_of_cells(grid, cells, cell)
    posed = warp(teacher.movedim(0, 1).movedim(1, slice_axis + 1)[None], coarse_grid).to(student.device)
    chosen = torch.randperm(cells[slice_axis], generator=generator)[:count].to(student.device)
    of_teacher, of_student = (maps[0].movedim(slice_axis + 1, 0)[chosen] for maps in (posed, student))
    positions = random_positions(len(chosen), generator).to(student.device)
    permutation = torch.randperm(len(chosen), generator=generator).to(student.device)
    within, between = correlation_distillation(of_teacher, of_student, positions, permutation)
    return within + between


def poses_of_cells(grid: Tensor, cells: Sequence[int], cell: Steps) -> Tensor:
    """A pose (1, I, J, K, 3) at the centres of the student's feature cells, each of `cell` voxels.

    They start at the volume's first corner; the last ones may reach beyond the volume, which the student has padded to
    whole cells.
    """
    missing = [count * side - n for n, count, side in zip(grid.shape[1:4], cells, cell, strict=True)]
    padded = F.pad(grid.permute(0, 4, 1, 2, 3), [x for n in reversed(missing) for x in (0, n)], mode="replicate")
    return F.interpolate(padded, size=tuple(cells), mode="trilinear").permute(0, 2, 3, 4, 1)
