"""A share of the checks of studies and models, with another share of the orders and damages than the command's."""

import pytest

from robustness.runner import run_family


@pytest.mark.parametrize(("family", "count"), [("json", 150), ("models", 80), ("links", 60), ("races", 20)])
def test_checks_of_studies_and_models_hold(family: str, count: int) -> None:
    checked, failures = run_family(family, count, seed=1)

    assert checked == count
    assert not failures, "\n".join(failures.values())
