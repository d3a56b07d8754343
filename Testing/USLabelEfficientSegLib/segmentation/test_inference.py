from dataclasses import replace

import numpy as np
import pytest
import torch
from oblique_volumes import turned
from torch import nn

from USLabelEfficientSegLib.anatomy.location_prior import LocationPrior
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.orientation import Reordering
from USLabelEfficientSegLib.imaging.resampling import resample_axes, working_geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.segmentation import inference
from USLabelEfficientSegLib.segmentation.decision import uncertainty_of
from USLabelEfficientSegLib.segmentation.inference import VolumePrediction, predict, predict_inputs
from USLabelEfficientSegLib.segmentation.intensity_features import IntensityFeatures
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.segmentation.pooling import agreed
from USLabelEfficientSegLib.student.build import StudentDesign, build_student

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def image_everywhere(monkeypatch):
    """How the sector is found is tested with the sector."""
    monkeypatch.setattr(inference, "sector_mask", lambda voxels: np.ones(voxels.shape, dtype=bool))


class Threshold(nn.Module):
    """Organ where the z-score of the image is above a value: a network that leaves everything in its place."""

    def __init__(self, level=0.0, steepness=6.0):
        super().__init__()
        self.level, self.steepness, self.shapes = level, steepness, []

    def forward(self, volume):
        self.shapes.append(tuple(volume.shape))
        organ = self.steepness * (volume[:, :1] - self.level)
        return torch.cat([torch.zeros_like(organ), organ], dim=1)


class Where(nn.Module):
    """Organ by position alone: the larger j, the likelier."""

    def forward(self, volume):
        organ = 3 * volume[:, 3:4]
        return torch.cat([torch.zeros_like(organ), organ], dim=1)


def model_of(*networks, max_voxels=64, window=64, mirrored=(), classes=2):
    design = StudentDesign(network="u-net", classes=classes, spacing=(1.0, 1.0, 1.0), slice_axis=2, widths=(4, 8, 8))
    organs = tuple(f"organ {n}" for n in range(1, classes))
    return SegmentationModel(networks, design, organs, max_voxels, window, 0.25, mirrored)


GEOMETRIES = {
    "isotropic": Geometry((48, 48, 48), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3)),
    "odd sizes": Geometry((47, 63, 44), (1.5, 1.5, 1.5), (12.0, -80.0, 3.0), np.eye(3)),
    "thick slices": Geometry((96, 80, 20), (0.4, 0.5, 2.0), (-20.0, 5.0, 100.0), np.eye(3)),
    "oblique": Geometry((50, 42, 36), (0.8, 1.0, 1.2), (-35.2, 81.7, -12.1), turned(33, 2) @ turned(-20, 0)),
    "flipped": Geometry((61, 40, 31), (0.7, 1.1, 1.4), (90.0, 40.0, -7.0), turned(15, 1, (-1, 1, -1))),
}
OFF_CENTRE = np.array([0.47, 0.53, 0.51])  # of the shape


def ball_volume(geometry):
    """A bright ball with an edge one voxel of a coarse grid wide; its centre and radius in mm."""
    shape = np.array(geometry.shape)
    centre = geometry.index_to_physical(OFF_CENTRE * shape - 0.5)
    points = geometry.index_to_physical(np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1))
    extent = shape * geometry.spacing
    radius, edge = 0.32 * extent.min(), max(*geometry.spacing, extent.max() / 32)
    inside = np.clip((radius - np.linalg.norm(points - centre, axis=-1)) / edge + 0.5, 0, 1)
    return Scan((60 + 140 * inside).astype(np.float32), geometry, "ball"), centre, radius


def centroid_mm(label_map):
    return label_map.geometry.index_to_physical(np.argwhere(label_map.voxels == 1).mean(axis=0))


@pytest.mark.parametrize("max_voxels", [32, 512], ids=["coarse grid", "own grid"])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_an_organ_is_found_where_it_is_without_half_a_voxel_of_shift(name, max_voxels):
    volume, centre, radius = ball_volume(GEOMETRIES[name])
    values = volume.voxels
    middle = (130 - values.mean()) / values.std()

    label_map = predict(model_of(Threshold(middle, 20.0), max_voxels=max_voxels, window=512), volume, CPU).labels()

    geometry = label_map.geometry
    assert geometry is volume.geometry
    grid = working_geometry(geometry, max_voxels)
    error_voxels = grid.physical_to_index(centroid_mm(label_map)) - grid.physical_to_index(centre)
    assert np.abs(error_voxels).max() < 0.04, error_voxels
    found = np.count_nonzero(label_map.voxels) * geometry.voxel_volume_ml
    assert found == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=0.08)


