from pathlib import Path

import pytest

from robustness import runner


def fails() -> None:
    raise ValueError("not as it should be")


def test_failures_are_counted_and_the_next_checks_are_run(monkeypatch, capsys) -> None:
    class Family:
        @staticmethod
        def checks(count, seed, folder: Path):
            (folder / "input").write_text("a")
            yield "good", lambda: None
            yield "bad", fails
            yield "another", lambda: None

    monkeypatch.setattr(runner, "families", lambda: {"numbers": Family})

    with pytest.raises(SystemExit) as stopped:
        runner.main(["--families", "numbers"])

    assert stopped.value.code == 1
    told = capsys.readouterr().out
    assert "2: bad\n    ValueError: not as it should be" in told
    assert told.splitlines()[-1] == "3 checks, 1 failed"


def test_a_run_without_failures_ends_well(monkeypatch, capsys) -> None:
    class Family:
        @staticmethod
        def checks(count, seed, folder):
            for number in range(100):
                yield str(number), lambda: None

    monkeypatch.setattr(runner, "families", lambda: {"numbers": Family})

    with pytest.raises(SystemExit) as stopped:
        runner.main(["--count", "7"])

    assert stopped.value.code == 0
    assert capsys.readouterr().out.splitlines()[-1] == "7 checks, 0 failed"


@pytest.mark.parametrize("family", ["headers", "json", "pictures"])
def test_a_check_that_is_repeated_alone_is_the_same(monkeypatch, family):
    made = []

    def noted(checks, until, only):
        made.append([name for name, _ in checks][-1])
        return 1, {}

    monkeypatch.setattr(runner, "run", noted)
    runner.run_family(family, 30, 5, only=17)
    monkeypatch.setattr(runner, "run", lambda checks, until, only: made.append([name for name, _ in checks][16]))
    runner.run_family(family, 30, 5)

    assert made[0] == made[1]


def test_one_check_is_run_alone():
    ran = []
    checks = ((str(number), lambda number=number: ran.append(number)) for number in range(9))

    assert runner.run(checks, only=4) == (1, {}) and ran == [3]
