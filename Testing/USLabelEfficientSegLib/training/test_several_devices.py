import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
import torch
from group_training import STEPS, compare, path_of, train
from torch.multiprocessing import ProcessExitedException
from training_contexts import CPU, context_in

from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.study.events import Event, read_events
from USLabelEfficientSegLib.study.provenance import read_starts
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.training import several_devices
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint
from USLabelEfficientSegLib.training.checkpoint_header import read_metadata
from USLabelEfficientSegLib.training.group import ALONE
from USLabelEfficientSegLib.training.several_devices import _cause, _tell, check_devices, device_name, on_devices

LONGEST = 300.0  # seconds; on a quiet computer a group starts and ends within ten

several_processes = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processors")


def in_time():
    """Never asks to stop; a group that hangs fails the test and is ended."""
    end = time.monotonic() + LONGEST

    def cancelled():
        assert time.monotonic() < end, "the processes hang"
        return False

    return cancelled


def toy(folder, cancelled=None, **more):
    """The toy training, with two processes."""
    return on_devices(2, partial(train, **more), context_in(folder, seed=3, cancelled=cancelled or in_time()))


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The folder of an undisturbed `compare`, done by two processes and then by this one alone, and what was heard."""
    folder = tmp_path_factory.mktemp("compared")
    heard: list[Event] = []
    context = context_in(folder, seed=3, cancelled=in_time())
    context.events.emit("before", 1, 1)
    context.events.listen(heard.append)
    on_devices(2, compare, context)
    return folder, heard


@several_processes
def test_both_processes_hold_the_same_weights(compared):
    folder, _ = compared
    first, second = (load_checkpoint(path_of(folder, rank, 2))[0] for rank in range(2))
    saved, metadata = load_checkpoint(folder / "toy.safetensors")

    names = [name for name in first if not name.startswith("gradient")]
    assert any(name.startswith("toy") for name in names)
    assert {"dino loss center", "dino teacher 0.cls_token", "dino student 0.cls_token"} <= set(names)
    assert all(torch.equal(first[name], second[name]) for name in names)
    assert first["dino loss center"].abs().sum() > 0
    assert metadata["complete"]
    assert torch.equal(first["toy 0.weight"], saved["modules/average/0.weight"])


@several_processes
def test_two_halves_of_a_batch_give_the_gradient_of_the_whole(compared):
    halves, whole = (load_checkpoint(path_of(compared[0], 0, size))[0] for size in (2, 1))

    names = [name for name in whole if name.startswith("gradient")]
    assert len(names) > 20
    for name in names:
        torch.testing.assert_close(halves[name], whole[name], rtol=0, atol=1e-5)
    assert max(float(whole[name].abs().max()) for name in names) > 1e-2


@several_processes
def test_a_parameter_has_a_gradient_if_any_share_has_one(compared):
    for rank in range(2):
        kept = load_checkpoint(path_of(compared[0], rank, 2))[0]
        assert kept["one share"].tolist() == [1.5, 1.5]
        assert kept["no share"]


@several_processes
def test_failed_process_ends_all_and_a_cancelled_training_resumes_bit_for_bit(tmp_path, compared):
    with pytest.raises(InputError) as failure:
        toy(tmp_path, fails_at=2)
    with pytest.raises(Cancelled, match="toy stopped after step 3 of 6"):
        toy(tmp_path, cancelled=lambda: True)
    cancelled_at = read_metadata(tmp_path / "toy.safetensors")["step"]
    average = toy(tmp_path)

    assert str(failure.value) == (
        "process 2 of 2: failed while it trained (RuntimeError: the card fell off the bus); "
        "the same command continues from the last checkpoint."
    )
    assert "in step_function" in failure.value.__notes__[0]
    assert cancelled_at == 3  # two steps before the failure, one after it
    assert torch.equal(average[0].weight, load_checkpoint(path_of(compared[0], 0, 2))[0]["toy 0.weight"])
    assert not multiprocessing.active_children()


@several_processes
def test_listeners_hear_what_the_first_process_tells(compared):
    folder, heard = compared

    assert {event.stage for event in heard} == {"toy"}
    assert [event.step for event in heard][-2:] == [STEPS, STEPS]
    assert heard[-2].losses["square"] > 0 and heard[-1].message == "already trained"
    assert read_events(folder / "events.jsonl")[1:] == heard


def test_one_device_trains_here(tmp_path, monkeypatch):
    monkeypatch.setattr(several_devices, "_train_together", None)

    on_devices(1, train, context_in(tmp_path))

    assert read_metadata(tmp_path / "toy.safetensors")["complete"]


@several_processes
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that kills")
def test_a_killed_process_is_named_with_its_signal_and_leaves_no_other(tmp_path, capfd):
    with pytest.raises(InputError) as failure:
        toy(tmp_path, killed_at=2)

    ended = (
        "process 2 of 2: was ended by signal 9 while it trained; the same command continues from the last checkpoint."
    )
    assert str(failure.value) == ended
    assert not multiprocessing.active_children()
    assert capfd.readouterr().err == ""


@several_processes
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that kills")
def test_a_process_that_is_killed_while_it_tells_of_a_failure_leaves_nobody_waiting(tmp_path):
    with pytest.raises(InputError) as failure:
        toy(tmp_path, killed_telling_at=2)

    assert str(failure.value).startswith("process 2 of 2: was ended by signal 9 while it trained;")
    assert not multiprocessing.active_children()


def test_what_a_killed_process_has_half_told_is_no_cause(tmp_path):
    _tell(tmp_path, 0, InputError("disk", "is full", "free some"))
    (tmp_path / "told by 0").rename(tmp_path / "1.part")
    (tmp_path / "1.part").write_bytes((tmp_path / "1.part").read_bytes()[:20])
    ended = ProcessExitedException("", error_index=1, error_pid=0, exit_code=-9)

    assert "was ended by signal 9" in str(_cause("process 2 of 2", ended, tmp_path, False))


@pytest.mark.parametrize(
    ("said", "stopping", "kind", "sentence"),
    [
        (
            [(0, InputError("disk", "is full", "free some"))],
            False,
            InputError,
            "process 2 of 2: was ended by signal 15",
        ),
        ([(0, InputError("a", "b", "c")), (1, Cancelled("toy stopped"))], False, Cancelled, "^toy stopped$"),
        ([], True, Cancelled, "before its first step; the same command continues it"),
    ],
)
def test_the_cause_is_the_process_that_ended_first(tmp_path, said, stopping, kind, sentence):
    for rank, error in said:
        _tell(tmp_path, rank, error)
    ended = ProcessExitedException("", error_index=1, error_pid=0, exit_code=-15)

    error = _cause("process 2 of 2", ended, tmp_path, stopping)

    assert isinstance(error, kind) and re.search(sentence, str(error))


@pytest.mark.parametrize(
    ("device", "count", "batches", "sentence"),
    [
        ("cpu", 9, {}, "--devices 9: is more than the 8 of kind cpu here; choose 1 to 8"),
        ("mps", 2, {}, "--devices 2: is more than the 1 of kind mps here; leave it out"),
        ("cuda:1", 2, {}, "device cuda:1: is one, and 2 are asked for; choose cuda"),
        ("cpu", 2, {"student.batch_size": 3}, "student.batch_size 3: .* equally by 2 .* --set student.batch_size=4"),
    ],
)
def test_devices_that_cannot_be_used_together_are_refused(device, count, batches, sentence, monkeypatch):
    monkeypatch.setattr(several_devices.os, "cpu_count", lambda: 8)
    with pytest.raises(InputError, match=sentence):
        check_devices(torch.device(device), count, batches)


def test_a_torch_that_cannot_join_processes_is_refused(monkeypatch):
    monkeypatch.setattr(several_devices.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(several_devices.distributed, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"--devices 2: needs torch.distributed, .*; install torch from pypi.org"):
        check_devices(CPU, 2, {"student.batch_size": 4})
    check_devices(CPU, 1, {"student.batch_size": 3})


def test_a_torch_that_cannot_end_processes_which_leave_signals_alone_is_refused(monkeypatch):
    """Before 2.5 it waited for them for ever."""
    monkeypatch.setattr(several_devices.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(several_devices.launcher.ProcessContext, "join", lambda self, timeout=None: True)
    with pytest.raises(InputError, match=r"--devices 2: needs torch 2\.5 or later, .*; update torch"):
        check_devices(CPU, 2, {"student.batch_size": 4})


def test_devices_are_told_by_number_and_kind():
    assert device_name(CPU, 1) == "cpu"
    assert device_name(torch.device("cuda"), 4) == "4 x cuda"


def test_alone_a_group_changes_nothing():
    weight = torch.nn.Parameter(torch.ones(2))
    ALONE.average_gradients([weight])

    assert weight.grad is None
    assert ALONE.share(3) == 3
    assert ALONE.stream("teacher") == "teacher"


@pytest.fixture(scope="module")
def study_to_train(tmp_path_factory, simulated):
    """A study's folder, to be copied."""
    folder = tmp_path_factory.mktemp("to train") / "study"
    Study.create(folder, simulated / "images", simulated / "labels", label_fraction=0.2)
    return folder