def test_the_network_sees_the_whole_working_grid_and_nothing_else_where_it_fits_into_a_window():
    volume, _, _ = ball_volume(GEOMETRIES["odd sizes"])
    network = Threshold()

    predict(model_of(network, max_voxels=64, window=64), volume, CPU)

    assert network.shapes == [(1, 5, 47, 63, 44)]


@pytest.mark.parametrize("window", [16, 24])
def test_windows_give_what_one_large_window_gives_for_a_network_that_looks_at_single_voxels(window):
    volume, _, _ = ball_volume(GEOMETRIES["thick slices"])
    network = Threshold()

    whole = predict(model_of(Threshold(), max_voxels=48, window=64), volume, CPU)
    windows = predict(model_of(network, max_voxels=48, window=window), volume, CPU)

    assert max(max(shape[2:]) for shape in network.shapes) == window and len(network.shapes) > 4
    np.testing.assert_allclose(windows.probability, whole.probability, atol=1e-5)


def test_mirror_images_vote_and_are_turned_back():
    volume, _, _ = ball_volume(GEOMETRIES["odd sizes"])
    plain = predict(model_of(Threshold()), volume, CPU)
    mirrored = predict(model_of(Threshold(), mirrored=(0, 2)), volume, CPU)

    np.testing.assert_allclose(mirrored.probability, plain.probability, atol=1e-6)


def test_position_stays_in_place_when_the_image_is_mirrored():
    volume, _, _ = ball_volume(GEOMETRIES["odd sizes"])

    plain = predict(model_of(Where()), volume, CPU).probability[1]
    mirrored = predict(model_of(Where(), mirrored=(1,)), volume, CPU).probability[1]

    np.testing.assert_allclose(mirrored, (plain + plain[:, ::-1]) / 2, atol=1e-6)


def test_networks_vote_with_equal_weight_and_their_disagreement_lowers_the_weight():
    inputs, sector = torch.randn(5, 8, 8, 8), torch.ones(8, 8, 8, dtype=torch.bool)
    low, high = Threshold(-1.0, 1.0), Threshold(1.0, 1.0)

    one, other, both = (predict_inputs(model_of(*n), inputs, sector, CPU) for n in ((low,), (high,), (low, high)))

    low_odds, high_odds = (p.probability[1].logit() for p in (one, other))
    torch.testing.assert_close(both.probability[1], ((low_odds + high_odds) / 2).sigmoid())  # neither is near certain
    assert float(one.deviation.max()) == 0 and bool((one.weight == 1).all())
    torch.testing.assert_close(both.deviation, (one.probability[1] - other.probability[1]).abs() / 2)
    torch.testing.assert_close(both.weight, 1 - both.deviation)


def test_the_location_prior_votes_like_a_network_and_has_no_part_in_their_disagreement():
    inputs, sector = torch.rand(5, 8, 8, 8) - 0.5, torch.ones(8, 8, 8, dtype=torch.bool)
    prior = LocationPrior(1)
    prior.coefficients[0, 2] = 3.0  # as `Where` has it
    alone = model_of(Threshold())

    voted = predict_inputs(replace(alone, prior=prior), inputs, sector, CPU)

    two = predict_inputs(model_of(Threshold(), Where()), inputs, sector, CPU)
    torch.testing.assert_close(voted.probability, two.probability)
    assert float(voted.deviation.max()) == 0 < float(two.deviation.max())


