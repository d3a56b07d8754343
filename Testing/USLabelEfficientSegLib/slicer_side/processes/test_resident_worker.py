"""The worker that stays: it answers, is started again when it is killed, and never outlives who asks."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import USLabelEfficientSegLib
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.simulator.files import simulate_files
from USLabelEfficientSegLib.slicer_side.processes import resident_worker as resident_module
from USLabelEfficientSegLib.slicer_side.processes import worker as worker_module
from USLabelEfficientSegLib.slicer_side.processes.resident_worker import ResidentWorker
from USLabelEfficientSegLib.study.study import Study

LIBRARY = str(Path(USLabelEfficientSegLib.__file__).parents[1])


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A small study of two volumes, one with a labelled slice."""
    folder = tmp_path_factory.mktemp("resident")
    simulate_files(folder, range(2), shape=(24, 24, 16), spacing=(3.2, 3.2, 4.0), organ_count=1)
    return Study.create(folder / "study", folder / "images", folder / "labels", organs=["a"], label_fraction=0.2)


@pytest.fixture
def resident(tmp_path):
    resident = ResidentWorker(tmp_path / "temporary")
    yield resident
    resident.end()


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """A stand-in for Python whose worker says when it has begun `wait`, and goes on when a file is there."""
    script = tmp_path / "python"
    script.write_text(
        f"""#!{sys.executable}
import os, sys, time
sys.path[:0] = [{LIBRARY!r}]
from pathlib import Path
from USLabelEfficientSegLib.serving.protocol import Answers
from USLabelEfficientSegLib.serving.server import Server

def answer(verb, arguments, record):
    record({{"pid": os.getpid()}})
    if verb == "die":
        os._exit(9)
    while verb == "wait" and not Path(arguments["until"]).exists():
        time.sleep(0.01)
    while verb == "stubborn":
        try:
            time.sleep(0.01)
        except BaseException:
            pass
    return {{"pid": os.getpid()}}

Server(answer, Answers(sys.stdout)).serve(sys.stdin)
"""
    )
    script.chmod(0o755)
    monkeypatch.setattr(worker_module, "python_executable", lambda: str(script))


def outcome(asked, seconds=60.0):
    found = asked.wait(seconds)
    assert found is not None
    return found


def test_it_answers_and_stays(resident, study):
    first = resident.ask("suggest", study=study.folder, count=2)
    assert outcome(first).state == "done" and len(first.result["slices"]) == 2
    pid = resident.pid
    second = resident.ask("suggest", study=study.folder, count=1)

    assert outcome(second).state == "done"
    assert second.result["slices"] == first.result["slices"][:1]
    assert (second.progress is not None and second.progress.share == 1) or second.progress is None
    assert resident.pid == pid


def test_labelled_slices_become_an_outline_of_the_volume(resident, study, tmp_path):
    case = next(case.name for case in study.cases if case.labels is not None)
    asked = resident.ask("propagate", study=study.folder, volume=case, output=tmp_path / "outline.nrrd")

    assert outcome(asked).state == "done"
    assert (tmp_path / "outline.nrrd").is_file() and asked.result["volumes_ml"]["a"] > 0


def test_a_request_that_fails_is_a_sentence_and_the_worker_goes_on(resident, study, tmp_path):
    failed = outcome(resident.ask("suggest", study=tmp_path / "nowhere"))
    assert failed.state == "failed" and "is not a study" in failed.sentence
    pid = resident.pid

    assert outcome(resident.ask("suggest", study=study.folder)).state == "done"
    assert resident.pid == pid


def test_a_killed_worker_is_started_again_and_asked_once_more(resident, slow, tmp_path):
    waiting = resident.ask("wait", until=tmp_path / "go on")
    until(lambda: waiting.poll() is None and waiting.records())
    first = resident.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: resident.poll() is None and resident.pid not in (None, first))
    (tmp_path / "go on").write_text("")

    assert outcome(waiting).state == "done"
    assert waiting.result == {"pid": resident.pid}
    assert waiting.records() == []  # the first worker has told it


def test_a_request_that_ends_the_worker_twice_fails_and_the_next_is_answered(resident, slow):
    deadly = outcome(resident.ask("die"))
    assert deadly.state == "failed" and "ended unexpectedly" in deadly.sentence

    assert outcome(resident.ask("live")).state == "done"


def test_one_killed_while_it_is_idle_is_started_again(resident, slow):
    first = resident.ask("live")
    assert outcome(first).state == "done"
    os.kill(first.result["pid"], signal.SIGKILL)
    until(lambda: not alive(first.result["pid"]))

    second = resident.ask("live")

    assert outcome(second).state == "done" and second.result != first.result


@pytest.mark.parametrize("verb", ["wait", "stubborn"])
def test_cancel_stops_a_request_even_if_it_refuses(resident, slow, tmp_path, verb):
    asked = resident.ask(verb, until=tmp_path / "never")
    other = resident.ask("live")
    until(lambda: asked.poll() is None and asked.records())

    asked.cancel()

    assert outcome(asked).state == "cancelled"
    assert outcome(other).state == "done"


