"""What the processes of `test_side_by_side.py` do; in a file that they can import."""

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import torch
from torch import nn
from training_contexts import context_in

from USLabelEfficientSegLib.study.events import EventLog
from USLabelEfficientSegLib.training.loop import TrainingState, run_training
from USLabelEfficientSegLib.training.processors import Processors
from USLabelEfficientSegLib.training.side_by_side import SideBySide

STEPS = 400


def train(context, *, seconds=0.0, fails_at=None, dies_at=None, here=None):
    """A toy network; a step may take a while, fail, or end the process, but in the process `here` it does neither."""
    torch.manual_seed(1)
    first = nn.Linear(4, 4)
    network = nn.Sequential(first, nn.Dropout(0.2), nn.Linear(4, 1)).to(context.device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    elsewhere = os.getpid() != here

    def step_function(step, generator):
        if elsewhere:
            time.sleep(seconds)
        if elsewhere and step == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if elsewhere and step == fails_at:
            raise RuntimeError("the memory is full\nand more lines")
        inputs = torch.randn(8, 4, generator=generator)
        optimizer.zero_grad()
        loss = (network(inputs) - inputs.sum(dim=1, keepdim=True)).square().mean()
        loss.backward()
        optimizer.step()
        return {"square": loss, "process": float(os.getpid())}

    run_training(
        context,
        steps=STEPS,
        state=TrainingState({"network": network}, optimizer),
        step_function=step_function,
        settings={},
        save_every_seconds=0.0,
    )
    return first.weight.detach()


class Idle(Processors):
    """Processors of which so many are idle, whatever this computer does."""

    def __init__(self, allowed):
        super().__init__()
        self.now = allowed

    def allowed(self, own):
        return self.now


def main(folder):
    """Have a stage trained beside, and do nothing until the end by a signal."""
    events = EventLog(folder / "events.jsonl")
    with SideBySide(events, Idle(2)) as beside:
        beside.offer(partial(train, seconds=0.05), context_in(folder, seed=3), STEPS)
        while True:
            beside.asked_to_stop()
            time.sleep(0.02)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
