import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.imaging.volume import Geometry, UltrasoundVolume
from USLabelEfficientSegLib.segmentation.training_statistics import (
    TrainingStatistics,
    intensity_features,
    training_statistics,
)

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
    inverted = UltrasoundVolume(np.where(seen, 255 - usual.voxels, 0).astype(np.uint8), usual.geometry, "inverted")
    turned = UltrasoundVolume(usual.voxels[:, ::-1].copy(), usual.geometry, "upside down")
    louder = UltrasoundVolume(usual.voxels.astype(np.float32) * 7, usual.geometry, "louder")

    found = [statistics.usual_intensities(intensity_features(one, 32)) for one in (usual, louder, inverted, turned)]

    assert found == [True, True, False, False]


def test_statistics_survive_json(statistics):
    assert TrainingStatistics.model_validate_json(statistics.model_dump_json()) == statistics
