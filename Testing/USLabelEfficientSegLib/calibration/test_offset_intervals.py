import numpy as np
import pytest
from scipy.special import expit, logit

from USLabelEfficientSegLib.calibration.offset_intervals import (
    BEYOND_LABELS,
    HALF_WIDTH,
    calibration_by_offsets,
    expected_size,
    offset_to_size,
)

OFFSETS = (BEYOND_LABELS - HALF_WIDTH, BEYOND_LABELS + HALF_WIDTH)


def ball(softness, top=1.0):
    """Probability (24, 24, 24) of a ball of radius 8 whose edge is so many voxels wide, at most `top`."""
    radius = np.linalg.norm(np.indices((24, 24, 24)) - 11.5, axis=0)
    return (top * expit((8 - radius) / softness)).astype(np.float32)


def width(probability):
    low, high = (expected_size(probability, offset) for offset in OFFSETS)
    return (high - low) / expected_size(probability)


def test_without_an_offset_the_expected_size_is_the_sum_of_probabilities():
    assert expected_size(ball(1.0)) == pytest.approx(ball(1.0).sum(dtype=np.float64))


@pytest.mark.parametrize("offset", [-4.0, -0.5, 2.0])
def test_an_offset_is_added_to_the_logit_of_every_voxel(offset):
    probability = np.random.default_rng(0).uniform(0.001, 0.999, (6, 7, 8)).astype(np.float32)

    expected = expit(logit(probability.astype(np.float64)) + offset).sum()

    assert expected_size(probability, offset) == pytest.approx(expected)


def test_certain_voxels_stay_what_they_are():
    certain = np.zeros((4, 4, 4), np.float32)
    certain[1:3] = 1

    assert expected_size(certain, 4.0) == expected_size(certain, -4.0) == 32


def test_an_offset_does_not_make_an_organ_of_a_background_that_is_sure():
    background = np.full((200, 200, 200), 1e-6, np.float32)

    assert expected_size(background, 4.0) == 0


def test_a_blurred_outline_and_an_organ_seen_dimly_have_wider_intervals():
    clear = width(ball(0.1))

    assert 0 < clear < 0.5
    assert width(ball(1.0)) > 2 * clear
    assert width(ball(0.1, top=0.3)) > 2 * clear


def test_the_interval_holds_the_volume_itself():
    low, high = (expected_size(ball(0.5), offset) for offset in OFFSETS)

    assert low < expected_size(ball(0.5)) < high


def test_weights_count_a_voxel_as_much_as_is_labelled_of_it():
    probability, weight = np.array([0.5, 0.5, 0.2], np.float32), np.array([1.0, 0.5, 0.0], np.float32)

    assert expected_size(probability, 0.0, weight) == pytest.approx(0.75)


@pytest.mark.parametrize("offset", [-2.5, 0.0, 1.5])
def test_the_offset_of_the_labels_gives_them_their_size(offset):
    probability = ball(1.0).ravel()
    weight = np.random.default_rng(1).choice([0.0, 0.4, 1.0], probability.shape)

    size = expected_size(probability, offset, weight)

    assert offset_to_size(probability, weight, size) == pytest.approx(offset, abs=0.01)


def test_labels_that_no_offset_explains_do_not_move_the_interval_out_of_sight():
    probability, weight = ball(1.0).ravel(), np.ones(24**3)

    assert offset_to_size(probability, weight, 0.0) == -4
    assert offset_to_size(probability, weight, 24.0**3) == 4


def test_the_interval_lies_about_the_offset_of_the_labels():
    calibration = calibration_by_offsets([0.0, None, -2.0])

    assert calibration.offsets == (OFFSETS, None, (OFFSETS[0] - 2, OFFSETS[1] - 2))
    assert calibration.factors == {"volume": (None,) * 3}
    assert "log-odds" in calibration.method
