"""Worker processes: their end is judged, their children are ended with them, and nothing blocks."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.slicer_side.processes import worker as worker_module
from USLabelEfficientSegLib.slicer_side.processes.worker import Outcome, Worker, explanation

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = "import signal as s, time; s.signal(s.SIGTERM, s.SIG_IGN); print('child', flush=True); time.sleep(600)"
print("started", subprocess.Popen([sys.executable, "-c", child]).pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def stubborn(tmp_path, monkeypatch):
    """A stand-in for Python that ignores the request to stop, as does its child."""
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\n{STUBBORN}")
    script.chmod(0o755)
    monkeypatch.setattr(worker_module, "python_executable", lambda: str(script))


def wait_for(condition, seconds=20.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def outcome_of(worker: Worker) -> Outcome:
    outcome = worker.wait(60)
    assert outcome is not None
    return outcome


def test_a_command_ends_with_its_output_in_the_log(tmp_path):
    worker = Worker(["--version"], tmp_path / "logs" / "version.log")

    assert outcome_of(worker).state == "done"
    assert worker.log_text().startswith("uslabelseg ")


def test_a_refused_command_tells_cause_and_remedy(tmp_path):
    worker = Worker(["study", "show", str(tmp_path / "nothing")], tmp_path / "show.log")

    outcome = outcome_of(worker)

    assert outcome.state == "failed"
    assert "is not a study" in outcome.sentence and "give the folder" in outcome.sentence
    assert not outcome.sentence.startswith("uslabelseg")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_cancel_ends_a_process_and_its_children_even_if_they_refuse(tmp_path, stubborn):
    worker = Worker(["train"], tmp_path / "log")
    wait_for(lambda: "started" in worker.log_text() and "child" in worker.log_text())
    child = int(worker.log_text().split("started ")[1].split()[0])
    assert worker.poll() is None and alive(child)

    worker.cancel()
    outcome = outcome_of(worker)

    assert outcome.state == "cancelled" and not alive(worker.pid)
    wait_for(lambda: not alive(child))  # it is killed already, and gone as soon as the system gets to it
    assert worker.poll() is outcome


@pytest.mark.skipif(sys.platform == "win32", reason="there a launcher takes its children with it")
def test_what_a_worker_has_started_ends_with_it_when_it_is_killed_from_outside(tmp_path, stubborn):
    worker = Worker([], tmp_path / "log.txt")
    wait_for(lambda: "child" in worker.log_text())
    child = int(worker.log_text().split()[1])
    os.kill(worker.pid, signal.SIGKILL)

    assert outcome_of(worker).state == "failed"
    wait_for(lambda: not alive(child))


def test_polling_does_not_wait_for_the_end(tmp_path, stubborn):
    worker = Worker(["train"], tmp_path / "log")

    assert [worker.poll() for _ in range(50)] == [None] * 50
    worker.cancel()
    assert worker.poll() is None and worker.cancelling  # asking does not wait either
    assert outcome_of(worker).state == "cancelled"


def test_records_are_given_once_and_other_output_is_left_out(tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho '{\"a\": 1}'\necho words\necho '{\"a\": 2}'\n")
    script.chmod(0o755)
    monkeypatch.setattr(worker_module, "python_executable", lambda: str(script))
    worker = Worker([], tmp_path / "log")
    worker.wait(10)

    assert worker.records() == [{"a": 1}, {"a": 2}]
    assert worker.records() == []


@pytest.mark.parametrize(
    ("code", "text", "sentence"),
    [
        (2, "Training ...\nuslabelseg: error: x: is damaged; restore it.\n", "x: is damaged; restore it."),
        (
            2,
            "uslabelseg: error: a: is empty; load it.\nuslabelseg: error: b: cut.\nuslabelseg: error: 2 of 3 failed\n",
            "a: is empty; load it. In all: 2 of 3 failed.",
        ),
        (1, "Traceback\nModuleNotFoundError: No module named 'monai'\n", "monai is missing; press Install or Update"),
        (-9, "", "memory ran out; close other programs, choose the preset Quick, or lower student.window"),
        (1, "error: [python-real] exit abnormally - Report the problem.\n", "memory ran out"),
        (1, "Traceback\nKeyError: 'x'\n", "ended unexpectedly (KeyError: 'x')"),
        (None, "uslabelseg: error: x: is damaged; restore it.\n", "x: is damaged; restore it."),
        (None, "Step 3\n", "ended unexpectedly (Step 3); start again to continue. Log: train.log"),
    ],
)
def test_failures_are_explained(code, text, sentence):
    assert sentence in explanation(code, text, Path("train.log"))


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_a_calculation_that_the_system_kills_under_slicers_launcher_is_taken_for_lack_of_memory(host, tmp_path):
    killer = tmp_path / "killer"
    killer.mkdir()
    program = "import os, signal\nprint('Step 7', flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    (killer / "killed.py").write_text(program)
    worker = Worker([], tmp_path / "killed.log", {"PYTHONPATH": str(killer)}, module="killed")

    outcome = outcome_of(worker)

    assert "PythonSlicer" in worker_module.python_executable()
    assert outcome.state == "failed" and "memory ran out" in outcome.sentence
    assert str(tmp_path / "killed.log") in outcome.sentence


def test_a_python_that_cannot_be_run_is_named_instead_of_the_log(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.*cannot be run.*choose another Python"):
        Worker(["--version"], tmp_path / "log", python=tmp_path / "nowhere")


def test_a_log_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(InputError, match="cannot be started"):
        Worker(["--version"], tmp_path / "file" / "log")


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="no priorities of this kind")
def test_the_worker_gives_way_to_slicer(tmp_path, stubborn):
    worker = Worker(["train"], tmp_path / "log")
    priority = os.getpriority(os.PRIO_PROCESS, worker.pid)
    worker.cancel()
    worker.wait(5)

    assert priority > os.getpriority(os.PRIO_PROCESS, 0) or priority == 19


def test_the_module_needs_nothing_that_slicer_does_not_bundle():
    program = "import sys; sys.modules.update(dict.fromkeys(['pydantic', 'typer', 'torch', 'monai'])); "
    program += "from USLabelEfficientSegLib.slicer_side.processes import worker\n"
    program += "from USLabelEfficientSegLib.slicer_side.steps import training_monitor"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