class Command:
    """`uslabelseg train FOLDER` by two processes on the CPU."""

    def __init__(self, folder, changes):
        changes = {**changes, "student.batch_size": 2, "teacher.steps": 40, "teacher.batch_size": 2}
        options = [part for name, value in changes.items() for part in ("--set", f"{name}={json.dumps(value)}")]
        words = ["train", str(folder), "--device", "cpu", "--devices", "2", *options]
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "USLabelEfficientSegLib.cli", *words],
            cwd=Path(several_devices.__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def members(self):
        """Its processes, once one of them has trained the teacher for a step or more."""
        events = self.folder / "run" / "events.jsonl"
        end = time.monotonic() + LONGEST
        while not (events.exists() and any(event.stage == "teacher" and event.step for event in read_events(events))):
            assert self.process.poll() is None and time.monotonic() < end
            time.sleep(0.01)
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self):
        """Its exit code and what it printed."""
        out, err = self.process.communicate(timeout=LONGEST)
        return self.process.returncode, out, err


@several_processes
def test_a_training_of_volumes_that_is_stopped_and_continued_by_two_processes_gives_the_same_weights(
    tmp_path, study_to_train, tiny_changes
):
    undisturbed, stopped = (Path(shutil.copytree(study_to_train, tmp_path / name)) for name in ("one", "two"))

    code, told, errors = Command(undisturbed, tiny_changes).end()
    command = Command(stopped, tiny_changes)
    members = command.members()
    command.process.terminate()
    stop_code, _, stop_errors = command.end()
    saved = read_metadata(Study.open(stopped).run_folder / "teacher.safetensors")
    continued = Command(stopped, tiny_changes).end()

    assert (code, errors) == (0, "")
    assert "On 2 x cpu" in told and "Learning in 3-D, round 1: 3 of 3" in told
    assert [start["device"] for start in read_starts(Study.open(stopped))] == ["2 x cpu"] * 2
    assert stop_code == 130 and "Traceback" not in stop_errors
    assert len(members) >= 2 and not any(member.is_running() for member in members)
    assert 0 < saved["step"] < 40 and not saved["complete"]
    assert (continued[0], continued[2]) == (0, "")
    first, second = (load_checkpoint(Study.open(one).run_folder / MODEL_NAME)[0] for one in (undisturbed, stopped))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@several_processes
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that kills")
def test_a_killed_command_leaves_no_process_behind(tmp_path, study_to_train, tiny_changes):
    command = Command(Path(shutil.copytree(study_to_train, tmp_path / "study")), tiny_changes)
    members = command.members()

    command.process.kill()
    command.end()

    _, alive = psutil.wait_procs(members, timeout=30)
    assert len(members) >= 2 and not alive
