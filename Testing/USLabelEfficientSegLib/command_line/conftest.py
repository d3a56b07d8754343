"""A study and data that a test may damage, and what every refusal has in common."""

import shutil

import pytest


@pytest.fixture
def refused(call, tmp_path):
    """Assert that a command is refused with one clear line and changes nothing in the test's folder."""

    def run(*arguments):
        before = contents(tmp_path)
        code, _, err = call(*arguments)
        assert code == 2
        assert err.startswith("uslabelseg: error: ") and err.count("\n") == 1 and err.endswith("\n"), err
        assert contents(tmp_path) == before
        return err

    return run


@pytest.fixture
def data(tmp_path, simulated):
    """A copy of the simulated images and labels that a test may damage."""
    return shutil.copytree(simulated, tmp_path / "data")


@pytest.fixture
def study_copy(tmp_path, trained_study):
    return shutil.copytree(trained_study, tmp_path / "study")


def contents(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}
