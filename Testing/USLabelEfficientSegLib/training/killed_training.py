"""Trains a toy network and is killed again and again; `test_loop.py` runs it as `killed_training.py FOLDER`.

The importing process computes nothing, so that its forks are clean and torch is imported only once.
"""

import copy
import os
import random
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch._dynamo  # every fork's optimizer would import it anew, for seconds
from torch import Tensor, nn

from USLabelEfficientSegLib.study.events import EventLog
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint
from USLabelEfficientSegLib.training.checkpoint_header import read_metadata
from USLabelEfficientSegLib.training.context import TrainingContext
from USLabelEfficientSegLib.training.loop import TrainingState, run_training
from USLabelEfficientSegLib.training.schedules import warmup_cosine

STEPS = 150
KILLS = 6


def train(folder: Path, seconds_a_step: float = 0.0) -> None:
    """A network with dropout, batch statistics, an EMA copy and every kind of randomness."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    student = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(), nn.Linear(144, 2)
    )
    student = student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(student).requires_grad_(False)
    optimizer = torch.optim.AdamW(student.parameters(), weight_decay=0.01)

    def step_function(step: int, generator: torch.Generator) -> Mapping[str, float | Tensor]:
        time.sleep(seconds_a_step)
        images = torch.randn(4, 1, 8, 8, generator=generator) * random.uniform(0.5, 2.0) + np.random.normal()
        loss = nn.functional.cross_entropy(student(images), torch.randint(2, (4,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for old, new in zip(average.parameters(), student.parameters(), strict=True):
                old.lerp_(new, 0.1)
        return {"loss": loss}

    run_training(
        TrainingContext("toy", folder / "toy.safetensors", 7, EventLog(folder / "events.jsonl"), torch.device("cpu")),
        steps=STEPS,
        state=TrainingState({"student": student, "average": average}, optimizer),
        step_function=step_function,
        settings={"hidden": 4},
        learning_rate=lambda step: warmup_cosine(step, STEPS, 1e-2, warmup=20),
        save_every_seconds=0.0,
    )


def start(folder: Path, seconds_a_step: float) -> int:
    """Train in a forked process and return its number."""
    process = os.fork()
    if process == 0:
        try:
            train(folder, seconds_a_step)
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    return process


def saved_step(folder: Path) -> int:
    """The number of steps that the checkpoint holds."""
    path = folder / "toy.safetensors"
    return int(read_metadata(path)["step"]) if path.exists() else 0


def main(folder: Path) -> None:
    """Train once without and once with kills, each in the middle of the training, and compare the weights."""
    whole, killed = folder / "whole", folder / "killed"
    _, status = os.waitpid(start(whole, 0.0), 0)
    assert status == 0
    delays = random.Random(0)
    for _ in range(KILLS):
        before = saved_step(killed)
        process = start(killed, 0.005)
        while saved_step(killed) == before:
            time.sleep(0.002)
        time.sleep(delays.uniform(0.0, 0.1))
        os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        assert os.WIFSIGNALED(status), "the training ended before it was killed"
        print(f"killed after step {saved_step(killed)}")
    _, status = os.waitpid(start(killed, 0.0), 0)
    assert status == 0
    expected, metadata = load_checkpoint(whole / "toy.safetensors")
    found, resumed_metadata = load_checkpoint(killed / "toy.safetensors")
    assert metadata["complete"] and resumed_metadata == metadata
    assert expected.keys() == found.keys()
    different = [name for name, tensor in expected.items() if not torch.equal(tensor, found[name])]
    assert not different, f"differ after resuming: {different}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
