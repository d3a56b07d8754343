from robustness.runner import run_family


def test_checks_of_results_hold() -> None:
    checked, failures = run_family("outputs", 60, seed=1)

    assert checked == 60
    assert not failures, "\n".join(failures.values())
