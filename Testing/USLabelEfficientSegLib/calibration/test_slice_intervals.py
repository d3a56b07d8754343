import numpy as np
import pytest

from USLabelEfficientSegLib.calibration.slice_intervals import OwnVolumes, calibration_from_slices
from USLabelEfficientSegLib.calibration.slice_residuals import SliceResiduals

OWN = OwnVolumes(variance=0.0, log_share=-3.0, beyond=0.0)


def residuals(log_ratios, slices=1, log_shares=(-3.0, -3.0)):
    values = np.asarray(log_ratios, dtype=float)
    return SliceResiduals(values, np.full(len(values), slices), np.array(log_shares))


def bounds(of_organ, own):
    (factors,) = calibration_from_slices([of_organ], [own]).factors["volume"]
    assert factors is not None
    return factors


def half_width(of_organ, own):
    low, high = bounds(of_organ, own)
    assert low < 1 < high and low * high < 1  # the predicted volume is a mean, which lies above the median
    return np.log(high / low) / 2


def test_intervals_from_slices_cover_subjects_whose_sizes_vary_as_the_slices_show():
    """Sizes of subjects are log-normal and areas follow them with the noise that the method assumes."""
    rng = np.random.default_rng(1)
    hits = []
    for _ in range(600):
        areas = rng.normal(0, 0.35 / 0.84, 12)
        half = half_width(residuals(areas), OwnVolumes(0.0, -3.0 + areas.mean(), 0.0))
        hits.append(np.abs(rng.normal(0, 0.35, 50)) <= half)

    assert 0.86 <= np.mean(hits) <= 0.94


def test_the_interval_lies_about_the_median_of_what_the_model_holds_possible():
    """The mean of a log-normal variable exceeds its median by half its variance, here that of sizes between people."""
    rng = np.random.default_rng(2)
    hits = []
    for _ in range(600):
        areas = rng.normal(0, 0.35 / 0.7, 12)
        low, high = bounds(residuals(areas), OwnVolumes(0.0, -3.0 + areas.mean(), 0.0))
        true_over_mean = np.exp(rng.normal(-(0.35**2) / 2, 0.35, 50))
        hits.append([(true_over_mean < low).mean(), (true_over_mean > high).mean()])

    below, above = np.mean(hits, axis=0)
    assert 0.03 <= below <= 0.07 and 0.03 <= above <= 0.07


def test_a_difference_from_the_prior_that_chance_explains_does_not_widen_the_interval():
    spread = np.tile([-0.3, 0.3], 10)

    usual, near, far = (half_width(residuals(spread), OwnVolumes(0.0, share, 0.0)) for share in (-3.0, -2.94, -2.7))

    assert near == usual < far


def test_wider_residuals_fewer_subjects_and_disagreement_widen_the_interval():
    spread = np.tile([-0.3, 0.3], 10)

    usual = half_width(residuals(spread), OWN)

    assert half_width(residuals(2 * spread), OWN) > 1.3 * usual
    assert half_width(residuals(spread[:4]), OWN) > usual
    assert half_width(residuals(spread, log_shares=(-3.2, -2.8)), OWN) > usual
    assert half_width(residuals(spread), OwnVolumes(0.0, -2.7, 0.0)) > usual
    assert half_width(residuals(spread, slices=10), OWN) > usual  # of many slices a residual is all size


def test_a_model_that_corrects_the_bias_of_the_prior_is_believed():
    too_large = np.tile([-0.6, -0.2], 10)

    follows, corrects = (half_width(residuals(too_large), OwnVolumes(0.0, share, 0.0)) for share in (-3.0, -3.4))

    assert corrects < follows


def test_what_the_model_explains_narrows_the_interval_but_never_to_nothing():
    spread = np.tile([-0.4, 0.4], 10)

    usual, explained, too_good = (half_width(residuals(spread), OwnVolumes(v, -3.0, 0.0)) for v in (0.0, 0.05, 9.0))

    assert too_good < explained < usual
    assert too_good > 0.4 * usual


def test_what_lies_beyond_the_labels_lowers_the_lower_bound_alone():
    spread = np.tile([-0.3, 0.3], 10)

    low, high = bounds(residuals(spread), OWN)
    lower, same = bounds(residuals(spread), OwnVolumes(0.0, -3.0, 0.25))

    assert lower == pytest.approx(0.75 * low)
    assert same == high


def test_an_organ_on_fewer_than_three_subjects_has_no_interval():
    calibration = calibration_from_slices([residuals([0.1, -0.1]), residuals([0.1, 0.2, -0.3])], [OWN, OWN])

    assert calibration.interval("volume", 0, 10.0) is None
    interval = calibration.interval("volume", 1, 10.0)
    assert interval is not None and interval[0] < 10 < interval[1]
    assert calibration.interval("volume", 1, 0.0) is None
    assert "2 and 3 labelled subjects" in calibration.method
