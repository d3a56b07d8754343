"""Opinions on an organ: a model's, and the promptable network's, with and without the model's; and what each weighs.

A drawing in a volume that a model has segmented also tells how good the model is there, for the model has not seen it;
and how good the network is, if it is asked without the drawing. The log-odds are pooled (see `segmentation.inference`):

    with a, b the mean cross entropy of what network and model had foretold of the drawn voxels,
    network : model = (2 / a)^3 : (1 / b)^3, for the network answers the second time with the drawing before it,
    drawing alone : these two = n c / 0.2 : 1, with n drawn slices and c = a / 2 and b, weighed as the two are.

So the less of the drawing was foretold, and the more there is of it, the less counts what was thought before. Of an
organ that the drawing does not show there is no answer to the drawing alone, and the network counts (1 / a)^3. The
numbers were chosen on five sets of volumes; around them the results hardly change (docs/propagation.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..promptable_network.inputs import log_odds
from ..promptable_network.network import PromptableNetwork
from ..promptable_network.two_passes import organ_odds

Field = NDArray[np.float32]
_SHARPNESS = 3
_SEES_MORE = 2.0  # by which the loss is divided once the drawing is seen
_DRAWING_ALONE = 0.2  # loss of what was thought before at which one slice alone counts as much
_CERTAIN = 4.0  # log-odds beyond which nobody is punished
_KNOWS_NOTHING = float(np.log(2))  # cross entropy of one half


@dataclass(frozen=True)
class Opinion:
    """What was thought of an organ before anybody drew; whoever draws again and again need have it only once.

    Attributes:
        prior: (I, J, K) probability of the organ by the model.
        before: (I, J, K) log-odds of it by the network, which knows the prior and no drawing.
    """

    prior: Field
    before: Field


def opinion_on(network: PromptableNetwork, image: Field, prior: Field, *, mirrors: int) -> Opinion:
    """The opinion on an organ of an image (I, J, K), of which a model gives the probability; see `pooled_odds`."""
    return Opinion(prior, organ_odds(network, image, np.zeros_like(image), prior, mirrors=mirrors))


def pooled_odds(
    network: PromptableNetwork,
    image: Field,
    drawn: Field,
    opinion: Opinion,
    slices: float,
    beyond: Field,
    *,
    mirrors: int,
) -> Field:
    """Log-odds (I, J, K) of an organ from a drawing and a model's opinion.

    Args:
        network: trained, in evaluation mode.
        image: (I, J, K) grey values.
        drawn: (I, J, K) 1 where the organ was drawn, -1 where something else, 0 where nothing; something is drawn.
        opinion: on the organ.
        slices: how many were drawn, strokes in part; see `drawing.Drawn`.
        beyond: added to the answer to the drawing alone; see `open_ends`.
        mirrors: number of mirror images, 1 to 8, to average over.
    """
    model = log_odds(opinion.prior)
    is_shown = bool((drawn > 0).any())
    of_model = _cross_entropy(model, drawn)
    of_network = _cross_entropy(opinion.before, drawn) / (_SEES_MORE if is_shown else 1)
    share = _share((of_model / of_network) ** _SHARPNESS)
    odds = share * organ_odds(network, image, drawn, opinion.prior, mirrors=mirrors) + (1 - share) * model
    if is_shown:
        loss = min(share * of_network + (1 - share) * of_model, _KNOWS_NOTHING)
        share = _share(slices * loss / _DRAWING_ALONE)
        odds = share * (organ_odds(network, image, drawn, mirrors=mirrors) + beyond) + (1 - share) * odds
    return np.asarray(odds, dtype=np.float32)


def _share(ratio: float) -> float:
    return ratio / (1 + ratio)


def _cross_entropy(odds: Field, drawn: Field) -> float:
    """Mean of log-odds (I, J, K) on the drawn voxels; a voxel that was drawn in part is one in part."""
    told = drawn != 0
    bounded = np.clip(odds[told], -_CERTAIN, _CERTAIN)
    organ = (1 + drawn[told]) / 2
    return float((np.logaddexp(0, bounded) - organ * bounded).mean(dtype=np.float64))
