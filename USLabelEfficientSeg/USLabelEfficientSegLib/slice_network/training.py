"""Training of a 2-D network on a few labelled slices, and on all others what its own average says about them.

    loss = CE + Dice / 2 on labelled slices + the same on lines that slices of other axes label, see `slices`
         + r(t) (CE of sure pixels + Dice / 2) on unlabelled slices + presence of every organ, see `presence`

The moving average predicts a slice as it is (mean teacher, arXiv 1703.01780); the network must say the same of the
slice in another pose and with disturbed intensities, where the average is sure (FixMatch, arXiv 2001.07685). What the
few labelled slices do not show, other depths, gains and sizes, it learns from the others. All unlabelled slices of a
step are of one volume.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..divergence.augmentation import move
from ..study.setting_sections import SliceNetworkSettings
from ..training.context import TrainingContext
from ..training.loop import TrainingState, run_training
from ..training.moving_average import average_state, follows_first
from ..training.optimizers import adam_w
from ..training.precision import half_precision
from ..training.schedules import warmup_cosine
from ..training.threads import DrawnAhead, second_thread
from .batches import Batch, Labelled, draw_batch
from .network import SliceUNet
from .presence import absence, least_pixels
from .slices import AxisSlices
from .starter import load_starter, start_from

AVERAGE_DECAY = 0.99
GRADIENT_NORM = 5.0
_SURE = 0.8  # least probability of a class that the network is to repeat
_ALONE = 0.25  # share of the steps with labelled slices only: before, the average knows nothing
_RAMP = 0.2  # share of the steps in which what the average says gains its full weight


def train_slice_network(
    slices: AxisSlices,
    settings: SliceNetworkSettings,
    context: TrainingContext,
    *,
    steps: int,
    flips: tuple[bool, bool] = (False, False),
    after_step: Callable[[int, nn.Module], None] | None = None,
) -> nn.Module:
    """Train one network.

    Args:
        slices: labelled and unlabelled ones, see `slices.slices_to_learn`.
        settings: batch, learning rate, poses.
        context: of the training.
        steps: of the training.
        flips: whether mirror images along rows and columns are plausible.
        after_step: called after every step with its number and the averaged network, which it must not change.

    Returns:
        The moving average in evaluation mode, on the context's device.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.seed)
        untrained = SliceUNet(slices.images.classes, widths=settings.widths)
    if settings.starter:
        start_from(load_starter(), untrained)
    device = context.device
    network: nn.Module = untrained.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimizer = adam_w([{"params": list(network.parameters())}], settings.learning_rate, settings.weight_decay)

    pixels = least_pixels(slices.images)
    # Earlier networks asked for no presence, and knew no volumes: what they were made of is told as then.
    made_of = slices.digest() if settings.presence or slices.crossed else slices.images.digest()

    def draw(step: int) -> Batch:
        return draw_batch(slices, settings, flips, step >= _ALONE * steps, context.generator(step))

    def train_step(step: int, batch: Batch) -> dict[str, Tensor]:
        losses = {"labels": _supervised(network, batch.labelled, device)}
        if batch.crossed is not None:
            losses["lines"] = _supervised(network, batch.crossed, device)
        if len(batch.others):
            ramp = min(1.0, (step / steps - _ALONE) / _RAMP)
            log_p, said = _of_others(network, average, batch, device)
            losses["consistency"] = settings.consistency * ramp * _consistency(log_p, said)
            losses["presence"] = settings.presence * absence(log_p, pixels)
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
        optimizer.step()
        average_state(average, network, follows_first(step, AVERAGE_DECAY))
        if after_step is not None:
            after_step(step, average)
        return losses

    with second_thread() as thread:
        ahead = DrawnAhead(draw, steps, thread)
        run_training(
            context,
            steps=steps,
            state=TrainingState({"network": network, "average": average}, optimizer),
            step_function=lambda step, _: train_step(step, ahead.take(step)),
            settings={**settings.model_dump(mode="json"), "flips": list(flips), "images": made_of},
            learning_rate=lambda step: warmup_cosine(step, steps, settings.learning_rate, warmup=max(1, steps // 20)),
        )
    return average.eval()


def _supervised(network: nn.Module, slices: Labelled, device: torch.device) -> Tensor:
    with half_precision(device, on_cpu=True):
        logits = network(slices.images.to(device))
    log_p, target, weight = logits.float().log_softmax(dim=1), slices.target.to(device), slices.weight.to(device)
    entropy = -(target * log_p).sum() / weight.sum().clamp_min(1)
    return entropy + _dice_loss(log_p.exp() * weight[:, None], target) / 2


def _of_others(network: nn.Module, average: nn.Module, batch: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    """Log-probabilities of the disturbed slices, and what the average says of them as they are, both (U, C, H, W)."""
    with torch.no_grad(), half_precision(device, on_cpu=True):
        said = average(batch.others.to(device)).float().softmax(dim=1)
    moved = move(said, batch.grids.to(device))
    moved[:, 0] += 1 - moved.sum(dim=1)  # beyond the slice is background
    with half_precision(device, on_cpu=True):
        logits = network(batch.disturbed.to(device))
    return logits.float().log_softmax(dim=1), moved


def _consistency(log_p: Tensor, said: Tensor) -> Tensor:
    """Cross-entropy and Dice with what the average says, sharpened."""
    sharp = said.square() / said.square().sum(dim=1, keepdim=True).clamp_min(1e-6)
    sure = (sharp.amax(dim=1, keepdim=True) > _SURE).float()
    entropy = -(sure * sharp * log_p).sum(dim=1).mean()
    return entropy + _dice_loss(log_p.exp(), sharp) / 2


def _dice_loss(probability: Tensor, target: Tensor) -> Tensor:
    """1 - soft Dice of the organs (B, C, H, W) over the whole batch."""
    over = (0, 2, 3)
    overlap = (probability * target).sum(over)[1:]
    extent = (probability.sum(over) + target.sum(over))[1:]
    return 1 - ((2 * overlap + 1) / (extent + 1)).mean()
