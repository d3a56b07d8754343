import importlib.util
import json
import multiprocessing
import os
import re
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from group_training import STEPS, compare, path_of, train
from training_contexts import CPU, context_in

from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.study.events import Event, read_events
from USLabelEfficientSegLib.study.provenance import read_starts
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.training import several_devices
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint
from USLabelEfficientSegLib.training.checkpoint_header import read_metadata
from USLabelEfficientSegLib.training.group import ALONE
from USLabelEfficientSegLib.training.processes import cause
from USLabelEfficientSegLib.training.several_devices import PACKAGE, check_devices, device_name, on_devices

LONGEST = 300.0  # seconds; on a quiet computer a group starts and ends within ten

several_processes = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None or (os.cpu_count() or 1) < 2,
    reason="needs lightning-fabric and two processors",
)


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
    assert PACKAGE not in sys.modules


def test_one_device_trains_here_and_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(several_devices, "_train_together", None)
    monkeypatch.setitem(sys.modules, PACKAGE, None)

    on_devices(1, train, context_in(tmp_path))

    assert read_metadata(tmp_path / "toy.safetensors")["complete"]


def test_a_killed_process_is_named_with_its_signal():
    report, other_end = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=os.kill, args=(os.getpid(), 0), name="process 2 of 2")
    process.start()
    process.kill()
    process.join(60)
    other_end.close()

    error = cause(process, report, asked_to_stop=False)

    assert re.match(r"process 2 of 2: was ended by signal \d+ while it trained; the same command continues", str(error))
    assert isinstance(cause(process, report, asked_to_stop=True), Cancelled)


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


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(several_devices.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(several_devices.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r"needs .* lightning-fabric, .*; install it with `pip install lightning-fabric`"
    ):
        check_devices(CPU, 2, {"student.batch_size": 4})
    check_devices(CPU, 1, {"student.batch_size": 3})


def test_devices_are_told_by_number_and_kind():
    assert device_name(CPU, 1) == "cpu"
    assert device_name(torch.device("cuda"), 4) == "4 x cuda"


def test_alone_a_group_changes_nothing():
    weight = torch.nn.Parameter(torch.ones(2))
    ALONE.average_gradients([weight])

    assert weight.grad is None
    assert ALONE.share(3) == 3
    assert ALONE.stream("teacher") == "teacher"


@several_processes
def test_volumes_are_trained_by_two_processes_from_the_command_line(tmp_path, simulated, tiny_changes):
    study = Study.create(tmp_path / "study", simulated / "images", simulated / "labels", label_fraction=0.2)
    changes = {**tiny_changes, "student.batch_size": 2}
    options = [part for name, value in changes.items() for part in ("--set", f"{name}={json.dumps(value)}")]
    command = ["train", str(study.folder), "--device", "cpu", "--devices", "2", *options]

    done = subprocess.run(
        [sys.executable, "-m", "USLabelEfficientSegLib.cli", *command],
        cwd=Path(several_devices.__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=LONGEST,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "On 2 x cpu" in done.stdout and "Learning in 3-D, round 1: 3 of 3" in done.stdout
    assert [start["device"] for start in read_starts(study)] == ["2 x cpu"]
    assert SegmentationModel.load(study.run_folder / MODEL_NAME).organs == study.organs
