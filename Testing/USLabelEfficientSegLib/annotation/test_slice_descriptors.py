import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.slice_descriptors import (
    describe_volume,
    principal_components,
    sector_shares,
    slice_features,
)
from USLabelEfficientSegLib.imaging.simulator import simulate_volume


def volume(seed):
    return simulate_volume(seed, shape=(24, 26, 16), spacing=(3.3, 3.1, 4.0)).volume.voxels


def test_every_slice_of_every_volume_has_a_point():
    described = [describe_volume(volume(seed), axis=2) for seed in range(2)]
    described.append(describe_volume(volume(2)[:, :, :10], axis=2))

    features = slice_features(described)

    assert features.shape[0] == 16 + 16 + 10
    assert np.isfinite(features).all()
    assert np.square(features).sum(axis=1).mean() == pytest.approx(3.0, abs=0.1)  # three parts that count the same


def test_gain_of_the_scanner_does_not_change_a_description():
    voxels = volume(0).astype(np.float32)
    plain, louder = describe_volume(voxels, axis=1), describe_volume(2.5 * voxels, axis=1)

    np.testing.assert_allclose(louder.appearance, plain.appearance, atol=1e-3)
    assert plain.appearance.shape[0] == 26


def test_slices_outside_the_sector_show_little():
    voxels = np.zeros((24, 24, 20), dtype=np.uint8)
    voxels[:, :, 6:] = np.random.default_rng(0).integers(60, 250, (24, 24, 14))

    share = describe_volume(voxels, axis=2).sector_share

    assert share[:4].max() < 0.25
    assert share[8:].min() > 0.9


def test_the_sector_alone_tells_the_same_along_every_axis():
    voxels = volume(0)

    for axis, share in enumerate(sector_shares(voxels)):
        np.testing.assert_array_equal(share, describe_volume(voxels, axis).sector_share)


def test_features_of_a_network_replace_the_appearance():
    given = np.random.default_rng(0).normal(size=(16, 5)).astype(np.float32)

    assert describe_volume(volume(0), axis=2, appearance=given).appearance is given


def test_principal_components_keep_distances_up_to_scale_and_survive_equal_rows():
    rows = np.random.default_rng(0).normal(size=(12, 3))
    scores = principal_components(rows, 3)

    ratio = np.linalg.norm(scores[1:] - scores[0], axis=1) / np.linalg.norm(rows[1:] - rows[0], axis=1)
    np.testing.assert_allclose(ratio, ratio[0])
    assert not principal_components(np.ones((4, 6)), 2).any()
