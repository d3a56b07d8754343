"""How far organs differ from the prediction by the labelled slices of other subjects.

A trained student knows its labelled slices by heart, so its errors on them say nothing about the next patient. But
subjects are exchangeable: a prediction learnt without a subject errs on it as it will err on a new one. So for every
labelled volume in turn a location prior (`anatomy.location_prior`, fitted within a second) is fitted to the labels of
the others, and its areas are compared with the labelled ones. Positions are those in the volume: the frames of
`anatomy.alignment` were fitted with the labels of all subjects, also of the subject left out, and residuals in them
came out 40 % too small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..anatomy.kept import OnDemand
from ..anatomy.location_prior import LocationPrior, fit_location_prior
from ..anatomy.targets import SoftTarget

FOLDS = 15
_CENTRAL = 0.35  # of the largest predicted area: slices further out tell about the organ's place, not its size
_STEADY = 0.2  # of the same, added to both areas: an organ that ends early has no logarithm


@dataclass(frozen=True)
class SliceResiduals:
    """Labels of one organ against a prediction that has not seen these subjects.

    Attributes:
        log_ratios: (n,) of each labelled volume that shows the organ's middle part, log of true over predicted area.
        slices: (n,) labelled slices behind each of them.
        log_shares: (folds,) with a fold left out, mean log of the predicted organ's share of a labelled volume.
    """

    log_ratios: NDArray[np.float64]
    slices: NDArray[np.int64]
    log_shares: NDArray[np.float64]


def slice_residuals(
    targets: Sequence[SoftTarget],
    positions: Sequence[Tensor],
    seed: int,
) -> list[SliceResiduals]:
    """Leave labelled volumes out in turn, up to 15 times, and compare the location prior of the others with them.

    Args:
        targets: sparse labels of the labelled volumes on their working grids, at least two; read one after the other.
        positions: (3, I, J, K) of their voxels; no label may have had a part in them.
        seed: of the folds.

    Returns:
        One entry an organ.
    """
    folds = np.array_split(np.random.default_rng(seed).permutation(len(targets)), min(FOLDS, len(targets)))
    organs = range(targets[0].weighted.shape[0] - 1)
    residuals: list[list[tuple[float, int]]] = [[] for _ in organs]
    log_shares: list[list[float]] = [[] for _ in organs]
    for fold in folds:
        others = [index for index in range(len(targets)) if index not in fold]
        prior = fit_location_prior(OnDemand(others, targets.__getitem__), OnDemand(others, positions.__getitem__))
        shares = []
        for index, target in enumerate(targets):
            expected = _expected(prior, positions[index])
            shares.append(np.log(expected.mean(axis=(1, 2, 3))))
            if index in fold:
                for organ in organs:
                    found = _compare(target, organ, expected[organ])
                    residuals[organ] += [found] if found else []
        for organ, share in zip(organs, np.mean(shares, axis=0), strict=True):
            log_shares[organ].append(float(share))
    return [
        SliceResiduals(np.array([r for r, _ in rows]), np.array([n for _, n in rows], dtype=np.int64), np.array(log))
        for rows, log in zip(residuals, log_shares, strict=True)
    ]


@torch.inference_mode()
def _expected(prior: LocationPrior, position: Tensor) -> NDArray[np.float32]:
    """Probability (organs, I, J, K) of each organ by position alone."""
    return np.asarray(prior(position[None])[0].softmax(dim=0)[1:].numpy())


def _compare(target: SoftTarget, organ: int, expected: NDArray[np.float32]) -> tuple[float, int] | None:
    """Log-ratio of the labelled to the expected area in the organ's middle part, and the slices it is from."""
    weight, weighted = target.weight.numpy(), target.weighted[organ + 1].numpy()
    true = predicted = steady = slices = 0.0
    for axis in range(3):
        across = tuple({0, 1, 2} - {axis})
        profile = expected.sum(axis=across)
        chosen = target.labelled_along(axis).numpy() & (profile >= _CENTRAL * profile.max())
        # A native slice may be spread over several of the working grid: weights count it once.
        share = float(weight.mean(axis=across)[chosen].sum())
        true += float(weighted.sum(axis=across)[chosen].sum())
        predicted += float((weight * expected).sum(axis=across)[chosen].sum())
        steady += _STEADY * float(profile.max()) * share
        slices += share
    if not slices:
        return None
    return float(np.log((true + steady) / (predicted + steady))), max(1, round(slices))
