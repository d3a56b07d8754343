"""The losses of IDL (arXiv 2509.06495) as functions of logits or probabilities.

Shapes: classes C come second, (B, C, H, W); weights (B, H, W) are 0 where nothing is known.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..training.cross_entropy import weighted_cross_entropy

EPSILON = 1e-8
SMOOTHING = 1e-5


def supervised_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """`(CE + Dice) / 2` against class probabilities: what each network learns from labelled images.

    With the target t and the pixels' weights w, `CE = sum_x w sum_c t_c (-log p_c) / sum_x w`.
    """
    cross_entropy = weighted_cross_entropy(logits, target, weight, least=1.0)
    return 0.5 * (cross_entropy + dice_loss(logits.softmax(dim=1), target, weight))


def dice_loss(probability: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Soft Dice loss over the whole batch, mean of the classes:

    `1 - mean_c (2 sum_x w p_c t_c + s) / (sum_x w p_c^2 + sum_x w t_c^2 + s)`, s = 1e-5.
    """
    weight = weight[:, None]
    pixels = (0, 2, 3)
    overlap = (weight * probability * target).sum(pixels)
    size = (weight * (probability.square() + target.square())).sum(pixels)
    return 1 - ((2 * overlap + SMOOTHING) / (size + SMOOTHING)).mean()


def cross_supervision(logits: Tensor, partner_logits: Tensor, weight: Tensor) -> Tensor:
    """Dice loss against the arg-max of the other network, whose decision is not itself trained (arXiv 2106.01226)."""
    return dice_loss(logits.softmax(dim=1), hard_labels(partner_logits), weight)


def hard_labels(scores: Tensor) -> Tensor:
    """One-hot arg-max over the classes, detached."""
    return F.one_hot(scores.detach().argmax(dim=1), scores.shape[1]).movedim(-1, 1).to(scores.dtype)


def information_divergence(logits: Tensor, partner_logits: Tensor) -> Tensor:
    """`mean_x KL(p || q) + mean_x (H(p) + H(q) - H((p + q) / 2))`, p and q the softmax of the logits.

    The first term draws the partner towards p, the second makes both certain while it keeps their mean open.
    """
    p, q = logits.softmax(dim=1), partner_logits.softmax(dim=1)
    return kullback_leibler(p, q) + mutual_information_gap(p, q)


def kullback_leibler(p: Tensor, q: Tensor) -> Tensor:
    """`mean_x sum_c p_c log((p_c + e) / (q_c + e))`, e = 1e-8."""
    return (p * ((p + EPSILON) / (q + EPSILON)).log()).sum(dim=1).mean()


def mutual_information_gap(p: Tensor, q: Tensor) -> Tensor:
    """`mean_x (H(p) + H(q) - H((p + q) / 2))` with the entropy `H(p) = -sum_c p_c log(p_c + e)`, e = 1e-8."""
    return (_entropy(p) + _entropy(q) - _entropy((p + q) / 2)).mean()


def interpolation_consistency(mixed_logits: Tensor, mixed_probability: Tensor) -> Tensor:
    """Mean squared error between the prediction on mixed images and the same mix of predictions (arXiv 1903.03825).

    Args:
        mixed_logits: of the network on `l a + (1 - l) b`, see `mix`.
        mixed_probability: `l P(a) + (1 - l) P(b)` of its moving average P.
    """
    return F.mse_loss(mixed_logits.softmax(dim=1), mixed_probability.detach())


def mix(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """`l first + (1 - l) second`, with one share l an image (B,)."""
    share = share.view(-1, *[1] * (first.ndim - 1))
    return torch.lerp(second, first, share)


def _entropy(p: Tensor) -> Tensor:
    return -(p * (p + EPSILON).log()).sum(dim=1)
