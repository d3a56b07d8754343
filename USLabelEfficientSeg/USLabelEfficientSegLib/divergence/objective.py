"""What the networks learn from labelled images by their labels, and from unlabelled ones by each other.

    loss = 1/2 (CE + Dice) of each network on labelled images
         + r(t) (a cross supervision + b information divergence + c interpolation consistency)

with the ramp-up r (IDL, arXiv 2509.06495). Beyond the paper: with `strong_views` the networks learn on a strongly
disturbed image what their teachers say of the weakly disturbed one; until `unlabelled_start` of the first round only
labelled images are shown; and with the partner "average" UNeXt learns from its own moving average.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..study.setting_sections import DivergenceSettings
from ..training.schedules import ramp_up
from .augmentation import beta_shares
from .batches import Batch
from .images import network_input
from .losses import cross_supervision, information_divergence, interpolation_consistency, mix, supervised_loss
from .pair import NetworkPair
from .rounds import RoundPosition


def weighted_losses(
    pair: NetworkPair,
    teachers: NetworkPair,
    batch: Batch,
    settings: DivergenceSettings,
    position: RoundPosition,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """The terms of the loss by name, times their weights; terms that are switched off are missing.

    With p_n network n on strongly disturbed images, P_n its teacher on weakly disturbed ones, and n' the other network,
    or n itself where it is alone:

        unext, swin_unet         1/2 (CE + Dice) of p_n against the labels
        cross_supervision        r a sum_n Dice(p_n, arg max P_n'), p_n' for P_n' of a pair without `strong_views` in
                                 its first round
        information_divergence   r b (KL(p || q) + H(p) + H(q) - H((p + q) / 2)), p UNeXt and q Swin-Unet on all images,
                                 or q = P of UNeXt on the unlabelled ones
        interpolation            r c MSE(p_n(mix of two images), the same mix of P_n), n Swin-Unet where there is one

    Args:
        pair: the networks that learn.
        teachers: the moving averages of the networks; after the first round, as they were at the previous round's end.
        batch: labelled and unlabelled images; of labelled ones alone there are only the supervised terms.
        settings: weights a, b, c, and when terms start.
        position: of the step, which gives the ramp-up r; it is 1 after the first round.
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
        taught = teachers(weak)
    later = position.round > 1
    since_start = position.step - settings.unlabelled_start * position.steps
    ramp = 1.0 if later else ramp_up(since_start, settings.ramp_up * position.steps)
    if settings.cross_supervision > 0:
        decisions = taught if settings.strong_views or later or pair.swin_unet is None else unlabelled
        # Each learns from the other; a single network learns from its own average.
        others = reversed(decisions.values())
        each_learns = [cross_supervision(own, of, inside) for own, of in zip(unlabelled.values(), others, strict=True)]
        losses["cross_supervision"] = ramp * settings.cross_supervision * torch.stack(each_learns).sum()
    if settings.information_divergence > 0:
        pair_logits = tuple(logits.values()) if pair.swin_unet else (unlabelled["unext"], taught["unext"])
        losses["information_divergence"] = ramp * settings.information_divergence * information_divergence(*pair_logits)
    if settings.interpolation > 0 and (later or position.step >= settings.interpolation_start * position.steps):
        name, network = list(pair.networks().items())[-1]  # Swin-Unet, as published, if it is there
        first, second = weak.chunk(2)
        of_first, of_second = taught[name].softmax(dim=1).chunk(2)
        share = beta_shares(len(first), generator).to(first)
        mixed = network(network_input(mix(first, second, share))).float()
        consistency = interpolation_consistency(mixed, mix(of_first, of_second, share))
        losses["interpolation"] = ramp * settings.interpolation * consistency
    return losses


def images_of_step(position: RoundPosition, settings: DivergenceSettings) -> tuple[int, int]:
    """The numbers of labelled and unlabelled images in a step; no unlabelled ones at first, or without their terms."""
    if not uses_unlabelled(settings) or (
        position.round == 1 and position.step < settings.unlabelled_start * position.steps
    ):
        return settings.labelled_images + settings.unlabelled_images, 0
    return settings.labelled_images, settings.unlabelled_images


def uses_unlabelled(settings: DivergenceSettings) -> bool:
    """Whether any term looks at unlabelled images."""
    return max(settings.cross_supervision, settings.information_divergence, settings.interpolation) > 0
