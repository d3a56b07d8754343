"""How votes become one: the logarithmic opinion pool of class probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

_LEAST_PROBABILITY = 1e-4  # that a vote gives a class: nobody has a veto


def agreed(votes: Sequence[Tensor], weights: Sequence[float] = ()) -> Tensor:
    """Logarithmic opinion pool of class probabilities (C, ...): p proportional to prod_n p_n^(w_n).

    Unlike the mean, it is sure if some votes are sure and the others do not contradict (Genest & Zidek, "Combining
    probability distributions", Statistical Science 1986). A single vote is returned as it is.

    Args:
        votes: at least one.
        weights: of the votes, relative to each other; none: all count alike.
    """
    if len(votes) == 1:
        return votes[0]
    shares = votes[0].new_tensor(weights or [1.0] * len(votes))
    logarithms = torch.stack(list(votes)).clamp_min(_LEAST_PROBABILITY).log()
    return torch.tensordot(shares / shares.sum(), logarithms, dims=1).softmax(dim=0)


def agreed_in_turn(votes: Iterator[Tensor], weights: Sequence[float]) -> Tensor:
    """The pool of `agreed` of votes that are made one after the other: only one is in memory beside their sum.

    Args:
        votes: (C, ...) each; they are overwritten.
        weights: of the votes, relative to each other, one for each.
    """
    if len(weights) == 1:
        return next(votes)
    total: Tensor | None = None
    for weight in weights:
        vote = next(votes)
        total = torch.zeros(vote.shape) if total is None else total
        total.add_(vote.clamp_min_(_LEAST_PROBABILITY).log_(), alpha=weight / sum(weights))
        del vote  # before the next one is made
    assert total is not None
    return total.softmax(dim=0)
