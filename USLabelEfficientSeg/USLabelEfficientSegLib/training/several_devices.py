"""One training on several devices: a process each, which torch.multiprocessing starts and torch.distributed joins.

The processes train in step (`training.group`), and the first writes the stage's checkpoint. This process trains
nothing: it passes on events and the wish to stop, and in the end loads the stage's result like that of any complete
stage. When a process fails, torch.multiprocessing, on which torchrun is built as well, ends the others.

The wish to stop and what a failed process tells are files. Queues and flags of multiprocessing have locks, and whoever
needs one waits for ever once a process is killed that holds it.
"""

from __future__ import annotations

import logging
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from inspect import signature
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import torch
from torch import Tensor, distributed
from torch import multiprocessing as launcher

from ..disk.in_use import replace_file
from ..errors import Cancelled, InputError
from ..study.events import EventReader
from .context import TrainingContext
from .group import Group
from .loop import is_complete
from .memory import tune_memory
from .processes import ended_without_a_word, pickled, work_for_parent

LONGEST_WAIT = timedelta(minutes=10)  # of one process for another: a step and a checkpoint take seconds
_WORK, _DONE, _STOP, _TOLD = "work", "done", "stop", "told by {rank}"
_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_TO_BE_SEEN = 0.5  # of a failure, before those that miss the process fail as well

T = TypeVar("T")


def check_devices(device: torch.device, count: int, batch_sizes: Mapping[str, int]) -> None:
    """Refuse a training on `count` devices that cannot be done.

    Args:
        device: the kind of device. On the CPU a device is a processor.
        count: devices that one training is to use.
        batch_sizes: by the name of their setting.

    Raises:
        InputError: fewer devices here, one named device for several, a batch that cannot be shared equally, or a torch
            whose processes cannot be joined, or not be ended.
    """
    if count == 1:
        return
    if device.index is not None:
        raise InputError(f"device {device}", f"is one, and {count} are asked for", f"choose {device.type}")
    there = {"cuda": torch.cuda.device_count(), "cpu": os.cpu_count() or 1}.get(device.type, 1)
    if count > there:
        remedy = f"choose 1 to {there}" if there > 1 else "leave it out"
        problem = f"is more than the {there} of kind {device.type} here"
        raise InputError(f"--devices {count}", problem, remedy, in_panel=remedy)
    for name, size in batch_sizes.items():
        if size % count:
            remedy = f"give e.g. --set {name}={count * -(-size // count)}"
            problem = f"cannot be shared equally by {count} devices"
            raise InputError(f"{name} {size}", problem, remedy, in_panel="choose one device")
    if not distributed.is_available():
        problem = "needs torch.distributed, which this build of torch leaves out"
        raise InputError(f"--devices {count}", problem, "install torch from pypi.org", in_panel="choose one device")
    if "grace_period" not in signature(launcher.ProcessContext.join).parameters:
        problem = f"needs torch 2.5 or later, and this is {torch.__version__}"
        raise InputError(f"--devices {count}", problem, "update torch", in_panel="choose one device")


def device_name(device: torch.device, count: int) -> str:
    """For people: "cuda", or "2 x cuda"."""
    return str(device) if count == 1 else f"{count} x {device}"


def on_devices(count: int, train: Callable[..., T], context: TrainingContext, **here: Any) -> T:
    """`train(context)`, the computing done by `count` processes with a device each; by this one if `count` is 1.

    Args:
        count: processes; `check_devices` has found that they can be had.
        train: a function of a module, or a `partial` of one with what can be pickled, whose result is in the context's
            checkpoint. With several processes it is told the device and the group of each.
        context: of the training.
        here: for `train` in this process alone.

    Raises:
        Cancelled: the user asked to stop; the state is saved.
        InputError: raised by `train`, or a process failed or was killed.
    """
    if count > 1 and not is_complete(context.checkpoint_path):
        _train_together(count, train, context)
    return train(context, **here)


def _train_together(count: int, train: Callable[..., Any], context: TrainingContext) -> None:
    logging.getLogger(launcher.spawn.__module__).setLevel(logging.ERROR)  # it would tell whom it ends
    events = EventReader(context.events.path)
    events.new_events()

    def asked_to_stop() -> bool:
        return context.cancelled is not None and context.cancelled()

    def pass_on() -> None:
        for event in events.new_events():
            context.events.pass_on(event)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        (Path(folder) / _WORK).write_bytes(pickled((train, context.elsewhere())))
        members = launcher.spawn(_member, (count, folder, context.device.type), nprocs=count, join=False)
        try:
            while not members.join(_SECONDS_BETWEEN_LOOKS, grace_period=0):
                if asked_to_stop():
                    (Path(folder) / _STOP).touch()
                pass_on()
        except launcher.ProcessExitedException as ended:
            raise _cause(_name(ended.error_index, count), ended, Path(folder), asked_to_stop()) from None
        finally:
            for process in members.processes:
                process.kill()
                process.join()
    pass_on()


def _cause(name: str, ended: launcher.ProcessExitedException, folder: Path, asked_to_stop: bool) -> Exception:
    """Why the process that ended first has failed: its message, or how it ended without one."""
    told = folder / _TOLD.format(rank=ended.error_index)
    if told.exists():
        error: Exception = pickle.loads(told.read_bytes())
        return error
    if asked_to_stop:  # by a signal that ended the process before it could ignore it
        return Cancelled("training stopped before its first step; the same command continues it")
    return ended_without_a_word(name, ended.exit_code)


def _tell(folder: Path, rank: int, error: Exception) -> None:
    """Tell why a process has failed: wholly or, if it is killed meanwhile, not at all."""
    part = folder / f"{rank}.part"
    part.write_bytes(pickle.dumps(error))
    replace_file(part, folder / _TOLD.format(rank=rank))


def _member(rank: int, size: int, folder: str, kind: str) -> NoReturn:
    """A process of the group: train, and tell of a failure."""

    def work() -> None:
        tune_memory()
        train, context = pickle.loads((Path(folder) / _WORK).read_bytes())
        store = distributed.FileStore(str(Path(folder) / "store"), size)
        device = _join(rank, size, kind, store)
        cancelled = (Path(folder) / _STOP).exists if rank == 0 else None
        try:
            train(replace(context, device=device, group=Group(rank, size, _mean), cancelled=cancelled))
        except (Cancelled, InputError):
            raise
        except Exception:
            time.sleep(_SECONDS_TO_BE_SEEN)
            raise
        if rank == 0:
            store.set(_DONE, "")
        store.wait([_DONE], LONGEST_WAIT)  # until then the first process may read what this one sent

    work_for_parent(_name(rank, size), lambda error: _tell(Path(folder), rank, error), work)


def _name(rank: int, size: int) -> str:
    return f"process {rank + 1} of {size}"


def _join(rank: int, size: int, kind: str, store: distributed.Store) -> torch.device:
    """Join the group; the device of this process."""
    cards = kind == "cuda"
    device = torch.device(kind, rank) if cards else torch.device(kind)
    if cards:
        torch.cuda.set_device(device)
    backend = "nccl" if cards and distributed.is_nccl_available() else "gloo"
    distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=LONGEST_WAIT)
    return device


def _mean(tensor: Tensor) -> Tensor:
    """Of a tensor over all processes; gloo knows no mean."""
    distributed.all_reduce(tensor)
    return tensor.div_(distributed.get_world_size())
