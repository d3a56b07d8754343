"""The location prior: where an organ lies, as far as a handful of labelled slices can tell.

Scans of one organ follow a protocol, so the position in the volume alone says much. The log-odds of organ c against
background are a quadratic function of the position x in [-1, 1]^3,

    log p_c(x) / p_0(x) = a_c + b_c' x + x' Q_c x,

so that an organ's prior is a soft ellipsoid. Its ten numbers are fitted to all labelled voxels by penalised maximum
likelihood (multinomial logistic regression, a convex problem). Networks add what they see to these log-odds: with few
labels they need not learn the location, and cannot forget it in places where nothing was labelled.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .targets import SoftTarget

TERMS = 10
_PENALTY = 1e-6  # on squared coefficients, beside a mean log-likelihood
LARGEST = 10.0  # log-odds: no place is ruled out, and a whole volume of small chances adds up to nothing
_ITERATIONS = 200
_MOST_VOXELS = 200_000


class LocationPrior(nn.Module):
    """Log-odds of each organ against background as a quadratic function of the position; not trained further.

    Args:
        organs: number of organs.
    """

    def __init__(self, organs: int) -> None:
        super().__init__()
        self.register_buffer("coefficients", torch.zeros(organs, TERMS))
        self.coefficients: Tensor

    def forward(self, position: Tensor) -> Tensor:
        """Log-odds (B, organs + 1, ...), 0 for the background first, of positions (B, 3, ...) in [-1, 1]."""
        log_odds = torch.einsum("ct,bt...->bc...", self.coefficients, _quadratic_terms(position))
        organs = log_odds.clamp(-LARGEST, LARGEST)
        return torch.cat([torch.zeros_like(organs[:, :1]), organs], dim=1)


def fit_location_prior(targets: Sequence[SoftTarget], positions: Sequence[Tensor]) -> LocationPrior:
    """Fit the prior to labelled volumes with their voxels' positions (3, I, J, K). Raises `ValueError` without any.

    The sequences may make targets and positions when they are asked for one; none is kept.
    """
    if not targets:
        raise ValueError("a location prior needs labels")
    voxels = [int((target.weight > 0).sum()) for target in targets]
    every = -(-sum(voxels) // _MOST_VOXELS)  # neighbours tell the same: a part of them suffices
    places, labels, weights = [], [], []
    before = 0  # labelled voxels of the volumes so far
    for target, position, count in zip(targets, positions, voxels, strict=True):
        labelled, first = target.weight > 0, -before % every
        places.append(position[:, labelled].T.double()[first::every])
        labels.append(target.probability[:, labelled].T.double()[first::every])
        weights.append(target.weight[labelled].double()[first::every])
        before += count
    terms, label, weight = _quadratic_terms(torch.cat(places)), torch.cat(labels), torch.cat(weights)

    coefficients = torch.zeros(label.shape[1] - 1, TERMS, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([coefficients], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def negative_log_posterior() -> Tensor:
        optimizer.zero_grad()
        scores = torch.cat([terms.new_zeros(len(terms), 1), terms @ coefficients.T], dim=1)
        likelihood = (weight[:, None] * label * scores.log_softmax(dim=1)).sum() / weight.sum()
        loss = -likelihood + _PENALTY * coefficients.square().sum()
        loss.backward()
        return loss

    optimizer.step(negative_log_posterior)
    prior = LocationPrior(len(coefficients))
    prior.coefficients.copy_(coefficients.detach())
    return prior


def _quadratic_terms(position: Tensor) -> Tensor:
    """1, x, y, z and their six products, along dimension 1, of positions (B, 3, ...)."""
    x, y, z = position.unbind(dim=1)
    return torch.stack([torch.ones_like(x), x, y, z, x * x, y * y, z * z, x * y, x * z, y * z], dim=1)
