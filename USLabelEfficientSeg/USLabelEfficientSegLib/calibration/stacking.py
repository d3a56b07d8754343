"""Stacked generalisation: what 2-D networks and location weigh in the result, by their predictions of slices left out.

Both have predicted labelled slices that had no part in their training. Their logarithmic pool with share w,

    y_w(v) = argmax_c  w log p_networks(c | v) + (1 - w) log p_place(c | v),

is judged by Dice over all held-out slices, mean over organs, for w = 0, 0.1, ..., 1. How sure a few slices make of the
best share tells the Bayesian bootstrap (Rubin, Annals of Statistics 1981): the slices are weighed at random again and
again, and the shares that win are averaged; whoever adds nothing to the other wins none. One slice more than there are
says that both weigh alike.

Three or four slices that show an organ say little, and networks that learn from all labels will find more than these
did, the place will not. So the place has no share if it finds less than half of what the networks find, and the
networks have at least half of the votes if they find half of what the place finds, and 0.65 if slices across have shown
them where organs end. The half only if each organ is missing in some labelled slice: networks that have never seen
where it ends draw it far too long, which slices that all show it do not tell. They have less then, so that 3-D students
learn as well (docs/experiments.md).

Dice, not likelihood (Wolpert, "Stacked generalization", Neural Networks 1992): most voxels are background, so that
whoever never finds a small organ has a good likelihood, and networks that learnt for a short time are too sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .shares import LED

_SHARES = np.linspace(0, 1, 11)
_EQUAL = 0.5
_DRAWS = 500
_LEAST_PROBABILITY = 1e-4  # as in the pool itself
_NOTHING = 0.005  # Dice that is not worth a second candidate
_LEADING = 0.65  # least share of networks that have learnt lines of slices across
_NOT_LEADING = 0.45  # share of networks that have never seen where organs end: students are trained as well
_LEAST_OF_ENDS = 0.1  # share below which nobody is asked
_SHOWN = 0.5  # of a pixel
_BEATEN = 0.5  # of the other's Dice: who finds less is no match


@dataclass(frozen=True)
class HeldOutSlice:
    """A labelled slice, as the candidates predict it that have not seen its volume's labels.

    Attributes:
        votes: (2, C, n) class probabilities of the networks and of the location prior, or of other two.
        target: (C, n) class probabilities, background first.
        across: whether labelled slices of another axis show there where organs end along that of the networks.
    """

    votes: Tensor
    target: Tensor
    across: bool = False


def share_of_networks(slices: Sequence[HeldOutSlice]) -> tuple[float, tuple[float, float]]:
    """The share of the 2-D networks in all votes, and the Dice of these and of the place alone.

    Args:
        slices: held out, at least one.
    """
    counts = np.stack([_counts(each) for each in slices])
    alone = _dice(counts, np.full(len(slices), 1 / len(slices)))
    networks, place = float(alone[-1]), float(alone[0])
    if place < _BEATEN * networks:
        return 1.0, (networks, place)
    return _led(slices, _share(counts), networks < _BEATEN * place), (networks, place)


def share_of_ends(slices: Sequence[HeldOutSlice]) -> float:
    """The share of the vote on where organs end beside the pool of all others, the second of `votes`; 0 if little."""
    if not slices:
        return 0.0
    share = _share(np.stack([_counts(each) for each in slices]))
    return share if share >= _LEAST_OF_ENDS else 0.0


def _share(counts: NDArray[np.float64]) -> float:
    """The mean share of the first vote that wins in slices (n, ...) weighed at random, and in one that says equal."""
    weights = np.random.default_rng(0).dirichlet(np.ones(len(counts)), _DRAWS)
    won = [_winner(_dice(counts, each)) for each in weights]
    return (len(counts) * float(np.mean(won)) + _EQUAL) / (len(counts) + 1)


def _led(slices: Sequence[HeldOutSlice], share: float, beaten: bool) -> float:
    """The share of networks of which more is known than slices left out tell; `beaten` if they find too little."""
    across = any(each.across for each in slices)
    shown = torch.stack([(each.target[1:] > _SHOWN).any(dim=1) for each in slices])
    if not across and bool(shown.all(dim=0).any()):  # of no slice is an organ missing
        return min(share, _NOT_LEADING)
    return share if beaten else max(share, _LEADING if across else LED)


def _winner(dice: NDArray[np.float64]) -> float:
    """The share with the best Dice (shares,): of one candidate alone if the other adds nothing to it."""
    best = _SHARES[dice >= dice.max() - _NOTHING]
    alone = [share for share in (_SHARES[0], _SHARES[-1]) if share in best]
    return float(alone[0] if len(alone) == 1 else best.mean())


def _counts(held_out: HeldOutSlice) -> NDArray[np.float64]:
    """(shares, organs, 2) twice the overlap, and the summed sizes, of prediction and label; shares of the pixels."""
    networks, place = held_out.votes.double().clamp_min(_LEAST_PROBABILITY).log()
    target = held_out.target.double()
    counts = []
    for share in _SHARES:
        said = (share * networks + (1 - share) * place).argmax(dim=0)
        found = torch.zeros_like(target).scatter_(0, said[None], 1)
        both = torch.stack([2 * (found * target).mean(dim=1), (found + target).mean(dim=1)], dim=1)
        counts.append(both[1:])
    return torch.stack(counts).numpy()


def _dice(counts: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Dice (shares,) of slices (n, shares, organs, 2) with weights (n,): mean over organs that anybody sees."""
    overlap, sizes = np.moveaxis(np.tensordot(weights, counts, axes=1), -1, 0)
    seen = sizes.max(axis=0) > 0
    if not seen.any():
        return np.ones(len(_SHARES))
    overlap, sizes = overlap[:, seen], sizes[:, seen]
    return np.divide(overlap, sizes, out=np.ones_like(sizes), where=sizes > 0).mean(axis=1)