def test_one_that_is_cancelled_while_the_worker_starts_ends_at_once_and_the_worker_is_left_alone(resident, slow):
    unwanted = resident.ask("live")
    pid = resident.pid
    wanted = resident.ask("live")

    unwanted.cancel()

    found = unwanted.poll()
    assert found is not None and found.state == "cancelled"
    assert outcome(wanted).state == "done" and resident.pid == pid


def test_one_that_waits_behind_long_work_is_cancelled_without_harm_to_that(resident, slow, tmp_path, monkeypatch):
    monkeypatch.setattr(resident_module, "SECONDS_TO_SAVE", 0.3)
    long = resident.ask("wait", until=tmp_path / "go on")
    unwanted = resident.ask("live")
    until(lambda: long.poll() is None and long.records())
    pid = resident.pid

    unwanted.cancel()

    assert outcome(unwanted).state == "cancelled" and long.poll() is None
    (tmp_path / "go on").write_text("")
    assert outcome(long).state == "done" and resident.pid == pid


@pytest.fixture
def without_launcher(resident, tmp_path, monkeypatch):
    """Slicer's launcher was killed from outside, and nobody has looked since; the process that it has started."""
    launcher = tmp_path / "launcher"
    launcher.write_text(f"#!/bin/sh\n{sys.executable} -c 'import time; time.sleep(60)' &\necho $!\nwait\n")
    launcher.chmod(0o755)
    monkeypatch.setattr(worker_module, "python_executable", lambda: str(launcher))
    resident.start()
    answers = next(tmp_path.joinpath("temporary").glob("*.jsonl"))
    until(lambda: answers.read_text().endswith("\n"))
    child = int(answers.read_text())
    os.kill(resident.pid, signal.SIGKILL)
    until(lambda: resident._process.poll() is not None)
    resident._answers.seek(0, 2)  # its number is no answer
    assert alive(child)
    return child


@pytest.mark.skipif(sys.platform == "win32", reason="there a launcher takes its children with it")
@pytest.mark.parametrize("what", ["poll", "end", "close"])
def test_what_a_killed_launcher_has_started_ends_when_the_worker_is_polled_or_its_study_left(
    resident, without_launcher, what
):
    getattr(resident, what)()

    until(lambda: not alive(without_launcher))
    assert resident.pid is None


@pytest.mark.skipif(sys.platform == "win32", reason="there a launcher takes its children with it")
def test_and_when_another_is_started_in_its_place(resident, without_launcher):
    resident.start()

    until(lambda: not alive(without_launcher))
    assert resident.pid is not None


def test_one_that_is_closed_refuses_who_asks_late_and_starts_no_process(resident, slow):
    assert outcome(resident.ask("live")).state == "done"
    resident.close()

    with pytest.raises(InputError, match="was closed meanwhile; open it again"):
        resident.ask("live")
    assert resident.pid is None


def test_polling_and_asking_never_wait(resident, slow, tmp_path):
    asked = [resident.ask("wait", until=tmp_path / "never", filler="x" * 200_000) for _ in range(5)]

    assert [one.poll() for one in asked] == [None] * 5  # more than a pipe holds, before anybody reads it


@pytest.mark.parametrize("verb", [None, "wait", "stubborn"])
def test_it_ends_with_the_study_and_leaves_no_file(resident, slow, tmp_path, verb):
    if verb is None:
        assert outcome(resident.ask("live")).state == "done"
        asked = None
    else:
        asked = resident.ask(verb, until=tmp_path / "never")
        until(lambda: asked.poll() is None and asked.records())
    pid = resident.pid

    resident.end()

    assert not alive(pid) and list((tmp_path / "temporary").iterdir()) == []
    assert asked is None or outcome(asked).state == "cancelled"
    assert resident.pid is None


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("verb", ["wait", "stubborn"])
def test_it_ends_when_slicer_crashes(slow, tmp_path, verb):
    program = f"""
import sys, time
from pathlib import Path
from USLabelEfficientSegLib.slicer_side.processes import worker
from USLabelEfficientSegLib.slicer_side.processes.resident_worker import ResidentWorker
worker.python_executable = lambda: {worker_module.python_executable()!r}
asked = ResidentWorker(Path({str(tmp_path)!r})).ask({verb!r}, until="/nowhere/never")
while asked.poll() is None:
    for record in asked.records():
        print(record["pid"], flush=True)
    time.sleep(0.01)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as slicer:
        assert slicer.stdout is not None
        pid = int(slicer.stdout.readline())
        assert alive(pid)
        slicer.kill()

    until(lambda: not alive(pid))


def test_killed_at_random_each_request_has_its_end(resident, slow):
    chance = random.Random(0)
    for _ in range(6):
        asked = [resident.ask("live") for _ in range(3)]
        end = time.monotonic() + chance.uniform(0.0, 0.4)
        while time.monotonic() < end:
            resident.poll()
            time.sleep(0.005)
        killed = resident.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        assert {outcome(one).state for one in asked} == {"done"}
        until(lambda killed=killed: not alive(killed))  # not twice in one request


def test_without_a_python_to_run_it_says_so(resident, tmp_path, monkeypatch):
    monkeypatch.setattr(worker_module, "python_executable", lambda: str(tmp_path / "none"))

    with pytest.raises(InputError, match="cannot be run"):
        resident.ask("suggest", study=tmp_path)
