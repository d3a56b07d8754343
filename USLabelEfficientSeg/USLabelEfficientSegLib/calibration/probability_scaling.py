"""Probabilities that agree with the labelled slices: vector scaling of a model's log-probabilities.

    q_c  =  softmax_c(a_c log p_c + b_c)        (Guo, Pleiss, Sun & Weinberger, ICML 2017, section 4.2)

A student that has learnt from blurred pseudo-labels is unsure of boundaries that it finds well (a > 1 sharpens). A
blurred boundary has more voxels outside than inside of a convex organ, so the sum of probabilities, the organ's volume,
is too large. a and b are the maximum a posteriori estimate on the labelled voxels: cross-entropy, with normal priors
around a = 1 and b = 0. Its gradient in b vanishes if expected and labelled area agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from ..anatomy.targets import SoftTarget

_LEAST_PROBABILITY = 1e-6
_SLOPE_SPREAD = 0.5  # standard deviations of the priors
_OFFSET_SPREAD = 1.0
_ALIKE = 200.0  # neighbouring voxels that err together and count as one
_MOST_STEPS = 200


class ProbabilityScaling(BaseModel):
    """Slope a and offset b of each class, background first."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    slopes: tuple[float, ...]
    offsets: tuple[float, ...]

    def __call__(self, probability: Tensor) -> Tensor:
        """Scaled class probabilities of (C, ...)."""
        shape = (-1, *[1] * (probability.dim() - 1))
        slopes, offsets = (probability.new_tensor(values).reshape(shape) for values in (self.slopes, self.offsets))
        return (slopes * probability.clamp_min(_LEAST_PROBABILITY).log() + offsets).softmax(dim=0)


def fit_scaling(probabilities: Iterable[Tensor], targets: Sequence[SoftTarget]) -> ProbabilityScaling:
    """The scaling under which labelled voxels are most likely.

    Args:
        probabilities: class probabilities (C, I, J, K) of labelled volumes; none is kept.
        targets: their labels on the same grids.
    """
    log_probability, weighted = [], []
    for probability, target in zip(probabilities, targets, strict=True):
        known = target.weight > 0
        log_probability.append(probability[:, known].clamp_min(_LEAST_PROBABILITY).log())
        weighted.append(target.weighted[:, known])
    x, y = torch.cat(log_probability, dim=1).double(), torch.cat(weighted, dim=1).double()
    slopes = torch.ones(len(x), dtype=torch.float64, requires_grad=True)
    offsets = torch.zeros(len(x), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([slopes, offsets], max_iter=_MOST_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        scaled = slopes[:, None] * x + offsets[:, None]
        likelihood = -(y * F.log_softmax(scaled, dim=0)).sum() / _ALIKE
        prior = ((slopes - 1) / _SLOPE_SPREAD).square().sum() + (offsets / _OFFSET_SPREAD).square().sum()
        total = likelihood + prior / 2
        total.backward()
        return total

    with torch.enable_grad():
        optimizer.step(loss)
    return ProbabilityScaling(slopes=tuple(slopes.tolist()), offsets=tuple(offsets.tolist()))
