from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import nn

from USLabelEfficientSegLib.anatomy.location_prior import LocationPrior
from USLabelEfficientSegLib.anatomy.targets import SoftTarget
from USLabelEfficientSegLib.imaging.normalisation import AnatomicalFrame
from USLabelEfficientSegLib.method.cross_fitting import held_out_slices
from USLabelEfficientSegLib.method.run import Run
from USLabelEfficientSegLib.segmentation.slice_voters import SliceVoter
from USLabelEfficientSegLib.slice_network.fine_volume import NEUTRAL, SPREAD, FineVolume

SHAPE = (12, 16, 20)


class SeesBright(nn.Module):
    """Finds an organ where a slice is bright."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(4.0))

    def forward(self, images):
        return torch.cat([-self.scale * images, self.scale * images], dim=1)


def labelled(*slices):
    """A volume that is bright at 5 <= k < 15, and slices (axis, index) of it that say that the organ is there."""
    organ = torch.zeros(SHAPE, dtype=torch.bool)
    organ[..., 5:15] = True
    weight = torch.zeros(SHAPE)
    for axis, index in slices:
        weight.movedim(axis, 0)[index] = 1
    target = SoftTarget(torch.stack([~organ, organ]) * weight, weight) if slices else None
    grey = torch.where(organ, NEUTRAL + SPREAD, NEUTRAL - SPREAD)
    return FineVolume("a", (1.0, 1.0, 1.0), grey, torch.ones(SHAPE, dtype=torch.bool), target)


def held_out(fine, axis=2):
    settings = SimpleNamespace(slice_network=SimpleNamespace(adaptation=0.0))
    run = cast("Run", SimpleNamespace(settings=settings, mirrored=()))
    voter = SliceVoter(SeesBright().eval(), axis, 24)
    undecided = cast("LocationPrior", lambda places: torch.zeros(1, 2, *places.shape[2:]))
    return held_out_slices(run, fine, voter, undecided, AnatomicalFrame())


def test_a_labelled_slice_along_the_axis_is_judged_as_a_whole():
    (found,) = held_out(labelled((2, 9)))

    assert found.votes.shape == (2, 2, 12 * 16)
    assert not found.across
    assert torch.all(found.target[1] == 1)
    assert torch.all(found.votes[0, 1] > 0.5)
    assert torch.all(found.votes[1] == 0.5)


def test_of_a_slice_across_the_lines_are_judged_and_show_where_the_organ_ends():
    (found,) = held_out(labelled((0, 4)))

    assert found.votes.shape == (2, 2, 16 * 20)  # 16 voxels of each of 20 slices
    assert found.across
    assert float(found.target[1].mean()) == pytest.approx(0.5)
    assert torch.equal(found.votes[0].argmax(dim=0), found.target.argmax(dim=0))


def test_slices_along_and_across_are_told_apart():
    found = held_out(labelled((2, 9), (2, 2), (0, 4)))

    assert [each.votes.shape[2] for each in found] == [12 * 16, 12 * 16, 18 * 16]
    assert float(found[0].target[1].mean()) == 0
    assert float(found[2].target[1].mean()) == pytest.approx(0.5)


def test_a_volume_without_labels_says_nothing():
    assert held_out(labelled()) == []
