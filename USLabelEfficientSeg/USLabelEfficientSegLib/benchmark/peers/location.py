"""The location prior alone: what is known of organs without looking at the image."""

from __future__ import annotations

from torch import Tensor, nn

from ...anatomy.location_prior import LocationPrior, fit_location_prior
from ...imaging.normalisation import POSITION_CHANNELS
from .training import Rival, Task


class LocationAlone(Rival):
    """The location prior of our own method, fitted to the labelled slices, with nothing else beside it.

    Simplified to a soft ellipsoid for each organ in the volume's own coordinates, without alignment. A method that is
    no better has learnt nothing from the image.
    """

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        labels = [volume.labels for volume in task.labelled if volume.labels is not None]
        self.prior = fit_location_prior(labels, [volume.position for volume in task.labelled])

    def predictors(self) -> tuple[nn.Module, ...]:
        """The prior."""
        return (ByPosition(self.prior),)


class ByPosition(nn.Module):
    """A location prior behind the interface of networks on volumes."""

    def __init__(self, prior: LocationPrior) -> None:
        super().__init__()
        self.prior = prior

    def forward(self, volume: Tensor) -> Tensor:
        """Log-odds (1, C, I, J, K) of a volume (1, 5, I, J, K), from its position channels."""
        log_odds: Tensor = self.prior(volume[:, -POSITION_CHANNELS:])
        return log_odds
