"""What users do from their volumes to organ volumes, and how training is interrupted and continued."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import USLabelEfficientSegLib
from USLabelEfficientSegLib import __version__
from USLabelEfficientSegLib.command_line.interruption import Interruption
from USLabelEfficientSegLib.study.events import Event, read_events
from USLabelEfficientSegLib.study.provenance import read_settings
from USLabelEfficientSegLib.study.study import Study

COMMANDS = ("demo", "study create", "study show", "train", "segment", "measure", "report", "evaluate")


def set_options(changes):
    return [text for name, value in changes.items() for text in ("--set", f"{name}={json.dumps(value)}")]


def environment():
    """Of a process that finds the library where this one did, and is quick to start."""
    root = str(Path(USLabelEfficientSegLib.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_with_an_example(call, command):
    code, out, _ = call(*command.split(), "--help")

    assert code == 0 and f"  uslabelseg {command} " in out and "Example" in out


def test_without_a_command_the_way_to_volumes_is_shown(call):
    code, out, _ = call()

    assert code == 0 and out.index("study create") < out.index("uslabelseg train") < out.index("uslabelseg measure")
    assert call("--version")[:2] == (0, f"uslabelseg {__version__}\n")


def test_help_loads_nothing_heavy():
    program = (
        "import sys; from USLabelEfficientSegLib.cli import main\n"
        "try: main(['train', '--help'])\n"
        "except SystemExit: print('loaded:', sorted({'torch', 'monai', 'numpy', 'SimpleITK'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment())

    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_from_a_folder_of_volumes_to_organ_volumes(call, simulated, tmp_path, tiny_changes):
    study, out = tmp_path / "study", tmp_path / "out"
    code, text, _ = call(
        "study", "create", study, "--images", simulated / "images", "--labels", simulated / "labels",
        "--label-fraction", 0.2, "--seed", 3, "--organs", "solid, fluid",
    )  # fmt: skip
    assert code == 0 and "3 volumes, 10 labelled slices" in text

    code, text, _ = call("study", "show", study, "--json")
    assert code == 0 and json.loads(text)["organs"].keys() == {"solid", "fluid"}
    assert "simulated_0002" in (shown := call("study", "show", study)[1]) and "Training: not started" in shown
    (axis, index), *_ = next(case["labelled_slices"] for case in json.loads(text)["cases"] if case["labelled_slices"])
    assert f"{('sagittal', 'coronal', 'axial')[axis]}, slice" in shown and str(index + 1) in shown

    code, text, _ = call("train", study, "--seed", 5, "--device", "cpu", *set_options(tiny_changes))
    assert code == 0 and "Learning in 3-D, round 1: 3 of 3" in text and "model.safetensors" in text
    assert (settings := read_settings(Study.open(study))) is not None and settings.seed == 5

    assert "Training: finished\n" in call("study", "show", study)[1]

    images = simulated / "images" / "simulated_0000.nrrd", simulated / "images" / "simulated_0002.nrrd"
    code, text, _ = call("segment", study, *images, "--output", out, "--probability")
    assert code == 0 and "solid" in text and (out / "simulated_0002_probability.nrrd").exists()

    code, text, _ = call("measure", out, "--output", tmp_path / "volumes.csv")
    assert code == 0 and len((tmp_path / "volumes.csv").read_text().splitlines()) == 5

    code, text, _ = call("evaluate", out, simulated / "labels", "--output", tmp_path / "metrics.csv")
    assert code == 0 and "1 reference has no prediction and is left out" in text and "all organs" in text
    assert "simulated_0002,fluid," in (tmp_path / "metrics.csv").read_text()


def test_training_again_uses_the_stored_settings_and_tells_programs_in_json(call, study_copy):
    weights = (study_copy / "run" / "model.safetensors").read_bytes()

    code, out, err = call("train", study_copy, "--events")

    events = [Event(**json.loads(line)) for line in out.splitlines()]
    assert code == 0 and "seed 0" in err
    assert [event.message for event in events if event.stage == "teacher"] == ["already trained"]
    assert events[-1].stage == "finished"
    assert (study_copy / "run" / "model.safetensors").read_bytes() == weights


def test_a_restart_forgets_the_earlier_training(call, study_copy):
    code, out, _ = call("train", study_copy, "--restart", "--seed", 1, "--stage", "teacher")

    assert code == 0 and "Studying all slices, without labels: 3 of 3" in out and "already trained" not in out
    assert not (study_copy / "run" / "model.safetensors").exists()
    assert (settings := read_settings(Study.open(study_copy))) is not None and settings.seed == 1


def test_a_report_numbers_the_volumes_unless_names_are_asked_for(call, trained_study, tmp_path):
    assert call("report", trained_study, "--output", tmp_path / "report.html")[0] == 0
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Case 003" in text and "simulated_0002" not in text and "student.steps" in text

    assert call("report", trained_study, "--output", tmp_path / "named.html", "--show-names")[0] == 0
    assert "simulated_0002" in (tmp_path / "named.html").read_text(encoding="utf-8")


def test_ctrl_c_saves_the_state_and_the_same_command_continues(call, simulated, tmp_path, tiny_changes):
    study = tmp_path / "study"
    call("study", "create", study, "--images", simulated / "images", "--labels", simulated / "labels")
    changes = set_options({**tiny_changes, "teacher.steps": 20})
    command = [sys.executable, "-m", "USLabelEfficientSegLib.cli", "train", str(study), *changes]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    deadline = time.monotonic() + 60
    while not any(event.stage == "teacher" for event in read_events(study / "run" / "events.jsonl")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "teacher stopped after step" in err and "the same command continues" in err
    assert "Traceback" not in err
    before = read_events(study / "run" / "events.jsonl")[-1]
    assert call("train", study, "--stage", "teacher")[0] == 0
    steps = [e.step for e in read_events(study / "run" / "events.jsonl") if e.stage == "teacher"]
    assert steps.count(1) == 1 and before.step < 20 and steps[-1] == 20


def test_a_second_ctrl_c_stops_at_once(capfd):
    before = signal.getsignal(signal.SIGINT)  # ignored, where a shell started the tests in the background
    with Interruption() as interruption:
        assert not interruption()
        signal.raise_signal(signal.SIGTERM)
        assert interruption() and "Ctrl-C again" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
