"""One probability volume from the slice predictions along several slice axes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

VARIANCE_FLOOR = 0.0025


@dataclass(frozen=True)
class FusedPrediction:
    """Fused class probabilities, their standard deviation, and the weight of each voxel in training."""

    probability: Tensor
    """(C, I, J, K), sums to 1 over the classes where the parts do."""
    deviation: Tensor
    """(I, J, K)."""
    weight: Tensor
    """(I, J, K) in [0, 1]."""


def volume_to_slices(volume: Tensor, axis: int) -> Tensor:
    """Volume (I, J, K) -> slices (N, 1, H, W) along `axis`; H and W are the other two axes in their order."""
    return volume.movedim(axis, 0).unsqueeze(1)


def slices_to_volume(slices: Tensor, axis: int) -> Tensor:
    """Slices (N, C, H, W) cut along `axis` -> volume (C, I, J, K); the inverse of `volume_to_slices`."""
    return slices.movedim(0, 1).movedim(1, axis + 1)


def confidence(deviation: Tensor) -> Tensor:
    """Weight w = clip(1 - std, 0, 1) of a pseudo-label (CDKD, doi 10.1016/j.ultrasmedbio.2025.12.014)."""
    return (1 - deviation).clamp(0, 1)


def fuse(
    means: Sequence[Tensor], deviations: Sequence[Tensor], variance_floor: float = VARIANCE_FLOOR
) -> FusedPrediction:
    """Precision-weighted average of the predictions along several slice axes.

    With the mean m_a and deviation s_a of axis a, a mixture with the shares pi_a ~ 1 / (s_a^2 + floor) has

        p = sum_a pi_a m_a,      var = sum_a pi_a s_a^2 + max_c sum_a pi_a (m_ac - p_c)^2:

    the second term is the disagreement between the axes, in the class where it is largest.

    Args:
        means: per axis, probabilities (C, I, J, K).
        deviations: per axis, standard deviation (I, J, K).
        variance_floor: added to each variance: no axis is trusted more than this, however much its views
            agree.

    Raises:
        ValueError: no prediction, not one deviation per mean, or shapes that differ.
    """
    if not means or len(means) != len(deviations):
        raise ValueError(f"need as many deviations as means, got {len(deviations)} and {len(means)}")
    shape = means[0].shape
    if any(m.shape != shape for m in means) or any(d.shape != shape[1:] for d in deviations):
        raise ValueError("means must all be (C, I, J, K) and deviations (I, J, K) of one grid")

    precisions = [1 / (deviation.square() + variance_floor) for deviation in deviations]
    total = torch.zeros_like(precisions[0])
    for precision in precisions:
        total += precision
    shares = [precision / total for precision in precisions]

    probability = torch.zeros_like(means[0])
    for share, mean in zip(shares, means, strict=True):
        probability += share * mean
    within = torch.zeros_like(total)
    between = torch.zeros_like(probability)
    for share, mean, deviation in zip(shares, means, deviations, strict=True):
        within += share * deviation.square()
        between += share * (mean - probability).square()
    deviation = (within + between.amax(dim=0)).sqrt()
    return FusedPrediction(probability, deviation, confidence(deviation))
