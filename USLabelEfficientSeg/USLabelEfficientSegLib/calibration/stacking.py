"""Stacked generalisation: how much candidates weigh in the result, by their predictions of slices left out.

Candidates m have predicted labelled slices that had no part in their training. The weights w >= 0, sum 1, of their
logarithmic pool maximise

    sum_s n mean_{v in s} log softmax_c(sum_m w_m log p_m(c | v))[y_v]  +  (a - 1) sum_m log w_m,

the likelihood of the held-out slices s and a Dirichlet prior (Wolpert, "Stacked generalization", Neural Networks 1992;
log pool: Genest & Zidek, Statistical Science 1986). Every slice counts alike, however large its organ, and as few
independent voxels n, since neighbours tell the same. With few slices weights stay near equal ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

_INDEPENDENT = 100.0  # voxels that a slice counts as
_CONCENTRATION = 1.5  # a
_LEAST_PROBABILITY = 1e-4  # as in the pool itself
_MOST_STEPS = 200


@dataclass(frozen=True)
class HeldOutSlice:
    """A labelled slice, as candidates predict it that have not seen its volume's labels.

    Attributes:
        votes: (M, C, n) class probabilities of each candidate.
        target: (C, n) class probabilities, background first.
    """

    votes: Tensor
    target: Tensor


def stacked_weights(slices: Sequence[HeldOutSlice], candidates: int) -> tuple[float, ...]:
    """The weights of the candidates; equal ones without any slice.

    Args:
        slices: held out.
        candidates: how many there are, M.
    """
    if not slices:
        return (1 / candidates,) * candidates
    logarithms = [each.votes.double().clamp_min(_LEAST_PROBABILITY).log() for each in slices]
    targets = [each.target.double() for each in slices]
    scores = torch.zeros(candidates, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([scores], max_iter=_MOST_STEPS, line_search_fn="strong_wolfe")

    def negative_log_posterior() -> Tensor:
        optimizer.zero_grad()
        weights = scores.softmax(dim=0)
        likelihood = torch.stack(
            [
                (target * torch.tensordot(weights, votes, dims=1).log_softmax(dim=0)).sum(dim=0).mean()
                for votes, target in zip(logarithms, targets, strict=True)
            ]
        ).sum()
        loss = -_INDEPENDENT * likelihood - (_CONCENTRATION - 1) * scores.log_softmax(dim=0).sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(negative_log_posterior)
    weights: list[float] = scores.detach().softmax(dim=0).tolist()
    return tuple(weights)


def log_losses(slices: Sequence[HeldOutSlice], candidate: int) -> NDArray[np.float64]:
    """Mean negative log-likelihood of each held-out slice (n,) under one candidate."""
    return np.array(
        [
            -float((each.target * each.votes[candidate].clamp_min(_LEAST_PROBABILITY).log()).sum(dim=0).mean())
            for each in slices
        ]
    )


def chance_to_be_better(losses: NDArray[np.float64], of_other: NDArray[np.float64]) -> float:
    """How likely a candidate is the better one also on other slices, by paired losses (n,): Student's t.

    A handful of slices can favour either of two candidates by chance.
    """
    gain = of_other - losses
    if len(gain) < 2 or not gain.std():
        return float(np.sign(gain.sum()) + 1) / 2
    return float(stats.t.cdf(gain.mean() / stats.sem(gain), len(gain) - 1))
