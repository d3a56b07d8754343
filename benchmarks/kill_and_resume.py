"""A training that is killed at random moments and resumed ends with the weights of one that was left alone.

    python benchmarks/kill_and_resume.py --kills 20

Trains a small simulated study twice, once without and once with kills by SIGKILL, and compares all weights bit for
bit. The importing process computes nothing, so that its forks are clean; Linux and macOS only.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # every fork's optimizer would import it anew, for seconds

from USLabelEfficientSegLib.command_line.options import parse_changes
from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.imaging.simulator.files import simulate_files
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.study.events import EventReader, read_events
from USLabelEfficientSegLib.study.settings import Settings, changed
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint
from USLabelEfficientSegLib.training.loop import run_training

SMALL: dict[str, Any] = {
    "working_grid.max_voxels": 32,
    "teacher.slice_size": 32,
    "teacher.steps": 60,
    "teacher.batch_size": 4,
    "slice_head.steps": 60,
    "slice_head.views": 2,
    "pseudo_labels.views": 2,
    "slice_network.steps": 30,
    "slice_network.widths": [8, 16],
    "slice_network.starter": False,
    "student.window": 32,
    "student.widths": [8, 16, 16],
    "student.steps": 40,
    "student.label_steps": 40,
    "student.label_steps_from": 1,
    "student.members": 2,
    "student.rounds": 2,
}
SECONDS_BETWEEN_SAVES = 0.2  # instead of half a minute: kills shall hit stages that are half done, and saving itself


def make_study(folder: Path) -> None:
    """Three simulated volumes, a fifth of their slices labelled."""
    with tempfile.TemporaryDirectory() as temporary:
        data = simulate_files(Path(temporary), range(3), shape=(32, 32, 24), spacing=(2.5, 2.5, 3.0))
        Study.create(folder, data / "images", data / "labels", label_fraction=0.2)


def train_study(folder: Path, changes: Mapping[str, Any]) -> None:
    """Train on the CPU, with frequent checkpoints."""
    assert run_training.__kwdefaults__ is not None
    run_training.__kwdefaults__["save_every_seconds"] = SECONDS_BETWEEN_SAVES
    train(Study.open(folder), changed(Settings(), {**SMALL, **changes}), torch.device("cpu"))


def start(work: Callable[[], None]) -> int:
    """Do `work` in a forked process; returns its number."""
    process = os.fork()
    if process == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return process


def finish(process: int) -> None:
    """Wait for a process that must succeed."""
    _, status = os.waitpid(process, 0)
    if status != 0:
        sys.exit("training failed")


def killed(process: int, folder: Path, moment: tuple[str, int], order: list[str], delay: float) -> bool:
    """Kill a training once it has reached `moment`, a stage and step, and some seconds more; False: it had ended."""
    reader = EventReader(Study.open(folder).events.path)
    reader.new_events()
    reached, target = False, (order.index(moment[0]), moment[1])
    while not reached:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            if status != 0:
                sys.exit("training failed")
            return False
        reached = any((order.index(event.stage), event.step) >= target for event in reader.new_events())
        time.sleep(0.005)
    time.sleep(delay)
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    return os.WIFSIGNALED(status)


def compare(first: Path, second: Path) -> tuple[int, list[str]]:
    """The number of tensors of two trained studies' models, and the names of those that differ in any bit."""
    (a, _), (b, _) = (load_checkpoint(folder / "run" / MODEL_NAME) for folder in (first, second))
    different = [name for name in sorted(a.keys() | b.keys()) if name not in a or name not in b]
    different += [name for name in a.keys() & b.keys() if not torch.equal(a[name], b[name])]
    return len(a), different


def main() -> None:
    """Train, kill, resume, compare; exit code 1 when a weight differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="change a setting of the small study")
    arguments = parser.parse_args()
    changes = parse_changes(arguments.set)
    with tempfile.TemporaryDirectory() as temporary:
        alone, disturbed = Path(temporary) / "alone", Path(temporary) / "disturbed"
        finish(start(lambda: make_study(alone)))
        shutil.copytree(alone, disturbed)
        finish(start(lambda: train_study(alone, changes)))
        events = read_events(Study.open(alone).events.path)
        order = list(dict.fromkeys(event.stage for event in events))

        drawn = random.Random(arguments.seed)
        begin, duration = events[0].time, events[-1].time - events[0].time
        times = sorted(begin + drawn.random() * duration for _ in range(arguments.kills))
        moments = [max((event for event in events if event.time <= t), key=lambda event: event.time) for t in times]
        stages: Counter[str] = Counter()
        for event in moments:
            process = start(lambda: train_study(disturbed, changes))
            if killed(process, disturbed, (event.stage, event.step), order, drawn.uniform(0.0, 0.3)):
                stages[event.stage] += 1
        finish(start(lambda: train_study(disturbed, changes)))

        tensors, different = compare(alone, disturbed)
    hits = ", ".join(f"{stage} {count}" for stage, count in stages.items())
    print(f"{sum(stages.values())} kills ({hits}): {tensors - len(different)} of {tensors} tensors equal bit for bit")
    if different:
        sys.exit(f"different: {', '.join(different)}")


if __name__ == "__main__":
    main()
