"""What the vote on where organs end weighs is measured in volumes left out."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from USLabelEfficientSegLib.anatomy.location_prior import LocationPrior
from USLabelEfficientSegLib.anatomy.targets import SoftTarget
from USLabelEfficientSegLib.calibration.shares import Shares
from USLabelEfficientSegLib.imaging.normalisation import AnatomicalFrame
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.method import ends
from USLabelEfficientSegLib.method.ends import LeftOut, measured_ends
from USLabelEfficientSegLib.method.run import Run
from USLabelEfficientSegLib.segmentation.slice_voters import SliceVoter
from USLabelEfficientSegLib.slice_network.fine_volume import FineVolume, slice_grey

AXIS = 2
ALONE = Shares(1.0, 8, (0.6, 0.1))


class Says(nn.Module):
    """Says of each slice along the axis what it was told, whatever it is shown."""

    def __init__(self, organ):
        super().__init__()
        self.odds = nn.Parameter(torch.from_numpy(np.where(organ, 4.0, -4.0)).float().movedim(AXIS, 0))

    def forward(self, images):
        assert len(images) == len(self.odds)  # all slices at once
        organ = nn.functional.interpolate(self.odds[:, None], images.shape[2:], mode="bilinear", align_corners=True)
        return torch.cat([-organ / 2, organ / 2], dim=1)


@pytest.fixture(scope="module")
def volume():
    simulated = simulate_volume(3, shape=(48, 48, 24), spacing=(2.0, 2.0, 3.0))
    organ = simulated.label_map.voxels == 1
    grey = torch.from_numpy(simulated.volume.voxels.astype(np.float32))
    return slice_grey(grey, torch.ones(grey.shape, dtype=torch.bool)), organ


def too_long(organ):
    """The organ, whose slices before and behind it show what its last ones do."""
    areas = organ.sum(axis=(0, 1))
    steady = np.flatnonzero(areas > 0.4 * areas.max())
    found = organ.copy()
    found[..., : steady[0]] = organ[..., steady[0], None]
    found[..., steady[-1] + 1 :] = organ[..., steady[-1], None]
    return found


def share(monkeypatch, volume, found, *, ask=True, shares=ALONE):
    """The share measured where every third slice is labelled, and networks say `found`."""
    grey, organ = volume
    weight = torch.zeros(organ.shape)
    weight[..., ::3] = 1
    target = SoftTarget(torch.from_numpy(np.stack([~organ, organ])) * weight, weight)
    fine = FineVolume("a", (2.0, 2.0, 3.0), grey, torch.ones(organ.shape, dtype=torch.bool), target)
    monkeypatch.setattr(ends, "fine_volumes", lambda run, names: [fine])
    monkeypatch.setattr(
        "USLabelEfficientSegLib.segmentation.slice_voters.agreed_with_neighbours", lambda probability, axis: probability
    )
    networks = SimpleNamespace(ends=ask, adaptation=0.0, max_voxels=48, widths=(4, 8))
    run = SimpleNamespace(
        settings=SimpleNamespace(slice_network=networks),
        mirrored=(),
        computing=SimpleNamespace(device=torch.device("cpu")),
    )
    nowhere = cast("LocationPrior", lambda places: torch.zeros(1, 2, *places.shape[2:]))
    fold = LeftOut({"a"}, (SliceVoter(Says(found).eval(), AXIS, 96),), nowhere, {"a": AnatomicalFrame()})
    return measured_ends(cast("Run", run), [fold], shares)


def test_networks_that_draw_organs_too_long_are_corrected(monkeypatch, volume):
    assert share(monkeypatch, volume, too_long(volume[1])) > 0.6


def test_networks_that_know_where_organs_end_are_left_alone(monkeypatch, volume):
    assert share(monkeypatch, volume, volume[1]) < 0.3


def test_nobody_is_asked_where_the_settings_or_the_votes_do_not_want_it(monkeypatch, volume):
    found = too_long(volume[1])

    assert share(monkeypatch, volume, found, ask=False) == 0
    assert share(monkeypatch, volume, found, shares=Shares(0.0, 8, (0.1, 0.6))) == 0