def test_a_pool_of_opinions_is_as_sure_as_they_are_together():
    votes = [torch.tensor([[0.2], [0.8]]), torch.tensor([[0.2], [0.8]])]
    torch.testing.assert_close(agreed(votes), votes[0])

    opposite = agreed([torch.tensor([[0.9], [0.1]]), torch.tensor([[0.1], [0.9]])])
    torch.testing.assert_close(opposite, torch.tensor([[0.5], [0.5]]))
    sure = agreed([torch.tensor([[0.001], [0.999]]), torch.tensor([[0.5], [0.5]])])
    assert float(sure[1, 0]) > 0.95 > (0.999 + 0.5) / 2  # where the other one has no opinion
    three = agreed([torch.tensor([0.6, 0.3, 0.1]), torch.tensor([0.1, 0.3, 0.6])])
    assert float(three.sum()) == pytest.approx(1) and int(three.argmax()) == 1


def test_votes_count_by_their_weights_and_the_prior_has_the_last():
    inputs, sector = torch.rand(5, 8, 8, 8) - 0.5, torch.ones(8, 8, 8, dtype=torch.bool)
    prior = LocationPrior(1)
    prior.coefficients[0, 2] = 3.0

    model = replace(model_of(Threshold(), Where()), prior=prior, weights=(2.0, 1.0, 1.0))
    weighted = predict_inputs(model, inputs, sector, CPU).probability
    twice = agreed([predict_inputs(model_of(n()), inputs, sector, CPU).probability for n in (Threshold, Where)])

    # `Where` and the prior say the same: together they count like the first.
    torch.testing.assert_close(weighted, twice)
    lopsided = predict_inputs(replace(model, weights=(0.0, 0.0, 1.0)), inputs, sector, CPU).probability
    torch.testing.assert_close(lopsided, predict_inputs(model_of(Where()), inputs, sector, CPU).probability)


def test_no_opinion_is_a_veto_and_a_single_one_is_left_as_it_is():
    never = torch.tensor([1.0, 0.0])

    assert agreed([never]) is never
    overruled = agreed([never, torch.tensor([0.0001, 0.9999]), torch.tensor([0.0001, 0.9999])])
    assert float(overruled[1]) > 0.9


def test_outside_the_sector_all_is_background_for_certain():
    inputs, sector = torch.ones(5, 8, 8, 8), torch.zeros(8, 8, 8, dtype=torch.bool)
    sector[2:6] = True

    prediction = predict_inputs(model_of(Threshold(), Threshold(2.0)), inputs, sector, CPU)

    assert bool((prediction.probability[0, ~sector] == 1).all())
    assert float(prediction.probability[1, sector].min()) > 0.4
    assert bool((prediction.deviation[~sector] == 0).all())


