import numpy as np
import pytest
from scipy.special import expit, logit

from USLabelEfficientSegLib.calibration.offset_intervals import OFFSETS, calibration_by_offsets, expected_voxels


def ball(softness, top=1.0):
    """Probability (24, 24, 24) of a ball of radius 8 whose edge is so many voxels wide, at most `top`."""
    radius = np.linalg.norm(np.indices((24, 24, 24)) - 11.5, axis=0)
    return (top * expit((8 - radius) / softness)).astype(np.float32)


def width(probability):
    low, high = (expected_voxels(probability, offset) for offset in OFFSETS)
    return (high - low) / expected_voxels(probability)


def test_without_an_offset_the_expected_size_is_the_sum_of_probabilities():
    assert expected_voxels(ball(1.0)) == pytest.approx(ball(1.0).sum(dtype=np.float64))


@pytest.mark.parametrize("offset", [-4.0, -0.5, 2.0])
def test_an_offset_is_added_to_the_logit_of_every_voxel(offset):
    probability = np.random.default_rng(0).uniform(0.001, 0.999, (6, 7, 8)).astype(np.float32)

    expected = expit(logit(probability.astype(np.float64)) + offset).sum()

    assert expected_voxels(probability, offset) == pytest.approx(expected)


def test_certain_voxels_stay_what_they_are():
    certain = np.zeros((4, 4, 4), np.float32)
    certain[1:3] = 1

    assert expected_voxels(certain, 4.0) == expected_voxels(certain, -4.0) == 32


def test_an_offset_does_not_make_an_organ_of_a_background_that_is_sure():
    background = np.full((200, 200, 200), 1e-6, np.float32)

    assert expected_voxels(background, 4.0) == 0


def test_a_blurred_outline_and_an_organ_seen_dimly_have_wider_intervals():
    clear = width(ball(0.1))

    assert 0 < clear < 0.5
    assert width(ball(1.0)) > 2 * clear
    assert width(ball(0.1, top=0.3)) > 2 * clear


def test_the_interval_holds_the_volume_itself():
    low, high = (expected_voxels(ball(0.5), offset) for offset in OFFSETS)

    assert low < expected_voxels(ball(0.5)) < high


def test_an_organ_that_one_slice_shows_or_none_has_no_interval():
    calibration = calibration_by_offsets([0, 1, 2, 9])

    assert calibration.offsets == (None, None, OFFSETS, OFFSETS)
    assert calibration.factors == {"volume": (None,) * 4}
    assert "log-odds" in calibration.method
