from dataclasses import replace

import numpy as np
import pytest

from USLabelEfficientSegLib.benchmark.degradations import (
    DEGRADATIONS,
    SIMULATED_PROBE,
    STRENGTHS,
    degrade,
    degraded_views,
)
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.imaging.sector import sector_mask
from USLabelEfficientSegLib.imaging.simulator import simulate_volume


@pytest.fixture(scope="module")
def case():
    return simulate_volume(3, shape=(40, 42, 32), spacing=(2.0, 2.0, 2.0))


@pytest.fixture(scope="module")
def volume(case):
    return case.volume


@pytest.fixture(scope="module")
def image():
    """Speckle 60 wide and 40 deep, without an outside."""
    pixels = np.random.default_rng(0).rayleigh(60, (60, 40, 1)).clip(1, 255).astype(np.uint8)
    return Scan(pixels, Geometry((60, 40, 1), (0.5, 0.5, 1.0), (0.0, 0.0, 0.0), np.eye(3)), "speckle")


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_the_image_changes_the_more_the_stronger_and_always_in_the_same_way(volume, name):
    changes = [
        np.abs(degrade(volume, name, strength, seed=1).voxels - volume.voxels.astype(float)).mean()
        for strength in STRENGTHS
    ]

    assert 0.5 < changes[0] < changes[1] < changes[2]
    first, again, other = (degrade(volume, name, 0.5, seed=seed).voxels for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert name == "resolution" or not np.array_equal(first, other)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_geometry_range_and_the_outside_of_the_sector_stay(volume, name):
    degraded = degrade(volume, name, 1.0, seed=0)
    outside = ~sector_mask(volume.voxels.astype(np.float32))

    assert degraded.geometry is volume.geometry
    assert degraded.voxels.min() >= volume.voxels.min() and degraded.voxels.max() <= volume.voxels.max()
    assert outside.any()
    np.testing.assert_array_equal(degraded.voxels[outside], volume.voxels[outside])


def test_a_shadow_darkens_what_lies_deeper(volume):
    loss = volume.voxels.astype(float) - degrade(volume, "shadow", 1.0, seed=0).voxels
    assert loss[:, -10:].mean() > 5 * max(loss[:, :3].mean(), 0.1)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_an_image_stays_an_image_and_changes_the_more_the_stronger(image, name):
    degraded = [degrade(image, name, strength, seed=1) for strength in STRENGTHS]
    changes = [np.abs(d.voxels - image.voxels.astype(float)).mean() for d in degraded]

    assert all(d.is_planar and d.voxels.shape == (60, 40, 1) for d in degraded)
    assert 0.5 < changes[0] < changes[1] < changes[2]


def test_the_gain_of_an_image_changes_along_its_two_axes_about_half_of_the_range():
    grey = np.full((60, 40, 1), 0.5, dtype=np.float32)
    offset = DEGRADATIONS["gain"](grey, 1.0, np.random.default_rng(4)) - grey

    assert abs(offset.mean()) == pytest.approx(0.5, abs=1e-6)  # a slope along the single slice would move the mean
    assert np.ptp(offset[:, 0]) > 0.01 and np.ptp(offset[0]) > 0.01


def test_the_shadow_of_an_image_falls_downwards(image):
    loss = image.voxels.astype(float) - degrade(image, "shadow", 1.0, seed=0).voxels
    assert loss[:, -10:].mean() > 5 * max(loss[:, :3].mean(), 0.1)


def test_another_probe_blurs_the_deeper_the_more(volume):
    """Neighbouring beams agree more with each other than before, most of all far from the probe."""
    degraded = degrade(volume, "other-probe", 1.0, seed=0)
    sector = sector_mask(volume.voxels.astype(np.float32))

    def roughness(image, depth):
        steps = np.diff(image.voxels.astype(float), axis=0)[:, depth]
        inside = (sector[1:] & sector[:-1])[:, depth]
        return np.abs(steps[inside]).mean()

    near, far = slice(8, 20), slice(26, 38)
    ratios = [roughness(degraded, depth) / roughness(volume, depth) for depth in (near, far)]
    assert ratios[1] < ratios[0] < 1


def test_every_view_is_degraded_and_simulated_subjects_are_seen_through_other_probes(case):
    views = degraded_views(case.volume, case.label_map, seed=0)
    assert [(name, strength) for name, strength, _ in views] == [
        (name, strength) for name in (*DEGRADATIONS, SIMULATED_PROBE) for strength in STRENGTHS
    ]
    as_it_is, low_cost = (make().voxels for name, _, make in views[-3::2])
    np.testing.assert_array_equal(as_it_is, case.volume.voxels)  # the good probe
    assert not np.array_equal(low_cost, case.volume.voxels)
    assert len(degraded_views(replace(case.volume, name="patient7"), case.label_map, seed=0)) == len(views) - 3
