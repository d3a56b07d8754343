"""Training of the two networks: few labelled images, many unlabelled ones, and what each learns from the other.

    loss = 1/2 (CE + Dice) of both on labelled images
         + r(t) (a cross supervision + b information divergence + c interpolation consistency)

with the ramp-up r (IDL, arXiv 2509.06495). Beyond the paper, and only with `strong_views`: on unlabelled images the
averages of the networks decide on a weakly disturbed image what the networks learn on the strongly disturbed one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..study.events import EventLog
from ..study.loop import TrainingState, run_training
from ..study.schedules import polynomial_decay, ramp_up, warmup_cosine
from ..study.settings import DivergenceSettings
from .augmentation import (
    PoseRange,
    beta_shares,
    disturb_as_published,
    disturb_strongly,
    disturb_weakly,
    move,
    random_poses,
)
from .averaging import update_average
from .images import TrainingImages, network_input
from .losses import cross_supervision, information_divergence, interpolation_consistency, mix, supervised_loss
from .swin_unet import SwinUnet
from .swin_weights import load_swin_weights
from .unext import UNeXt

STAGE = "divergence"
AVERAGE_DECAY = 0.99
GRADIENT_NORM = 5.0


class NetworkPair(nn.Module):
    """UNeXt, which is deployed, and Swin-Unet, its partner in training."""

    def __init__(self, classes: int, transformer_width: int) -> None:
        super().__init__()
        self.unext = UNeXt(classes)
        self.swin_unet = SwinUnet(classes, width=transformer_width)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, C, H, W) of both networks, of grey images (B, 1, H, W) in [0, 1]."""
        inputs = network_input(images)
        return self.unext(inputs), self.swin_unet(inputs)


@dataclass(frozen=True)
class Batch:
    """Images in random poses, those with labels first.

    Attributes:
        weak, strong: (L + U, 1, H, W) grey in [0, 1], weakly and strongly disturbed.
        target: (L, C, H, W) class probabilities of the labelled ones.
        weight: (L, H, W) of their pixels.
        inside: (L + U, H, W) 1 where the pose shows the image, 0 outside of it.
    """

    weak: Tensor
    strong: Tensor
    target: Tensor
    weight: Tensor
    inside: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on `device`."""
        return Batch(*(getattr(self, name).to(device) for name in ("weak", "strong", "target", "weight", "inside")))


def train_pair(
    images: TrainingImages,
    settings: DivergenceSettings,
    *,
    checkpoint_path: Path,
    seed: int,
    events: EventLog,
    device: torch.device,
    stage: str = STAGE,
    cancelled: Callable[[], bool] | None = None,
) -> NetworkPair:
    """Train both networks, resuming from `checkpoint_path`.

    Args:
        images: with labels and without.
        settings: sizes, optimizer, weights of the terms, augmentation.
        checkpoint_path: where state and result are kept.
        seed: of weights and batches.
        events: receives progress.
        device: where the networks are trained.
        stage: name in events.
        cancelled: asked after every step.

    Returns:
        The moving averages of both networks in evaluation mode, on `device`.

    Raises:
        InputError: wrong transformer weights; see `run_training`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pair = NetworkPair(images.classes, settings.transformer_width)
    if settings.transformer_weights is not None:
        load_swin_weights(pair.swin_unet, Path(settings.transformer_weights))
    pair = pair.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    average = copy.deepcopy(pair).eval().requires_grad_(False)
    rates = {pair.unext: settings.learning_rate, pair.swin_unet: settings.transformer_learning_rate}
    optimizer = make_optimizer(rates, settings)
    # Without any term on them, unlabelled images would only cost time.
    unlabelled_count = settings.unlabelled_images if uses_unlabelled(settings) else 0

    def step_function(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        set_learning_rates(optimizer, step, settings)
        batch = draw_batch(images, settings, unlabelled_count, generator).to(device)
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=device.type == "cuda"):
            losses = weighted_losses(pair, average, batch, settings, step, generator)
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        nn.utils.clip_grad_norm_(pair.parameters(), GRADIENT_NORM)
        optimizer.step()
        update_average(average, pair, step, AVERAGE_DECAY)
        return losses

    run_training(
        stage=stage,
        steps=settings.steps,
        state=TrainingState({"networks": pair, "averages": average}, optimizer),
        step_function=step_function,
        checkpoint_path=checkpoint_path,
        seed=seed,
        events=events,
        settings={**settings.model_dump(mode="json"), "images": images.digest()},
        cancelled=cancelled,
    )
    return average


