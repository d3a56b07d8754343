"""What people expect of every command: how much it tells, its log, help, completion, and what comes next."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from USLabelEfficientSegLib.command_line import progress
from USLabelEfficientSegLib.command_line.app import app
from USLabelEfficientSegLib.study.study import Study


@pytest.fixture
def logs(monkeypatch, tmp_path):
    monkeypatch.setenv("USLABELSEG_STATE", str(tmp_path / "state"))
    return tmp_path / "state" / "logs"


@pytest.fixture
def study(tmp_path, simulated):
    folder = tmp_path / "a study"
    Study.create(folder, simulated / "images", simulated / "labels", label_fraction=0.1)
    return folder


@pytest.fixture
def one_more(tmp_path, simulated):
    """A folder with a volume that no study has."""
    images = tmp_path / "more"
    images.mkdir()
    shutil.copy(next((simulated / "images").iterdir()), images / "another.nrrd")
    return images


def next_of(call, *arguments):
    """What a command says that comes next."""
    code, out, err = call(*arguments)
    assert code == 0, err
    last = out.splitlines()[-1]
    assert last.startswith("Next: ") and out.count("Next: ") == 1
    return last.removeprefix("Next: ")


def test_quiet_tells_nothing_and_the_log_everything_with_times(call, logs, simulated, tmp_path):
    code, out, err = call("study", "create", tmp_path / "new", "--images", simulated / "images", "--quiet")

    assert (code, out, err) == (0, "", "")
    (log,) = logs.iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d-\d\d-\d\d create \d+\.log", log.name)
    lines = log.read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in lines)
    assert f"Made {tmp_path / 'new'}: 3 volumes" in lines[2] and "Next: uslabelseg suggest" in lines[3]


def test_quiet_hides_no_error(call, logs, tmp_path):
    code, out, err = call("study", "create", tmp_path / "new", "--images", tmp_path / "none", "-q")

    assert code == 2 and out == "" and err.startswith("uslabelseg: error: ")
    (log,) = logs.iterdir()
    assert " error: " in log.read_text()


def test_verbose_tells_where_the_log_is(call, logs, simulated, tmp_path):
    _, out, _ = call("study", "create", tmp_path / "new", "--images", simulated / "images", "--verbose")

    (log,) = logs.iterdir()
    assert out.splitlines()[0] == f"Log: {log}"


def test_completion_for_the_shell_is_shown():
    run = subprocess.run(
        [sys.executable, "-m", "USLabelEfficientSegLib.cli", "--show-completion", "bash"],
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},  # whatever shell runs the tests
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0 and "complete -o default -F" in run.stdout and "uslabelseg" in run.stdout


def test_the_list_of_commands_tells_whole_sentences(call):
    for group in ((), ("study",)):
        _, out, _ = call(*group, "--help")
        assert "..." not in out.partition("Commands:")[2].replace("NAME_001.nrrd, ...", "")


def test_the_help_of_every_command_tells_where_exit_codes_and_log_are_told(call):
    commands = [info.callback for info in app.registered_commands if info.callback is not None]
    names: list[tuple[str, ...]] = [(command.__name__.replace("_", "-"),) for command in commands]
    of_studies = ("create", "add", "label", "show", "clean", "export-nnunet")
    names += [("study", name) for name in of_studies] + [("starter", "train")]
    assert len(names) == 23
    for name in names:
        code, out, _ = call(*name, "--help")
        assert code == 0 and out.rstrip().endswith("uslabelseg --help"), name
    _, out, _ = call("--help")
    assert all(f"{code} " in out for code in (0, 2, 130, 141, 1)) and "USLABELSEG_STATE" in out


def test_next_is_what_the_study_is_ready_for(call, study, one_more, simulated, tmp_path):
    bare = tmp_path / "bare"

    assert next_of(call, "study", "create", bare, "--images", simulated / "images").startswith("uslabelseg suggest ")
    assert next_of(call, "study", "show", study) == f"uslabelseg train '{study}'"
    assert next_of(call, "study", "add", study, "--images", one_more) == f"uslabelseg train '{study}'"


def test_after_new_volumes_or_labels_a_trained_study_is_to_be_trained_on(call, trained_study, one_more, tmp_path):
    study = shutil.copytree(trained_study, tmp_path / "study")
    assert next_of(call, "study", "show", study).startswith(f"uslabelseg segment {study} ")
    assert "Training: finished\n" in call("study", "show", study)[1]

    assert next_of(call, "study", "add", study, "--images", one_more) == f"uslabelseg train {study}"
    assert "Training: finished, without the volumes that are new since\n" in call("study", "show", study)[1]

    Study.open(study).remove_labels(next(case.name for case in Study.open(study).cases if case.labels))
    assert "without the labels and volumes that are new since" in call("study", "show", study)[1]


def test_while_a_study_is_trained_there_is_nothing_else_to_do(call, study):
    with Study.open(study).lock():
        assert next_of(call, "study", "show", study) == f"uslabelseg study show '{study}', until the training has ended"


def test_results_are_to_be_measured_and_reported_from_where_they_are(call, simulated, tmp_path):
    labels = simulated / "labels"
    report = f"uslabelseg report {labels} --images IMAGES"

    assert next_of(call, "measure", labels, "--output", tmp_path / "v.csv") == f"{report} --output report.html"
    assert next_of(call, "evaluate", labels, labels, "--output", tmp_path / "m.csv") == (
        f"{report} --references {labels} --output report.html"
    )


@pytest.mark.parametrize(
    ("doing", "arguments", "files"),
    [
        ("Checking", ("study", "create", "{new}", "--images", "{images}"), 3),
        ("Copying", ("study", "create", "{new}", "--images", "{images}"), 3),
        ("Looking through volumes", ("suggest", "{study}", "--count", "2"), 2),
        ("Segmenting", ("segment", "{study}", "{images}", "--output", "{new}"), 3),
        ("Segmenting", ("report", "{study}", "--output", "{new}.html"), 3),
        ("Cases for the report", ("report", "{labels}", "--images", "{images}", "--output", "{new}.html"), 3),
        ("Measuring", ("measure", "{labels}", "--output", "{new}.csv"), 3),
        ("Comparing", ("evaluate", "{labels}", "{labels}", "--output", "{new}.csv"), 3),
    ],
)
def test_no_command_is_silent_while_it_goes_through_files(
    call, monkeypatch, simulated, trained_study, tmp_path, doing, arguments, files
):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    places = {"new": tmp_path / "new", "study": trained_study}
    places |= {name: simulated / name for name in ("images", "labels")}

    code, out, err = call(*(text.format(**places) for text in arguments))

    assert code == 0, err
    told = [line.split(",")[0] for line in out.splitlines() if line.startswith(f"{doing.capitalize()}: ")]
    assert told == [f"{doing.capitalize()}: {done} of {files}" for done in range(files + 1)]


def test_calibration_tells_how_far_it_is(call, monkeypatch, simulated, trained_study, tmp_path):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    study = shutil.copytree(trained_study, tmp_path / "study")
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
        source = next((simulated / kind).iterdir())
        for number in range(9):
            shutil.copy(source, tmp_path / kind / f"held-out {number}.nrrd")

    code, out, err = call("calibrate", study, tmp_path / "images", tmp_path / "labels")

    assert code == 0, err
    assert "Segmenting: 0 of 9\n" in out and "Segmenting: 9 of 9\n" in out


def test_the_list_of_settings_tells_how_to_change_one(call):
    assert next_of(call, "settings", "standard") == "uslabelseg train STUDY --preset standard --set NAME=VALUE"
