"""Training of UNeXt and its partner: few labelled images, many unlabelled ones, and what each learns from the other.

    loss = 1/2 (CE + Dice) of each network on labelled images
         + r(t) (a cross supervision + b information divergence + c interpolation consistency)

with the ramp-up r (IDL, arXiv 2509.06495). Beyond the paper: with `strong_views` the averages of the networks decide on
a weakly disturbed image what the networks learn on the strongly disturbed one, until `unlabelled_start` only labelled
images are shown, and with the partner "average" UNeXt learns all of this from its own moving average.
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
    """UNeXt, which is deployed, and its partner in training.

    Args:
        classes: number of classes, background included.
        transformer_width: of the Swin-Unet that is the partner; None if UNeXt's own moving average is.
    """

    def __init__(self, classes: int, transformer_width: int | None) -> None:
        super().__init__()
        self.unext = UNeXt(classes)
        self.swin_unet = None if transformer_width is None else SwinUnet(classes, width=transformer_width)

    def networks(self) -> dict[str, nn.Module]:
        """By name, the one that is deployed first."""
        known = {"unext": self.unext, "swin_unet": self.swin_unet}
        return {name: network for name, network in known.items() if network is not None}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Logits (B, C, H, W) of each network, of grey images (B, 1, H, W) in [0, 1]."""
        inputs = network_input(images)
        return {name: network(inputs).float() for name, network in self.networks().items()}


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
    """Train UNeXt and its partner, resuming from `checkpoint_path`.

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
        The moving averages of the networks in evaluation mode, on `device`.

    Raises:
        InputError: wrong transformer weights; see `run_training`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pair = NetworkPair(images.classes, settings.transformer_width if settings.partner == "swin-unet" else None)
    if settings.transformer_weights is not None and pair.swin_unet is not None:
        load_swin_weights(pair.swin_unet, Path(settings.transformer_weights))
    pair = pair.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    average = copy.deepcopy(pair).eval().requires_grad_(False)
    rates = {"unext": settings.learning_rate, "swin_unet": settings.transformer_learning_rate}
    optimizer = make_optimizer({network: rates[name] for name, network in pair.networks().items()}, settings)

    def step_function(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        set_learning_rates(optimizer, step, settings)
        batch = draw_batch(images, settings, images_of_step(step, settings), generator).to(device)
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
    """The terms of the loss by name, times their weights; terms that are switched off are missing.

    With p_n network n on strongly disturbed images, P_n its average on weakly disturbed ones, and n' the other network,
    or n itself where it is alone:

        unext, swin_unet         1/2 (CE + Dice) of p_n against the labels
        cross_supervision        r a sum_n Dice(p_n, arg max P_n'), p_n' for P_n' of a pair without `strong_views`
        information_divergence   r b (KL(p || q) + H(p) + H(q) - H((p + q) / 2)), p UNeXt and q Swin-Unet on all images,
                                 or q = P of UNeXt on the unlabelled ones
        interpolation            r c MSE(p_n(mix of two images), the same mix of P_n), n Swin-Unet where there is one

    Args:
        pair: the networks that learn.
        average: their moving averages.
        batch: labelled and unlabelled images; of labelled ones alone there are only the supervised terms.
        settings: weights a, b, c, and when terms start.
        step: number of the step, which gives the ramp-up r.
        generator: of the shares of the mix.
    """
    labelled = len(batch.target)
    logits = pair(batch.strong)
    losses = {name: supervised_loss(each[:labelled], batch.target, batch.weight) for name, each in logits.items()}
    if labelled == len(batch.strong):
        return losses

    weak, inside = batch.weak[labelled:], batch.inside[labelled:]
    unlabelled = {name: each[labelled:] for name, each in logits.items()}
    with torch.no_grad():
        averages = average(weak)
    since_start = step - settings.unlabelled_start * settings.steps
    ramp = ramp_up(since_start, settings.ramp_up * settings.steps)
    if settings.cross_supervision > 0:
        decisions = averages if settings.strong_views or pair.swin_unet is None else unlabelled
        # Each learns from the other; one that is alone from its own average.
        others = reversed(decisions.values())
        each_learns = [cross_supervision(own, of, inside) for own, of in zip(unlabelled.values(), others, strict=True)]
        losses["cross_supervision"] = ramp * settings.cross_supervision * torch.stack(each_learns).sum()
    if settings.information_divergence > 0:
        pair_logits = tuple(logits.values()) if pair.swin_unet else (unlabelled["unext"], averages["unext"])
        losses["information_divergence"] = ramp * settings.information_divergence * information_divergence(*pair_logits)
    if settings.interpolation > 0 and step >= settings.interpolation_start * settings.steps:
        name, network = list(pair.networks().items())[-1]  # Swin-Unet, as published, if it is there
        first, second = weak.chunk(2)
        of_first, of_second = averages[name].softmax(dim=1).chunk(2)
        share = beta_shares(len(first), generator).to(first)
        mixed = network(network_input(mix(first, second, share))).float()
        consistency = interpolation_consistency(mixed, mix(of_first, of_second, share))
        losses["interpolation"] = ramp * settings.interpolation * consistency
    return losses


def images_of_step(step: int, settings: DivergenceSettings) -> tuple[int, int]:
    """How many labelled and unlabelled images a step shows: at first, or without unlabelled terms, only the former."""
    if not uses_unlabelled(settings) or step < settings.unlabelled_start * settings.steps:
        return settings.labelled_images + settings.unlabelled_images, 0
    return settings.labelled_images, settings.unlabelled_images


def draw_batch(
    images: TrainingImages, settings: DivergenceSettings, counts: tuple[int, int], generator: torch.Generator
) -> Batch:
    """Random labelled and unlabelled images, with replacement, in random poses, weakly and strongly disturbed."""
    labelled_count, unlabelled_count = counts
    rows = torch.randint(len(images.labelled), (labelled_count,), generator=generator)
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
