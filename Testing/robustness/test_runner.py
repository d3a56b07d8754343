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
