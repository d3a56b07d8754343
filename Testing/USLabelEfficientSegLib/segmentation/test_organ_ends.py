"""The vote on where organs end: the promptable network, shown the middle of what 2-D networks have found."""

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.segmentation.organ_ends import ends_vote, middle_of, with_ends
from USLabelEfficientSegLib.segmentation.slice_voters import SliceVoter, SliceVoters

CPU = torch.device("cpu")
AXIS = 2


@pytest.fixture(scope="module")
def drawn_too_long():
    """The image and the first organ of a volume, and what networks on its slices say: the organ, but without ends."""
    simulated = simulate_volume(3, shape=(64, 56, 48), spacing=(1.5, 1.5, 1.5))
    organ = simulated.label_map.voxels == 1
    shown = np.flatnonzero(organ.any(axis=(0, 1)))
    first, last = int(shown[0]), int(shown[-1])
    areas = organ.sum(axis=(0, 1))
    steady = np.flatnonzero(areas > 0.4 * areas.max())  # beyond, each slice shows what the last of these does
    found = organ.copy()
    found[..., max(first - 6, 0) : steady[0]] = organ[..., steady[0], None]
    found[..., steady[-1] + 1 : last + 7] = organ[..., steady[-1], None]
    probability = torch.from_numpy(np.where(found, 0.9, 0.05).astype(np.float32))
    grey = torch.from_numpy(simulated.volume.voxels.astype(np.float32))
    return grey, organ, torch.stack([1 - probability, probability])


def sector_of(grey):
    return torch.ones(grey.shape, dtype=torch.bool)


def dice(probability, organ):
    found = probability.numpy() > 0.5
    return 2 * np.count_nonzero(found & organ) / (np.count_nonzero(found) + np.count_nonzero(organ))


def voters(ends):
    return SliceVoters((SliceVoter(torch.nn.Identity(), AXIS, 48),), 64, ends=ends)


def test_an_organ_that_slices_draw_too_long_gets_its_ends(drawn_too_long):
    grey, organ, probability = drawn_too_long

    asked = with_ends(voters(0.7), probability, grey, sector_of(grey), CPU)

    torch.testing.assert_close(asked.sum(dim=0), torch.ones(grey.shape))
    assert dice(asked[1], organ) > dice(probability[1], organ) + 0.04
    too_large, now = (float(each[1].sum()) / organ.sum() for each in (probability, asked))
    assert too_large > 1.25
    assert abs(now - 1) < 0.5 * (too_large - 1)


def test_who_has_no_share_is_not_asked(drawn_too_long, monkeypatch):
    grey, _, probability = drawn_too_long
    monkeypatch.setattr("USLabelEfficientSegLib.segmentation.organ_ends.ends_vote", None)

    assert with_ends(voters(0.0), probability, grey, sector_of(grey), CPU) is probability


def test_outside_of_the_sector_the_vote_says_background_and_sees_black(drawn_too_long):
    grey, _, probability = drawn_too_long
    sector = sector_of(grey)
    sector[:10] = False
    light = grey.clone()
    light[:10] = grey.max()

    one, other = (ends_vote(probability, image, sector, AXIS, CPU) for image in (grey, light))

    assert torch.equal(one, other)
    assert torch.all(one[1, :10] == 0)


def test_two_organs_share_the_voxels():
    grey = torch.rand(20, 20, 20, generator=torch.Generator().manual_seed(0))
    probability = torch.full((3, 20, 20, 20), 0.02)
    probability[1, 4:10, 4:16, 4:16] = 0.9
    probability[2, 10:16, 4:16, 4:16] = 0.9
    probability[0] = 1 - probability[1:].sum(dim=0)

    vote = ends_vote(probability, grey, sector_of(grey), AXIS, CPU)

    torch.testing.assert_close(vote.sum(dim=0), torch.ones(grey.shape))
    assert vote[1, 5:9, 6:14, 10].mean() > 0.8 and vote[2, 11:15, 6:14, 10].mean() > 0.8
    assert vote[1, 11:15, 6:14, 10].mean() < 0.1 and vote[2, 5:9, 6:14, 10].mean() < 0.1


def test_an_organ_that_is_not_found_is_not_asked_for():
    grey = torch.rand(20, 20, 20, generator=torch.Generator().manual_seed(0))
    probability = torch.full((2, 20, 20, 20), 0.02)
    probability[0] = 0.98

    vote = ends_vote(probability, grey, sector_of(grey), AXIS, CPU)

    torch.testing.assert_close(vote, probability)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_middle_half_is_shown_where_it_is_sure(axis):
    organ = np.full((8, 12, 16), 0.1, np.float32)
    organ[:, 2:10, :] = 0.5
    organ[2:6, 4:8, 4:12] = 0.9
    organ = np.moveaxis(organ, (0, 1, 2), tuple((a + axis) % 3 for a in range(3)))  # its axis 0 becomes `axis`
    organ = organ.copy()
    place = np.moveaxis(organ, axis, 0)
    place[0] = place[-1] = 0.1

    drawn = middle_of(organ, axis)

    assert drawn is not None
    along = np.moveaxis(drawn, axis, 0)
    told = np.flatnonzero(along.any(axis=(1, 2)))
    assert told.tolist() == [3, 4, 5] or told.tolist() == [2, 3, 4, 5]  # of 1 to 6
    assert np.array_equal(along[4] == 1, place[4] > 0.75)
    assert np.array_equal(along[4] == -1, place[4] < 0.25)
    assert np.count_nonzero(along[4] == 0)  # neither


def test_of_nothing_there_is_no_middle():
    assert middle_of(np.full((6, 6, 6), 0.05, np.float32), AXIS) is None
