import numpy as np
import pytest

from USLabelEfficientSegLib.calibration.intervals import Calibration, calibration_from_scans, conformal_factors
from USLabelEfficientSegLib.errors import InputError


@pytest.mark.parametrize("count", [9, 12, 18, 19, 40])
def test_conformal_intervals_cover_new_volumes_as_promised(count):
    """Split conformal prediction covers at least 90 %, and hardly more than its rank allows, whatever the errors."""
    rng = np.random.default_rng(count)
    hits = []
    for _ in range(400):
        errors = rng.normal(0.1, 0.3, count + 20) * rng.choice([1, 2], count + 20)
        low, high = conformal_factors(errors[:count])
        new = np.exp(errors[count:])
        hits.append(((low <= new) & (new <= high)).mean())

    assert 0.885 <= np.mean(hits) <= 0.9 + 2 / (count + 1) + 0.015


def test_many_scans_correct_a_bias():
    errors = np.random.default_rng(0).normal(-0.4, 0.1, 50)

    low, high = conformal_factors(errors)

    assert low < np.exp(-0.4) < high < 0.9


def test_every_quantity_and_organ_has_factors_of_its_own():
    generator = np.random.default_rng(0)
    areas, lengths = generator.normal(0, 0.2, (30, 2)), generator.normal(0, 0.1, (30, 2))

    calibration = calibration_from_scans({"area": areas, "circumference": lengths}, "image")

    assert calibration.factors["area"] == tuple(map(conformal_factors, areas.T))
    assert calibration.factors["circumference"] == tuple(map(conformal_factors, lengths.T))
    assert "interval of area and circumference" in calibration.method
    assert "30 fully labelled images that the model was not trained on" in calibration.method


def test_too_few_scans_are_refused():
    with pytest.raises(InputError, match="has 8 volumes in which an organ is both labelled and found, too few"):
        calibration_from_scans({"volume": np.zeros((8, 1))}, "volume")
    errors = np.full((12, 2), 0.1)
    errors[:5, 1] = np.nan
    with pytest.raises(InputError, match="has 7 images in which an organ is both labelled and found, too few"):
        calibration_from_scans({"area": errors}, "image")


def test_an_interval_is_the_measured_size_times_its_factors():
    calibration = Calibration(factors={"volume": ((0.5, 2.0), None)}, method="a sentence.")

    assert calibration.interval("volume", 0, 10.0) == (5.0, 20.0)
    assert calibration.interval("volume", 1, 10.0) is None
    assert calibration.interval("volume", 0, 0.0) is None and calibration.interval("volume", 0, None) is None


def test_a_calibration_survives_json():
    calibration = Calibration(factors={"volume": ((0.5, 2.0), None)}, method="a sentence.")

    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration


@pytest.mark.parametrize(
    ("former", "factors"),
    [
        ({"factors": [[0.5, 2.0], None]}, {"volume": ((0.5, 2.0), None)}),
        (
            {"area": [[0.8, 1.2]], "circumference": [[0.9, 1.1]]},
            {"area": ((0.8, 1.2),), "circumference": ((0.9, 1.1),)},
        ),
    ],
)
def test_calibrations_of_version_0_1_keep_their_numbers(former, factors):
    read = Calibration.model_validate({**former, "method": "a sentence."})

    assert read == Calibration(factors=factors, method="a sentence.")
