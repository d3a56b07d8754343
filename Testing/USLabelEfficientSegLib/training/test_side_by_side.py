import json
import multiprocessing
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import offered_trainings
import pytest
import torch
from offered_trainings import STEPS, Idle, train
from training_contexts import context_in

from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.study.events import Event, EventLog, read_events
from USLabelEfficientSegLib.training import side_by_side
from USLabelEfficientSegLib.training.checkpoint_header import read_metadata
from USLabelEfficientSegLib.training.loop import is_complete
from USLabelEfficientSegLib.training.side_by_side import NOBODY, SideBySide


@pytest.fixture(autouse=True)
def nobody_is_left():
    yield
    assert not multiprocessing.active_children()


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The weights of a training in this process alone."""
    return finished(tmp_path_factory.mktemp("alone"))


def finished(folder, **more):
    """Train the stage here, or load it."""
    return train(context_in(folder, seed=3), **more)


def offered(beside, folder, stage="toy", **more):
    beside.offer(partial(train, here=os.getpid(), **more), context_in(folder, stage, seed=3), STEPS)


def look_until(beside, condition):
    """Do nothing but look after the others, as a training does between its steps."""
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        beside.asked_to_stop()
        time.sleep(0.01)


def test_another_process_gives_the_same_weights_and_what_it_tells_is_heard(tmp_path, expected):
    events = EventLog(tmp_path / "events.jsonl")
    heard: list[Event] = []
    events.listen(heard.append)
    with SideBySide(events, Idle(2)) as beside:
        offered(beside, tmp_path)
        beside.asked_to_stop()
        beside.settle(tmp_path / "toy.safetensors")
        assert is_complete(tmp_path / "toy.safetensors")

    assert torch.equal(finished(tmp_path), expected)
    assert [event.step for event in heard][-1] == STEPS and {event.of for event in heard} == {STEPS}
    assert heard[-1].losses["process"] != os.getpid()
    assert read_events(events.path)[: len(heard)] == heard


@pytest.mark.parametrize("allowed", [0, 1])
def test_where_no_processor_is_idle_nothing_is_started(tmp_path, allowed):
    with SideBySide(EventLog(tmp_path / "events.jsonl"), Idle(allowed)) as beside:
        offered(beside, tmp_path)
        beside.asked_to_stop()
        assert not multiprocessing.active_children() and beside.idle() == 1
        beside.settle(tmp_path / "toy.safetensors")
    assert not (tmp_path / "toy.safetensors").exists()


def test_there_are_never_more_processes_than_idle_processors(tmp_path):
    with SideBySide(EventLog(tmp_path / "events.jsonl"), Idle(3)) as beside:
        for number in range(4):
            offered(beside, tmp_path, f"{number}", seconds=0.05)
        for _ in range(5):
            beside.asked_to_stop()
        assert len(multiprocessing.active_children()) == 2  # and this one
        assert beside.idle() == 1


def test_a_short_stage_or_a_complete_one_is_not_worth_a_process(tmp_path, monkeypatch):
    monkeypatch.setattr(side_by_side, "FEWEST_STEPS", STEPS + 1)
    with SideBySide(EventLog(tmp_path / "events.jsonl"), Idle(2)) as beside:
        offered(beside, tmp_path)
        beside.asked_to_stop()
        assert not multiprocessing.active_children()
    monkeypatch.undo()
    finished(tmp_path)
    with SideBySide(EventLog(tmp_path / "events.jsonl"), Idle(2)) as beside:
        offered(beside, tmp_path)
        beside.asked_to_stop()
        assert not multiprocessing.active_children()


def test_alone_everything_is_left_to_this_process(tmp_path):
    offered(NOBODY, tmp_path)
    assert NOBODY.asked_to_stop() is False and NOBODY.idle() == 1
    NOBODY.settle(tmp_path / "toy.safetensors")
    assert not multiprocessing.active_children()


def test_a_failure_there_is_an_error_here(tmp_path):
    with (
        pytest.raises(InputError) as failure,
        SideBySide(EventLog(tmp_path / "events.jsonl"), Idle(2)) as beside,
    ):
        offered(beside, tmp_path, fails_at=7)
        look_until(beside, lambda: False)

    assert str(failure.value) == (
        "toy: failed while it trained (RuntimeError: the memory is full); "
        "the same command continues from the last checkpoint."
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_what_a_killed_process_has_begun_is_finished_here(tmp_path, expected):
    events = EventLog(tmp_path / "events.jsonl")
    with SideBySide(events, Idle(2)) as beside:
        offered(beside, tmp_path, dies_at=40)
        beside.asked_to_stop()
        beside.settle(tmp_path / "toy.safetensors")
        assert read_metadata(tmp_path / "toy.safetensors")["step"] == 40
        offered(beside, tmp_path)
        beside.asked_to_stop()
        assert not multiprocessing.active_children()  # perhaps there is no memory for two

    message = read_events(events.path)[-1].message
    assert message is not None and "was ended by signal 9" in message
    assert torch.equal(finished(tmp_path, here=os.getpid()), expected)


def test_a_stop_is_saved_there_too_and_the_training_goes_on_from_it(tmp_path, expected):
    stop: list[str] = []
    events = EventLog(tmp_path / "events.jsonl")
    with SideBySide(events, Idle(2), lambda: bool(stop)) as beside:
        offered(beside, tmp_path, seconds=0.02)
        look_until(beside, lambda: bool(read_events(events.path)))
        stop.append("Ctrl-C")
        with pytest.raises(Cancelled, match=rf"toy stopped after step \d+ of {STEPS}; the same command continues it"):
            beside.settle(tmp_path / "toy.safetensors")
    assert 0 < read_metadata(tmp_path / "toy.safetensors")["step"] < STEPS
    assert torch.equal(finished(tmp_path), expected)


def test_a_process_gives_way_to_other_programs_and_its_stage_goes_on_here(tmp_path, expected, monkeypatch):
    monkeypatch.setattr(side_by_side, "SECONDS_OF_PATIENCE", 0.1)
    events, processors = EventLog(tmp_path / "events.jsonl"), Idle(2)
    with SideBySide(events, processors) as beside:
        offered(beside, tmp_path, seconds=0.02)
        look_until(beside, lambda: bool(read_events(events.path)))
        processors.now = 1
        look_until(beside, lambda: not multiprocessing.active_children())
        beside.settle(tmp_path / "toy.safetensors")
    assert 0 < read_metadata(tmp_path / "toy.safetensors")["step"] < STEPS
    assert torch.equal(finished(tmp_path), expected)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_process_outlives_one_that_is_killed(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    program = [sys.executable, str(Path(offered_trainings.__file__)), str(tmp_path)]
    parent = subprocess.Popen(program, env=environment)
    until = time.monotonic() + 120
    while not (tmp_path / "events.jsonl").exists() and time.monotonic() < until:
        time.sleep(0.05)
    told = json.loads((tmp_path / "events.jsonl").read_text().splitlines()[0])
    child = int(told["losses"]["process"])
    assert child != parent.pid and Path(f"/proc/{child}").exists()

    parent.kill()
    parent.wait()

    while _lives(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _lives(child)


def _lives(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
