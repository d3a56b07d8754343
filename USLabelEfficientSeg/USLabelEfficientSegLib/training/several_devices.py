"""One training on several devices: a process each, joined by lightning-fabric and watched by this process.

The processes train in step (`training.group`), and the first writes the stage's checkpoint. This process trains
nothing: it passes on events and the wish to stop, ends all processes when one fails, and in the end loads the stage's
result like that of any complete stage. lightning-fabric is imported only in the processes.
"""

from __future__ import annotations

import importlib.util
import logging
import multiprocessing
import os
import pickle
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event as Flag
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..errors import InputError
from ..study.events import EventReader
from .context import TrainingContext
from .group import Group
from .loop import is_complete
from .memory import tune_memory
from .processes import cause, end, pickled, work_for_parent

PACKAGE = "lightning_fabric"
LONGEST_WAIT = timedelta(minutes=10)  # of one process for another: a step and a checkpoint take seconds
_SECONDS_BETWEEN_LOOKS = 0.2

T = TypeVar("T")


def check_devices(device: torch.device, count: int, batch_sizes: Mapping[str, int]) -> None:
    """Refuse a training on `count` devices that cannot be done.

    Args:
        device: the kind of device. On the CPU a device is a processor.
        count: devices that one training is to use.
        batch_sizes: by the name of their setting.

    Raises:
        InputError: fewer devices here, one named device for several, a batch that cannot be shared equally, or no
            lightning-fabric.
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
    if importlib.util.find_spec(PACKAGE) is None:
        problem = "needs the Python package lightning-fabric, which is not installed"
        raise InputError(
            f"--devices {count}",
            problem,
            "install it with `pip install lightning-fabric`",
            in_panel="choose one device",
        )


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
    events, cancelled = context.events, context.cancelled
    told = EventReader(events.path)
    told.new_events()
    spawn = multiprocessing.get_context("spawn")
    stop, port = spawn.Event(), _free_port()
    processes: list[SpawnProcess] = []
    reports: list[Connection] = []
    try:
        for rank in range(count):
            report, other_end = spawn.Pipe()
            arguments = rank, count, port, context.device.type, stop, other_end
            process = spawn.Process(target=_member, name=_name(rank, count), args=arguments)
            process.start()
            processes.append(process)
            reports.append(report)
            other_end.close()  # or the end of the process would not end the connection
        _send(reports, pickled((train, context.elsewhere())))
        running = list(zip(processes, reports, strict=True))
        while processes[0].exitcode != 0:
            if cancelled is not None and cancelled():
                stop.set()
            ended = connection.wait([process.sentinel for process, _ in running], timeout=_SECONDS_BETWEEN_LOOKS)
            for event in told.new_events():
                events.pass_on(event)
            # The cause is the process that ended first: others fail only when they miss it.
            for process, report in [each for each in running if each[0].sentinel in ended]:
                process.join()
                if process.exitcode:
                    raise cause(process, report, asked_to_stop=cancelled is not None and cancelled())
                running.remove((process, report))
    finally:
        for process in processes:
            process.kill()
        for process, report in zip(processes, reports, strict=True):
            process.join()
            report.close()
    for event in told.new_events():
        events.pass_on(event)


def _send(reports: Sequence[Connection], work: bytes) -> None:
    for report in reports:
        with suppress(ConnectionError):  # its process has ended, which will be seen
            report.send_bytes(work)


def _member(rank: int, size: int, port: int, kind: str, stop: Flag, report: Connection) -> None:
    """A process of the group: train, and tell of a failure."""

    def work() -> None:
        train, context = pickle.loads(report.recv_bytes())
        device, mean = _join(rank, size, port, kind)
        cancelled = stop.is_set if rank == 0 else None
        train(replace(context, device=device, group=Group(rank, size, mean), cancelled=cancelled))

    work_for_parent(_name(rank, size), report, work)
    if rank > 0:
        threading.Event().wait()  # the first process may not have read all that this one sent; both are ended after it
    end(report)


def _name(rank: int, size: int) -> str:
    return f"process {rank + 1} of {size}"


def _join(rank: int, size: int, port: int, kind: str) -> tuple[torch.device, Callable[[Tensor], Tensor]]:
    """Join the group: the device of this process, and the mean over all."""
    os.environ.update(LOCAL_RANK=f"{rank}", NODE_RANK="0", MASTER_ADDR="127.0.0.1", MASTER_PORT=f"{port}")
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments import LightningEnvironment
    from lightning_fabric.strategies import DDPStrategy

    logging.getLogger(PACKAGE).setLevel(logging.WARNING)
    tune_memory()
    strategy = DDPStrategy(timeout=LONGEST_WAIT)
    fabric = Fabric(accelerator=kind, devices=size, strategy=strategy, plugins=[LightningEnvironment()])
    fabric.launch()

    def mean(tensor: Tensor) -> Tensor:
        result = fabric.all_reduce(tensor, reduce_op="mean")
        assert isinstance(result, Tensor)
        return result

    return fabric.device, mean


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
