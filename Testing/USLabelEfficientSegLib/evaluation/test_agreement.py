import numpy as np
import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.evaluation.agreement import intraclass_correlations, limits_of_agreement, volume_agreement

# The worked example of Shrout and Fleiss 1979, table 2: six targets, four judges.
JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)


def test_intraclass_correlations_are_those_of_the_published_example():
    absolute, consistency = intraclass_correlations(JUDGES)

    assert absolute.value == pytest.approx(0.29, abs=0.005)
    assert consistency.value == pytest.approx(0.71, abs=0.005)
    assert (absolute.lower, absolute.upper) == pytest.approx((0.019, 0.761), abs=0.002)
    assert (consistency.lower, consistency.upper) == pytest.approx((0.342, 0.946), abs=0.002)


def test_a_constant_offset_lowers_absolute_agreement_but_not_consistency():
    reference = np.array([20.0, 35.0, 50.0, 65.0, 80.0])

    found = volume_agreement((reference + 10).tolist(), reference.tolist())

    assert found.consistency.value == pytest.approx(1)
    assert 0.8 < found.absolute.value < 0.95
    assert found.limits_ml.bias.value == pytest.approx(10)
    assert found.limits_ml.sd == pytest.approx(0, abs=1e-9)


def test_limits_hold_the_stated_share_of_normal_differences_and_their_intervals_the_true_limits():
    random = np.random.default_rng(0)
    inside, covered = [], []
    for _ in range(400):
        limits = limits_of_agreement(random.normal(3, 2, 40))
        inside.append((abs(random.normal(3, 2, 200) - limits.bias.value) < 1.96 * limits.sd).mean())
        covered.append(limits.upper.lower < 3 + 1.96 * 2 < limits.upper.upper)
        assert limits.lower.value == pytest.approx(limits.bias.value - 1.96 * limits.sd, abs=1e-3)

    assert np.mean(inside) == pytest.approx(0.945, abs=0.01)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.03)


def test_perfect_agreement_has_no_spread():
    found = volume_agreement([10.0, 20.0, 40.0], [10.0, 20.0, 40.0])

    assert found.absolute.value == found.consistency.value == found.absolute.lower == 1
    assert found.limits_ml.lower.value == found.limits_ml.upper.value == 0


def test_percent_differences_need_a_volume():
    found = volume_agreement([0.0, 20.0, 44.0], [0.0, 20.0, 40.0])

    assert found.limits_percent is None
    percent = volume_agreement([11.0, 20.0, 40.0], [9.0, 20.0, 40.0]).limits_percent
    assert percent is not None and percent.bias.value == pytest.approx(20 / 3)


def test_fewer_than_three_cases_are_refused():
    with pytest.raises(InputError, match="cannot be told from 2 cases"):
        volume_agreement([1.0, 2.0], [1.0, 2.0])