def test_uncertainty_is_1_where_all_classes_are_equally_likely_and_0_where_one_is_certain():
    volume, _, _ = ball_volume(GEOMETRIES["isotropic"])

    class Unsure(nn.Module):
        def forward(self, x):
            logits = torch.zeros(1, 3, *x.shape[2:])
            logits[:, 0, : x.shape[2] // 2] = 50
            return logits

    prediction = predict(model_of(Unsure(), classes=3), volume, CPU)

    uncertainty = uncertainty_of(prediction.probability)
    np.testing.assert_allclose(uncertainty[:24], 0, atol=1e-5)
    np.testing.assert_allclose(uncertainty[24:], 1, atol=1e-5)
    assert prediction.uncertainty().shape == volume.geometry.shape


def coarse_prediction(shape=(24, 30, 17), coarse=(8, 10, 17)):
    rng = np.random.default_rng(0)
    probability = rng.random((3, *coarse), dtype=np.float32)
    probability /= probability.sum(axis=0)
    geometry = Geometry(shape, (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), np.eye(3))
    sector = np.ones(coarse, dtype=bool)
    features = IntensityFeatures(rng.random(coarse, dtype=np.float32), sector)
    return VolumePrediction(probability, geometry, "random", sector, features)


def test_slabs_put_together_are_the_whole(monkeypatch):
    prediction = coarse_prediction()
    whole = prediction.labels().voxels

    monkeypatch.setattr(inference, "_SLAB_VALUES", 3 * 24 * 30 * 4)
    slabs = list(prediction.slabs())

    assert [where.stop - where.start for where, _ in slabs] == [4, 4, 4, 4, 1]
    fine = np.concatenate([slab for _, slab in slabs], axis=-1)
    np.testing.assert_allclose(fine.sum(axis=0), 1, atol=1e-5)
    for organ in (1, 2):
        whole_organ = resample_axes(prediction.probability[organ], prediction.geometry.shape)
        np.testing.assert_allclose(fine[organ], whole_organ, atol=1e-6)
    np.testing.assert_array_equal(prediction.labels().voxels, whole)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_has_the_labels_of_the_whole(axis):
    prediction = coarse_prediction()
    labels = prediction.labels().voxels

    for index in (0, labels.shape[axis] // 2, labels.shape[axis] - 1):
        np.testing.assert_array_equal(prediction.slice_labels(axis, index), labels.take(index, axis))


def test_coarse_labels_are_the_same_organs_on_a_grid_of_the_same_extent():
    prediction = coarse_prediction()
    coarse, fine = prediction.coarse_labels(12), prediction.labels()

    assert max(coarse.voxels.shape) == 12
    np.testing.assert_allclose(
        np.multiply(coarse.geometry.shape, coarse.geometry.spacing),
        np.multiply(fine.geometry.shape, fine.geometry.spacing),
    )
    ml = [np.bincount(one.voxels.ravel(), minlength=3)[1:] * one.geometry.voxel_volume_ml for one in (coarse, fine)]
    np.testing.assert_allclose(ml[0], ml[1], rtol=0.05)


def test_expected_volumes_are_sums_of_probability_on_either_grid():
    prediction = coarse_prediction()

    volumes = prediction.volumes_ml()

    for organ, volume in enumerate(volumes, start=1):
        fine = resample_axes(prediction.probability[organ], prediction.geometry.shape)
        assert fine.sum(dtype=np.float64) * prediction.geometry.voxel_volume_ml == pytest.approx(volume, rel=0.02)
    total = np.prod(prediction.geometry.shape) * prediction.geometry.voxel_volume_ml
    background = prediction.probability[0].mean(dtype=np.float64) * total
    assert sum(volumes) + background == pytest.approx(total, rel=1e-5)


def test_a_real_student_segments_a_volume_of_any_shape_and_repeats_itself():
    torch.manual_seed(0)
    model = model_of(classes=3)
    networks = tuple(build_student(model.design) for _ in range(2))
    model = model_of(*networks, max_voxels=32, window=16, mirrored=(0,), classes=3)
    volume, _, _ = ball_volume(GEOMETRIES["flipped"])

    first, second = (predict(model, volume, CPU) for _ in range(2))

    assert first.labels().voxels.shape == (61, 40, 31)
    assert first.probability.shape == (3, 31, 32, 31)
    np.testing.assert_allclose(first.probability.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(first.probability, second.probability)


@pytest.mark.parametrize(("order", "flips"), [((0, 1, 2), (1, 1, 0)), ((2, 0, 1), (0, 1, 0)), ((1, 0, 2), (0, 0, 0))])
def test_an_anatomical_model_gives_a_volume_the_same_labels_in_whatever_order_it_is_stored(order, flips):
    stored = Reordering(order, (bool(flips[0]), bool(flips[1]), bool(flips[2])))
    volume = Scan(
        np.random.default_rng(3).random((40, 33, 21)).astype(np.float32),
        Geometry((40, 33, 21), (0.5, 0.7, 1.1), (9.0, -4.0, 2.0), np.eye(3)),
        "probe",
    )
    other = stored.scan(volume)
    model = replace(model_of(Where(), Threshold(), max_voxels=24, window=16), orientation="anatomical")

    first, second = (predict(model, one, CPU) for one in (volume, other))

    np.testing.assert_array_equal(stored.apply(first.labels().voxels), second.labels().voxels)
    np.testing.assert_array_equal(stored.apply(first.probability), second.probability)
    np.testing.assert_array_equal(stored.apply(first.sector), second.sector)
    assert second.geometry is other.geometry and second.labels().geometry is other.geometry
    np.testing.assert_allclose(stored.apply(first.uncertainty()), second.uncertainty(), atol=1e-6)
    assert first.volumes_ml() == pytest.approx(second.volumes_ml())
    assert 0 < np.count_nonzero(first.labels().voxels) < first.labels().voxels.size
    as_stored = replace(model, orientation="as-stored")
    assert not np.array_equal(
        stored.apply(predict(as_stored, volume, CPU).labels().voxels),
        predict(as_stored, other, CPU).labels().voxels,
    )
