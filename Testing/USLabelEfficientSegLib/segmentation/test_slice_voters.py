"""2-D networks that vote in a model of volumes: on their own finer grid, in the model's order of axes."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from oblique_volumes import blocks, turned
from torch import nn

from USLabelEfficientSegLib.anatomy.location_prior import LocationPrior
from USLabelEfficientSegLib.calibration.probability_scaling import ProbabilityScaling
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.normalisation import position_channels
from USLabelEfficientSegLib.imaging.orientation import Reordering
from USLabelEfficientSegLib.imaging.resampling import resample_axes
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.segmentation import inference, slice_voters
from USLabelEfficientSegLib.segmentation.inference import predict, predict_inputs
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.segmentation.pooling import agreed, agreed_in_turn
from USLabelEfficientSegLib.segmentation.slice_voters import SliceVoter, SliceVoters
from USLabelEfficientSegLib.slice_network import fine_volume
from USLabelEfficientSegLib.slice_network.network import SliceUNet
from USLabelEfficientSegLib.slice_network.prediction import network_grey
from USLabelEfficientSegLib.student.build import StudentDesign
from USLabelEfficientSegLib.training import precision

CPU = torch.device("cpu")
WIDTHS = (4, 8)


@pytest.fixture
def image_everywhere(monkeypatch):
    """How the sector is found is tested with the sector, and the pool of neighbouring slices with the prediction."""
    monkeypatch.setattr(slice_voters, "agreed_with_neighbours", lambda probability, axis: probability)
    for module in (inference, fine_volume):
        monkeypatch.setattr(module, "sector_mask", lambda voxels: np.ones(voxels.shape, dtype=bool))


class Bright(nn.Module):
    """Organ where a pixel is brighter than half of the range: a network that leaves everything in its place."""

    def __init__(self):
        super().__init__()
        self.steepness = nn.Parameter(torch.tensor(50.0))
        self.shapes = []

    def forward(self, images):
        self.shapes.append(tuple(images.shape))
        organ = self.steepness * (images - network_grey(torch.tensor(0.5)))
        return torch.cat([torch.zeros_like(organ), organ], dim=1)


class Lower(nn.Module):
    """Organ in the second half of the rows and of the columns: position within the slice alone."""

    def __init__(self):
        super().__init__()
        self.steepness = nn.Parameter(torch.tensor(4.0))

    def forward(self, images):
        height, width = images.shape[2:]
        rows, columns = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)
        organ = self.steepness * torch.minimum(rows, columns).expand(len(images), 1, height, width)
        return torch.cat([torch.zeros_like(organ), organ], dim=1)


class Student(nn.Module):
    """Organ where the z-score of the image is above 0."""

    def forward(self, volume):
        organ = 2 * volume[:, :1]
        return torch.cat([torch.zeros_like(organ), organ], dim=1)


def fake_model(*voters, networks=(), max_voxels=64, working=16, mirrored=(), orientation="as-stored"):
    design = StudentDesign(network="u-net", classes=2, spacing=(1.0, 1.0, 1.0), slice_axis=2, widths=(4, 8, 8))
    slices = SliceVoters(tuple(SliceVoter(*voter) for voter in voters), max_voxels, WIDTHS)
    return SegmentationModel(
        networks, design, ("organ",), working, 32, 0.25, mirrored, orientation=orientation, slices=slices
    )


GEOMETRIES = {
    "plain": Geometry((40, 33, 21), (0.5, 0.5, 0.5), (9.0, -4.0, 2.0), np.eye(3)),
    "thick slices": Geometry((44, 40, 9), (0.4, 0.5, 2.0), (-20.0, 5.0, 100.0), np.eye(3)),
    "permuted": Geometry((30, 41, 23), (0.6, 0.8, 0.7), (0.0, 0.0, 0.0), np.eye(3)[:, [2, 0, 1]]),
    "flipped": Geometry((31, 40, 22), (0.7, 1.1, 1.4), (90.0, 40.0, -7.0), np.diag([-1.0, 1.0, -1.0])),
    "oblique": Geometry(
        (36, 42, 30), (0.8, 1.0, 1.2), (-35.2, 81.7, -12.1), turned(33, 2, (1, -1, 1)) @ turned(-20, 0)
    ),
}


@pytest.mark.parametrize("orientation", ["as-stored", "anatomical"])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_labels_lie_on_the_very_voxels_that_slices_show(image_everywhere, name, axis, orientation):
    volume = blocks(GEOMETRIES[name])
    model = fake_model((Bright(), axis, 176), mirrored=(0, 1), orientation=orientation)

    labels = predict(model, volume, CPU).labels()

    assert labels.geometry is volume.geometry
    np.testing.assert_array_equal(labels.voxels, volume.voxels > 125)


@pytest.mark.parametrize(("order", "flips"), [((0, 1, 2), (1, 1, 0)), ((2, 0, 1), (0, 1, 0)), ((1, 0, 2), (0, 0, 0))])
def test_an_anatomical_model_gives_a_volume_the_same_labels_in_whatever_order_it_is_stored(order, flips):
    stored = Reordering(order, (bool(flips[0]), bool(flips[1]), bool(flips[2])))
    volume = blocks(GEOMETRIES["plain"])
    other = stored.scan(volume)
    model = fake_model((Lower(), 1, 40), (Bright(), 2, 40), networks=(Student(),), orientation="anatomical")

    first, second = (predict(model, one, CPU) for one in (volume, other))

    np.testing.assert_array_equal(stored.apply(first.labels().voxels), second.labels().voxels)
    np.testing.assert_array_equal(stored.apply(first.probability), second.probability)
    np.testing.assert_array_equal(stored.apply(first.sector), second.sector)
    assert first.probability.shape[1:] == first.sector.shape == volume.geometry.shape
    as_stored = replace(model, orientation="as-stored")
    plain, moved = (predict(as_stored, one, CPU).probability for one in (volume, other))
    assert not np.array_equal(stored.apply(plain), moved)


def test_the_networks_see_slices_along_their_axes_at_their_sizes_and_the_mirror_images(image_everywhere):
    volume = blocks(Geometry((40, 30, 20), (0.5, 0.5, 1.0), (0.0, 0.0, 0.0), np.eye(3)))
    along_rows, along_depth = Bright(), Bright()

    predict(fake_model((along_rows, 0, 60), (along_depth, 2, 80), mirrored=(1,)), volume, CPU)

    assert along_rows.shapes == 2 * [(40, 1, 45, 60)]  # 15 x 20 mm, and one mirror image
    assert along_depth.shapes == 2 * [(20, 1, 80, 60)]  # 20 x 15 mm


def test_the_votes_of_students_and_prior_are_brought_to_the_fine_grid_and_pooled_there_by_their_weights(
    image_everywhere,
):
    volume = blocks(Geometry((40, 32, 24), (0.5, 0.5, 0.5), (0.0, 0.0, 0.0), np.eye(3)))
    prior = LocationPrior(1)
    prior.coefficients[0, 2] = 3.0
    scaling = ProbabilityScaling(slopes=(1.2, 0.9), offsets=(0.1, -0.2))
    voting = fake_model((Lower(), 2, 40), networks=(Student(),), working=20)
    student = predict(replace(voting, slices=None), volume, CPU).probability
    slices = predict(replace(voting, networks=()), volume, CPU).probability
    where = prior(position_channels((20, 16, 12))[None])[0].softmax(dim=0).numpy()

    model = replace(voting, prior=prior, weights=(1.0, 2.0, 0.5), scaling=scaling)
    pooled = predict(model, volume, CPU)

    assert student.shape == where.shape == (2, 20, 16, 12) and pooled.probability.shape == (2, 40, 32, 24)
    votes = [resample_axes(student, (40, 32, 24)), slices, resample_axes(where, (40, 32, 24))]
    expected = scaling(agreed([torch.from_numpy(vote) for vote in votes], model.weights))
    np.testing.assert_allclose(pooled.probability, expected.numpy(), atol=1e-5)
    equal = agreed([torch.from_numpy(vote) for vote in votes])
    np.testing.assert_allclose(
        predict(replace(model, weights=(), scaling=None), volume, CPU).probability, equal.numpy(), atol=1e-5
    )


def test_outside_the_sector_of_the_fine_grid_all_is_background(monkeypatch):
    def right_half(voxels):
        return np.arange(voxels.shape[0])[:, None, None] >= len(voxels) // 2 + np.zeros(voxels.shape, dtype=int)

    for module in (inference, fine_volume):
        monkeypatch.setattr(module, "sector_mask", right_half)
    volume = blocks(Geometry((40, 32, 24), (0.5, 0.5, 0.5), (0.0, 0.0, 0.0), np.eye(3)))

    prediction = predict(fake_model((Lower(), 1, 40), networks=(Student(),), working=10), volume, CPU)

    np.testing.assert_array_equal(prediction.sector, right_half(volume.voxels))
    assert (prediction.probability[0, :20] == 1).all() and (prediction.probability[1, 20:] > 0).all()
    np.testing.assert_allclose(prediction.probability.sum(axis=0), 1, atol=1e-6)


def test_the_intensities_by_which_a_volume_is_unusual_are_those_of_the_working_grid():
    volume = blocks(GEOMETRIES["plain"])
    model = fake_model((Lower(), 1, 40), networks=(Student(),))

    with_slices, without = (predict(one, volume, CPU).features for one in (model, replace(model, slices=None)))

    np.testing.assert_array_equal(with_slices.values(without.thumbnail), without.values(without.thumbnail))


def test_votes_that_come_in_turn_are_pooled_like_those_that_are_together():
    votes = [torch.rand(3, 5, 6, 7).softmax(dim=0) for _ in range(4)]
    votes[1][:, 0] = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    weights = (0.5, 2.0, 0.0, 1.0)

    in_turn = agreed_in_turn((vote.clone() for vote in votes), weights)

    torch.testing.assert_close(in_turn, agreed(votes, weights))
    assert torch.equal(agreed_in_turn(iter(votes[:1]), (0.3,)), votes[0])


def test_a_vote_is_gone_before_the_next_one_is_made():
    made: list[weakref.ref[torch.Tensor]] = []

    def votes():
        for _ in range(4):
            assert all(vote() is None for vote in made)
            yield remembered(torch.full((2, 3, 3, 3), 0.5))

    def remembered(vote):
        made.append(weakref.ref(vote))
        return vote

    pooled = agreed_in_turn(votes(), (1.0,) * 4)

    assert len(made) == 4 and float(pooled.max()) == 0.5


def test_on_the_working_grid_given_votes_stand_for_the_slice_networks():
    inputs, sector = torch.randn(5, 8, 8, 8), torch.ones(8, 8, 8, dtype=torch.bool)
    vote = torch.rand(2, 8, 8, 8).softmax(dim=0)
    given = vote.clone()
    model = replace(fake_model((Bright(), 0, 40), networks=(Student(),)), weights=(1.0, 3.0))
    student = predict_inputs(replace(model, slices=None, weights=()), inputs, sector, CPU).probability

    both = predict_inputs(model, inputs, sector, CPU, [given])

    torch.testing.assert_close(both.probability, agreed([student, vote], (1.0, 3.0)))
    torch.testing.assert_close(both.deviation, (student - vote).abs().amax(dim=0) / 2)
    alone = predict_inputs(replace(model, networks=(), weights=()), inputs, sector.logical_not(), CPU, [given])
    assert float(alone.probability[1].max()) == 0 and torch.equal(given, vote)  # the caller's vote is left as it is


def test_votes_that_are_missing_too_many_or_on_another_grid_are_refused():
    inputs, sector = torch.randn(5, 8, 8, 8), torch.ones(8, 8, 8, dtype=torch.bool)
    model, vote = fake_model((Bright(), 0, 40), networks=(Student(),)), torch.rand(2, 8, 8, 8)

    for votes in ([], [vote, vote]):
        with pytest.raises(ValueError, match=f"{len(votes)} votes of 1 slice networks"):
            predict_inputs(model, inputs, sector, CPU, votes)
    with pytest.raises(ValueError, match="0 slice networks"):
        predict_inputs(replace(model, slices=None), inputs, sector, CPU, [vote])
    with pytest.raises(ValueError, match=r"on \(9, 8, 8\) voxels"):
        predict_inputs(model, inputs, sector, CPU, [torch.rand(2, 9, 8, 8)])


@pytest.mark.parametrize("adaptation", [0.0, 0.8])
def test_a_processor_with_bfloat16_gives_the_bits_of_one_without(monkeypatch, adaptation):
    torch.manual_seed(0)
    model = fake_model((SliceUNet(2, widths=WIDTHS).eval(), 2, 24), working=24, mirrored=(0,))
    model = replace(model, slices=replace(model.slices, adaptation=adaptation))
    volume = simulate_volume(0, shape=(24, 24, 16), spacing=(3.3, 3.3, 4.0)).volume
    found = []

    for has_it in (False, True):
        monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda has_it=has_it: has_it)
        found.append(predict(model, volume, CPU).probability)

    np.testing.assert_array_equal(found[0], found[1])
