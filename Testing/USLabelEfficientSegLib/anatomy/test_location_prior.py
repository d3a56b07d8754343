import pytest
import torch

from USLabelEfficientSegLib.anatomy.location_prior import LocationPrior
from USLabelEfficientSegLib.anatomy.location_prior import fit_location_prior as fit_at_positions
from USLabelEfficientSegLib.anatomy.targets import SoftTarget
from USLabelEfficientSegLib.imaging.normalisation import position_channels

SHAPE = (24, 20, 16)


def ellipsoid(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> torch.Tensor:
    position = position_channels(SHAPE)
    offset = (position - torch.tensor(centre).view(3, 1, 1, 1)) / torch.tensor(radii).view(3, 1, 1, 1)
    return (offset.square().sum(dim=0) < 1).float()


def labelled(organs: list[torch.Tensor], slices: list[int]) -> SoftTarget:
    background = 1 - torch.stack(organs).sum(dim=0)
    weight = torch.zeros(SHAPE)
    weight[:, :, slices] = 1
    return SoftTarget(torch.stack([background, *organs]) * weight, weight)


def fit_location_prior(targets: list[SoftTarget]) -> LocationPrior:
    return fit_at_positions(targets, [position_channels(SHAPE)] * len(targets))


def predicted(prior: LocationPrior) -> torch.Tensor:
    return prior(position_channels(SHAPE)[None])[0].softmax(dim=0)


def dice(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def test_a_few_slices_of_ellipsoids_give_the_whole_ellipsoids() -> None:
    first, second = ellipsoid((-0.4, 0.1, 0.2), (0.4, 0.5, 0.6)), ellipsoid((0.5, 0.0, -0.1), (0.3, 0.6, 0.7))
    prior = fit_location_prior([labelled([first, second], [2, 7, 9, 13])])
    classes = predicted(prior).argmax(dim=0)
    assert dice(classes == 1, first > 0.5) > 0.85
    assert dice(classes == 2, second > 0.5) > 0.85


def test_uncertain_locations_have_the_share_of_the_labels_as_their_probability() -> None:
    small, large = ellipsoid((0, 0, 0), (0.3, 0.3, 0.5)), ellipsoid((0, 0, 0), (0.6, 0.6, 0.9))
    slices = list(range(SHAPE[2]))
    prior = fit_location_prior([labelled([small], slices), labelled([large], slices)])
    volume = float(predicted(prior)[1].sum())
    assert volume == pytest.approx(float(small.sum() + large.sum()) / 2, rel=0.02)


def test_no_place_is_ever_ruled_out_and_an_unset_prior_says_nothing() -> None:
    organ = ellipsoid((0, 0, 0), (0.2, 0.2, 0.2))
    prior = fit_location_prior([labelled([organ], list(range(SHAPE[2])))])
    probability = predicted(prior)[1]
    assert float(probability.min()) == pytest.approx(4.54e-5, rel=1e-3)  # log-odds of -10
    # ... and yet the many places where the organ hardly ever is add next to nothing to its volume.
    assert probability[ellipsoid((0, 0, 0), (0.6, 0.6, 0.6)) == 0].sum() < 0.02 * organ.sum()
    unset = LocationPrior(2)(position_channels(SHAPE)[None])
    assert unset.shape == (1, 3, *SHAPE) and not unset.any()


def test_without_labels_there_is_no_prior() -> None:
    with pytest.raises(ValueError, match="needs labels"):
        fit_location_prior([])
