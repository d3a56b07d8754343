"""Ctrl-C, SIGTERM, a closed terminal and a broken output end a command in good order, from its first moment on."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import USLabelEfficientSegLib
from USLabelEfficientSegLib.study.events import read_events

LIBRARY = os.path.dirname(os.path.dirname(USLabelEfficientSegLib.__file__))
COMMAND = [sys.executable, "-m", "USLabelEfficientSegLib.cli"]

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="signals and /proc of Linux")


def start(*arguments, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    restore = lambda: [signal.signal(n, signal.SIG_DFL) for n in (signal.SIGINT, signal.SIGHUP)]  # noqa: E731
    return subprocess.Popen([*COMMAND, *map(str, arguments)], cwd=LIBRARY, preexec_fn=restore, text=True, **options)


def wait_for(condition, process):
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)


def handles(process, number=signal.SIGTERM):
    """Whether the process has said what is to be done with a signal: its program has begun."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


IN_THE_MIDST_OF_A_DATACLASS = """
import os, signal
from USLabelEfficientSegLib import cli

TEXT = "os.kill(os.getpid(), signal.SIGTERM)\\nfor _ in range(1000): pass"
cli._run = lambda _: exec(TEXT)
cli.main()
"""


def test_a_signal_that_meets_text_being_executed_ends_with_the_same_exit_code(tmp_path):
    (tmp_path / "command.py").write_text(IN_THE_MIDST_OF_A_DATACLASS)
    environment = {**os.environ, "PYTHONPATH": LIBRARY}
    command = [sys.executable, "-m", "command"]

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 130 and done.stderr == "uslabelseg: interrupted\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("milliseconds", [0, 30, 120, 400])
def test_a_signal_in_the_first_second_ends_without_traceback(trained_study, tmp_path, number, milliseconds):
    process = start("segment", trained_study, trained_study / "images", "--output", tmp_path / "out")
    wait_for(lambda: handles(process), process)
    time.sleep(milliseconds / 1000)  # wherever it is by then, the outcome is the same

    process.send_signal(number)
    _, err = process.communicate(timeout=120)

    assert process.returncode == 130 and err == "uslabelseg: interrupted\n"
    assert not [path for path in tmp_path.rglob(".*")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_end_of_the_terminal_saves_a_training_as_ctrl_c_does(trained_study, tmp_path, number):
    study = shutil.copytree(trained_study, tmp_path / "study")
    process = start("train", study, "--restart", "--set", "teacher.steps=100000", "--device", "cpu")

    def began():
        return any(event.stage == "teacher" and event.step > 1 for event in read_events(study / "run" / "events.jsonl"))

    (study / "run" / "events.jsonl").unlink()
    wait_for(began, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)

    assert process.returncode == 130 and "teacher stopped after step" in err and "Traceback" not in err
    assert (study / "run" / "teacher.safetensors").exists()


def test_nohup_keeps_a_command_alive(trained_study, tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "segment", str(trained_study), str(trained_study / "images"), "--output", str(tmp_path / "out")],
        cwd=LIBRARY, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN), stdout=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: handles(process), process)
    process.send_signal(signal.SIGHUP)

    assert process.wait(timeout=120) == 0 and len(list((tmp_path / "out").glob("*.json"))) == 3


def broken_pipe():
    read, write = os.pipe()
    os.close(read)
    return write


@pytest.mark.parametrize("command", [("study", "show"), ("segment",)], ids=" ".join)
def test_when_nobody_reads_the_output_a_command_ends_quietly(trained_study, tmp_path, command):
    output = [] if command[0] == "study" else [trained_study / "images", "--output", tmp_path / "out"]
    pipe = broken_pipe()

    process = start(*command, trained_study, *output, stdout=pipe)
    os.close(pipe)

    assert process.communicate(timeout=120)[1] == "" and process.returncode == 141


def test_a_training_whose_output_nobody_reads_is_saved(trained_study, tmp_path):
    study = shutil.copytree(trained_study, tmp_path / "study")
    command = "train", study, "--restart", "--set", "teacher.steps=100000", "--device", "cpu"
    process = start(*command)
    for _ in range(2):  # what is told before the training begins
        process.stdout.readline()
    process.stdout.close()

    err = process.stderr.read()

    assert process.wait(timeout=120) == 141 and "stopped after" in err and "Traceback" not in err


def test_a_full_device_is_an_error_in_one_line(trained_study):
    with open("/dev/full", "w") as full:
        process = start("study", "show", trained_study, stdout=full)

    _, err = process.communicate(timeout=120)
    assert process.returncode == 2 and err.count("\n") == 1 and "no space left on device" in err


def test_closed_streams_are_no_error_and_no_file_is_taken_for_them(trained_study, tmp_path):
    def closed():
        for number in (0, 1, 2):
            os.close(number)

    images = trained_study / "images"
    command = [*COMMAND, "segment", str(trained_study), str(images), "--output", str(tmp_path / "out")]

    done = subprocess.run(command, cwd=LIBRARY, preexec_fn=closed, timeout=120, check=False)

    assert done.returncode == 0 and len(list((tmp_path / "out").glob("*.json"))) == 3


def test_a_fault_of_the_program_is_one_line_with_the_log_of_its_traceback(trained_study, tmp_path):
    program = (
        "import sys\nfrom USLabelEfficientSegLib import cli\nfrom USLabelEfficientSegLib.study.study import Study\n"
        "def fail(*_): raise ZeroDivisionError('a fault')\nStudy.open = fail\n"
        f"sys.argv = ['uslabelseg', 'study', 'show', {str(trained_study)!r}]\ncli.main()"
    )
    environment = {**os.environ, "USLABELSEG_STATE": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=LIBRARY, env=environment, capture_output=True, text=True, check=False
    )

    (log,) = (tmp_path / "logs").iterdir()
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and str(log) in done.stderr
    assert "ZeroDivisionError: a fault" in done.stderr and "Traceback" in log.read_text()
