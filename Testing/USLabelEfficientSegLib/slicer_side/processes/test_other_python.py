"""Another Python computes: it is remembered, started without Slicer's variables, checked, and refused if unfit."""

import os
import shutil
import sys

import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.slicer_side.processes.worker import Worker, explanation

SHOW = '#!/bin/sh\necho "home=$PYTHONHOME path=$PYTHONPATH" "$@"\n'


@pytest.fixture
def other_python(host):
    from USLabelEfficientSegLib.slicer_side.processes import other_python

    yield other_python
    other_python.choose_python(None)


@pytest.fixture
def checking(other_python):
    from USLabelEfficientSegLib.slicer_side.processes import python_checking

    return python_checking


@pytest.fixture
def showing(tmp_path):
    """A program that shows how it was started."""
    script = tmp_path / "other python"
    script.write_text(SHOW)
    script.chmod(0o755)
    return script


def checked(checking, python):
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job

    return Job("Checking Python", lambda job: checking.check(job, python), "check").wait()


def test_the_choice_is_kept_in_slicers_settings_of_this_computer(other_python, tmp_path):
    import slicer

    assert other_python.chosen_python() is None
    other_python.choose_python(tmp_path / "python")

    assert other_python.chosen_python() == tmp_path / "python"
    assert slicer.app.userSettings().value("USLabelEfficientSeg/Python") == str(tmp_path / "python")
    other_python.choose_python(None)
    assert other_python.chosen_python() is None


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_a_worker_runs_with_the_other_python_and_nothing_of_slicers_launcher(
    other_python, showing, tmp_path, monkeypatch
):
    monkeypatch.setenv("PYTHONHOME", "/slicers/python")
    monkeypatch.setenv("PYTHONPATH", "/slicers/packages")
    other_python.choose_python(showing)

    worker = Worker(["train", "a study"], tmp_path / "log")
    worker.wait(10)

    assert worker.log_text() == f"home= path={other_python.LIBRARY} -m USLabelEfficientSegLib.cli train a study\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_pip_always_runs_with_slicers_own_python(other_python, showing, tmp_path):
    other_python.choose_python(showing)

    worker = Worker(["--version"], tmp_path / "log", module="pip")
    worker.wait(60)

    assert worker.log_text().startswith("pip ")


def test_slicers_own_python_keeps_the_launchers_variables(other_python, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/slicers/packages")

    found = other_python.environment_of(None, {"A": "1"})

    assert found["PYTHONPATH"] == os.pathsep.join([str(other_python.LIBRARY), "/slicers/packages"])
    assert found["A"] == "1" and found["PATH"] == os.environ["PATH"]


def test_a_check_shows_versions_device_and_speed(checking, tmp_path):
    found = checked(checking, shutil.which(sys.executable))

    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert found.versions["torch"] and found.milliseconds > 0
    assert f"torch {found.versions['torch']}" in found.sentence() and "ms" in found.sentence()
    assert checking.why_unfit(found) is None


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_a_program_that_is_no_python_is_refused(checking, showing):
    with pytest.raises(InputError, match=r"other python: is no Python that can be used .*choose the program python"):
        checked(checking, showing)


@pytest.mark.parametrize(
    ("python", "changes", "told"),
    [
        ("3.10.4", {}, "is Python 3.10.4; choose one of version 3.11"),
        ("3.12.4", {"monai": "1.4.0", "rich": None}, 'lacks monai, rich; .*pip install "monai>=1.5" "rich>=13"'),
    ],
)
def test_what_another_python_lacks_is_told_with_the_command(checking, python, changes, told):
    from USLabelEfficientSegLib.slicer_side.processes import dependencies

    texts = [*dependencies.allRequirements(), *dependencies.BUNDLED]
    versions = {dependencies.nameOf(text): "99" for text in texts} | changes

    unfit = checking.why_unfit(checking.PythonCheck(python, versions))

    with pytest.raises(InputError, match=told):
        raise InputError("python", unfit.problem, unfit.remedy)


def test_a_package_that_the_other_python_lacks_is_not_to_be_installed_into_slicer(other_python, tmp_path):
    other_python.choose_python(tmp_path / "python")

    told = explanation(1, "ModuleNotFoundError: No module named 'monai'\n", tmp_path / "log")

    assert f"monai is missing in {tmp_path / 'python'}; press Use another Python" in told
