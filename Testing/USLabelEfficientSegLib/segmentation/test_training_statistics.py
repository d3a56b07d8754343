import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.orientation import Reordering
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.segmentation.intensity_features import intensity_features
from USLabelEfficientSegLib.segmentation.training_statistics import TrainingStatistics, training_statistics

SHAPE, SPACING = (32, 32, 24), (2.5, 2.5, 2.7)


def volume(seed):
    return simulate_volume(seed, shape=SHAPE, spacing=SPACING).volume


@pytest.fixture(scope="module")
def statistics():
    volumes = [volume(seed) for seed in range(8)]
    features = [intensity_features(one, 32) for one in volumes]
    return training_statistics(
        np.linspace([10.0, 2.0], [20.0, 5.0], 8), [one.geometry for one in volumes], features, 32
    )


def test_volumes_near_the_range_of_the_study_are_usual(statistics):
    assert [statistics.usual_volume(0, ml) for ml in (8.0, 9.0, 15.0, 22.0, 24.0)] == [False, True, True, True, False]
    assert statistics.usual_volume(1, 4.0) and not statistics.usual_volume(1, 10.0)


def test_grids_like_those_of_the_study_are_usual(statistics):
    def grid(shape, spacing):
        return Geometry(shape, spacing, (0.0, 0.0, 0.0), np.eye(3))

    assert statistics.usual_grid(grid(SHAPE, SPACING))
    assert statistics.usual_grid(grid((28, 30, 28), (2.4, 2.6, 2.5)))
    assert not statistics.usual_grid(grid(SHAPE, (0.25, 0.25, 0.27)))
    assert not statistics.usual_grid(grid((96, 32, 24), SPACING))


def test_images_unlike_those_of_the_study_are_noticed(statistics):
    usual = volume(100)
    seen = usual.voxels > 0
    inverted = Scan(np.where(seen, 255 - usual.voxels, 0).astype(np.uint8), usual.geometry, "inverted")
    turned = Scan(usual.voxels[:, ::-1].copy(), usual.geometry, "upside down")
    louder = Scan(usual.voxels.astype(np.float32) * 7, usual.geometry, "louder")

    found = [statistics.usual_intensities(intensity_features(one, 32)) for one in (usual, louder, inverted, turned)]

    assert found == [True, True, False, False]


def test_statistics_survive_json(statistics):
    assert TrainingStatistics.model_validate_json(statistics.model_dump_json()) == statistics


def test_axes_that_run_otherwise_than_in_training_are_named_and_grids_compared_in_their_order(statistics):
    own = volume(100).geometry
    permuted = Reordering((2, 0, 1), (False, True, False)).grid(own)
    anatomical = statistics.model_copy(update={"orientation": "anatomical"})
    unknown = statistics.model_copy(update={"axes": ()})

    assert statistics.axes == ("LPS",)
    assert statistics.other_axes(own) is None and statistics.other_axes(permuted) == ("S-R-P", "L-P-S")
    assert anatomical.other_axes(permuted) is None and unknown.other_axes(permuted) is None
    long = Geometry((32, 32, 60), SPACING, (0.0, 0.0, 0.0), np.eye(3))
    narrow = statistics.model_copy(update={"extent_mm": tuple((n * 2.5, n * 2.5) for n in (32, 32, 60))})
    other = Reordering((2, 0, 1), (False, True, False)).grid(long)
    assert narrow.usual_grid(long) and narrow.usual_grid(other)
    assert not unknown.model_copy(update={"extent_mm": narrow.extent_mm}).usual_grid(other)


def test_statistics_of_earlier_models_know_no_axes(statistics):
    record = statistics.model_dump()
    for name in ("axes", "orientation"):
        del record[name]

    assert TrainingStatistics.model_validate(record) == statistics.model_copy(update={"axes": ()})
