"""Weighted cross-entropy of soft targets: unlabelled pixels have weight 0."""

from torch import Tensor

_LEAST_MEAN_WEIGHT = 1e-3  # of a voxel


def weighted_cross_entropy(
    logits: Tensor, target: Tensor, weight: Tensor, classes: Tensor | None = None, *, least: float = 1e-6
) -> Tensor:
    """`sum_x w(x) sum_c k_c t_c(x) (-log p_c(x)) / sum_x w(x)` for soft targets.

    With one organ and k = 1 this is the published binary cross-entropy over labelled pixels.

    Args:
        logits: (n, C, H, W).
        target: (n, C, H, W) class probabilities t.
        weight: (n, H, W) pixel weights w, 0 where unlabelled.
        classes: (C,) class weights k; None: all 1.
        least: sum of weights below which the loss becomes smaller.
    """
    counted = target if classes is None else classes.view(1, -1, 1, 1) * target
    pixel = -(counted * logits.log_softmax(dim=1)).sum(dim=1)
    return (weight * pixel).sum() / weight.sum().clamp(min=least)


def soft_cross_entropy(logits: Tensor, weighted: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of -sum_c y_c log p_c over voxels: a scalar.

    Cross-entropy alone, without soft Dice: it is a proper score, so that probabilities, and with them the
    volumes that they sum to, stay calibrated (Bertels et al., Medical Image Analysis 2021).

    Args:
        logits: (B, C, I, J, K).
        weighted: y times weight, (B, C, I, J, K).
        weight: (B, I, J, K).
    """
    # A pose may move nearly all labels out of the volume: the rest must not count as much as a whole.
    return -(weighted * logits.log_softmax(dim=1)).sum() / weight.sum().clamp_min(_LEAST_MEAN_WEIGHT * weight.numel())