def weighted_losses(
    pair: NetworkPair,
    average: NetworkPair,
    batch: Batch,
    settings: DivergenceSettings,
    step: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """The terms of the loss by name, times their weights; terms that are switched off are missing."""
    labelled = len(batch.target)
    ramp = ramp_up(step, round(settings.ramp_up * settings.steps))
    small, large = (logits.float() for logits in pair(batch.strong))
    losses = {
        "unext": supervised_loss(small[:labelled], batch.target, batch.weight),
        "swin_unet": supervised_loss(large[:labelled], batch.target, batch.weight),
    }
    if not uses_unlabelled(settings):
        return losses

    with torch.no_grad():
        small_average, large_average = (logits.float() for logits in average(batch.weak[labelled:]))
    if settings.cross_supervision > 0:
        inside = batch.inside[labelled:]
        to_small, to_large = small[labelled:], large[labelled:]
        of_small, of_large = (small_average, large_average) if settings.strong_views else (to_small, to_large)
        both = cross_supervision(to_small, of_large, inside) + cross_supervision(to_large, of_small, inside)
        losses["cross_supervision"] = ramp * settings.cross_supervision * both
    if settings.information_divergence > 0:
        losses["information_divergence"] = ramp * settings.information_divergence * information_divergence(small, large)
    if settings.interpolation > 0 and step >= settings.interpolation_start * settings.steps:
        first, second = batch.weak[labelled:].chunk(2)
        of_first, of_second = large_average.softmax(dim=1).chunk(2)
        share = beta_shares(len(first), generator).to(first)
        mixed = pair.swin_unet(network_input(mix(first, second, share)))
        consistency = interpolation_consistency(mixed.float(), mix(of_first, of_second, share))
        losses["interpolation"] = ramp * settings.interpolation * consistency
    return losses


def draw_batch(
    images: TrainingImages, settings: DivergenceSettings, unlabelled_count: int, generator: torch.Generator
) -> Batch:
    """Random labelled and unlabelled images, with replacement, in random poses, weakly and strongly disturbed."""
    rows = torch.randint(len(images.labelled), (settings.labelled_images,), generator=generator)
    others = images.unlabelled
    others = others[torch.randint(len(others), (unlabelled_count,), generator=generator)]
    chosen = torch.cat([images.labelled[rows], others])
    ranges = PoseRange(
        settings.rotation_degrees,
        settings.scale,
        settings.stretch,
        settings.shift,
        settings.deformation,
        settings.flip,
    )
    height, width = images.grey.shape[2:]
    grid = random_poses(len(chosen), (height, width), ranges, generator)
    both = torch.cat([images.grey[chosen].float() / 255, images.covered[chosen].float()], dim=1)
    moved = move(both, grid)
    grey, inside = moved[:, :1].clamp(0, 1), moved[:, 1]
    weight = images.weight[rows][:, None]
    # Weighted while moved, so that unlabelled pixels do not leak into labelled ones.
    target = move(torch.cat([images.target[rows] * weight, weight], dim=1), grid[: len(rows)])
    if settings.strong_views:
        weak = disturb_weakly(grey, generator)
        strong = disturb_strongly(grey, settings.strength, generator)
    else:
        weak = strong = disturb_as_published(grey, generator)
    return Batch(
        weak=weak,
        strong=strong,
        target=target[:, :-1] / target[:, -1:].clamp(min=1e-6),
        weight=target[:, -1],
        inside=inside,
    )


def uses_unlabelled(settings: DivergenceSettings) -> bool:
    """Whether any term looks at unlabelled images."""
    return max(settings.cross_supervision, settings.information_divergence, settings.interpolation) > 0


def make_optimizer(rates: Mapping[nn.Module, float], settings: DivergenceSettings) -> torch.optim.Optimizer:
    """AdamW, or the SGD with momentum 0.9 of the paper, of networks with a largest learning rate each."""
    groups = [{"params": list(network.parameters()), "largest": rate} for network, rate in rates.items()]
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
    return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=0.9, weight_decay=settings.weight_decay)


def set_learning_rates(optimizer: torch.optim.Optimizer, step: int, settings: DivergenceSettings) -> None:
    """Before a step: warm-up and cosine for AdamW, polynomial decay for SGD."""
    for group in optimizer.param_groups:
        if settings.optimizer == "adamw":
            warmup = max(1, settings.steps // 20)
            group["lr"] = warmup_cosine(step, settings.steps, group["largest"], warmup=warmup)
        else:
            group["lr"] = polynomial_decay(step, settings.steps, group["largest"])
