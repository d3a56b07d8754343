"""Training of UNeXt and its partner on few labelled and many unlabelled images; each learns from the other.

The method is IDL (arXiv 2509.06495). Its terms are in `objective`, its rounds in `rounds`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..study.setting_sections import DivergenceSettings
from ..training.context import TrainingContext
from ..training.loop import TrainingState, run_training
from ..training.moving_average import average_state, mean_first
from ..training.optimizers import adam_w
from ..training.precision import half_precision
from ..training.schedules import polynomial_decay, warmup_cosine
from ..training.threads import DrawnAhead, second_thread
from .batches import Batch, draw_batch
from .images import TrainingImages
from .objective import images_of_step, weighted_losses
from .pair import NetworkPair
from .rounds import RoundPosition, round_position
from .swin_weights import load_swin_weights

AVERAGE_DECAY = 0.99
GRADIENT_NORM = 5.0


def train_pair(
    images: TrainingImages,
    settings: DivergenceSettings,
    context: TrainingContext,
    start: NetworkPair | None = None,
    after_step: Callable[[int, nn.Module], object] | None = None,
) -> NetworkPair:
    """Train UNeXt and its partner.

    Args:
        images: with labels and without.
        settings: sizes, optimizer, weights of the terms, augmentation, rounds.
        context: of the training.
        start: networks that learn on, in one round that they teach; None for new ones.
        after_step: called after every step with its number, from 0, and the moving average of UNeXt, which it must not
            change.

    Returns:
        The moving averages of the networks in evaluation mode, on the context's device.

    Raises:
        InputError: wrong transformer weights; see `run_training`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.seed)
        pair = NetworkPair(images.classes, settings.transformer_width if settings.partner == "swin-unet" else None)
    if settings.transformer_weights is not None and pair.swin_unet is not None:
        load_swin_weights(pair.swin_unet, Path(settings.transformer_weights))
    if start is not None:
        pair.load_state_dict(start.state_dict())
    device = context.device
    pair = pair.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    average = copy.deepcopy(pair).eval().requires_grad_(False)
    finished = copy.deepcopy(average)  # the averages at the end of the previous round
    rates = {"unext": settings.learning_rate, "swin_unet": settings.transformer_learning_rate}
    optimizer = make_optimizer({network: rates[name] for name, network in pair.networks().items()}, settings)

    def position_of(step: int) -> RoundPosition:
        return round_position(step, settings) if start is None else RoundPosition(2, step, settings.steps)

    def draw(step: int) -> tuple[Batch, torch.Generator]:
        generator = context.generator(step)
        shown = images_of_step(position_of(step), settings)
        return draw_batch(images, settings, shown, generator), generator

    def train_step(step: int, drawn: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        position = position_of(step)
        if position.changes_teachers:
            finished.load_state_dict(average.state_dict())
            pair.load_state_dict(average.state_dict())
            optimizer.state.clear()
        teachers = average if position.round == 1 else finished
        set_learning_rates(optimizer, position, settings)
        batch = drawn.to(device)
        with half_precision(device, on_cpu=True):
            losses = weighted_losses(pair, teachers, batch, settings, position, generator)
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        nn.utils.clip_grad_norm_(pair.parameters(), GRADIENT_NORM)
        optimizer.step()
        average_state(average, pair, mean_first(position.step, AVERAGE_DECAY))
        if after_step is not None:
            after_step(step, average.unext)
        return losses

    with second_thread() as thread:
        ahead = DrawnAhead(draw, settings.steps, thread)
        run_training(
            context,
            steps=settings.steps,
            state=TrainingState({"networks": pair, "averages": average, "finished": finished}, optimizer),
            step_function=lambda step, _: train_step(step, *ahead.take(step)),
            settings={**settings.model_dump(mode="json"), "images": images.digest()},
        )
    return average


def make_optimizer(rates: Mapping[nn.Module, float], settings: DivergenceSettings) -> torch.optim.Optimizer:
    """AdamW, or the SGD with momentum 0.9 of the paper, of networks with a largest learning rate each."""
    groups = [{"params": list(network.parameters()), "largest": rate} for network, rate in rates.items()]
    if settings.optimizer == "adamw":
        return adam_w(groups, settings.learning_rate, settings.weight_decay)
    return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=0.9, weight_decay=settings.weight_decay)


def set_learning_rates(optimizer: torch.optim.Optimizer, position: RoundPosition, settings: DivergenceSettings) -> None:
    """Before a step: in each round warm-up and cosine for AdamW, polynomial decay for SGD."""
    for group in optimizer.param_groups:
        if settings.optimizer == "adamw":
            warmup = max(1, position.steps // 20)
            group["lr"] = warmup_cosine(position.step, position.steps, group["largest"], warmup=warmup)
        else:
            group["lr"] = polynomial_decay(position.step, position.steps, group["largest"])
