"""How much longer a training step takes beside programs that keep processors busy, as ratios of one run.

    python benchmarks/busy_computer.py

Trains the student of the preset quick on a random volume, as `uslabelseg train` does: with torch's own default of as
many threads as processors, with that and OpenMP's threads asleep while they wait (OMP_WAIT_POLICY), with one thread,
with one thread and the second one that never spins (the default here), and two such students side by side in
processes. Each trains alone, beside a busy program, and beside as many as processors. Takes one to two minutes on a
machine that must be quiet otherwise.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from USLabelEfficientSegLib.training.processors import count

WARM_UP = 3  # steps under every load
TORCHS, ASLEEP, ONE, HERE, BOTH = WAYS = (
    "torch's default",
    "the same, asleep while waiting",
    "one thread",
    "default here",
    "two side by side, of each",
)
LOADS = {"alone": 0, "beside a busy program": 1, f"beside {count()}": count()}
FOREVER = 1e6


class Phases:
    """The loads one after the other, and the steps that a training does under each."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loads = iter(LOADS.values())
        self._busy: list[subprocess.Popen[bytes]] = []
        self.steps: list[list[float]] = []
        self._next()

    def _next(self) -> None:
        for program in self._busy:
            program.kill()
            program.wait()
        load = next(self._loads, None)
        self.done = load is None
        self._busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(load or 0)]
        self._times: list[float] = []

    def after_step(self, step: int, student: object) -> None:
        """Take the time, and go on to the next load when this one had its seconds."""
        self._times.append(time.perf_counter())
        measured = self._times[WARM_UP:]
        if len(measured) > 2 and measured[-1] - measured[0] > self._seconds:
            self.steps.append([1000 * (b - a) for a, b in pairwise(measured)])
            self._next()


def main() -> None:
    """Time every way under every load, and print milliseconds a step and ratios to one thread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="of training for each number")
    parser.add_argument("--way", choices=WAYS, help="train this way alone, in this process")
    arguments = parser.parse_args()
    if arguments.way is not None:
        print(*measured(arguments.way, arguments.seconds))
        return
    one = timed(ONE, arguments.seconds)
    print(f"{'ms a step (times that of one thread)':<40}" + "".join(f"{load:>24}" for load in LOADS))
    for way in WAYS:
        means = one if way == ONE else timed(way, arguments.seconds)
        cells = [f"{mean:.0f} ({mean / alone:.2f})" for mean, alone in zip(means, one, strict=True)]
        print(f"{way:<40}" + "".join(f"{cell:>24}" for cell in cells), flush=True)


def timed(way: str, seconds: float) -> list[float]:
    """Mean milliseconds a step under each load, in a process of its own."""
    beside = [start(HERE, FOREVER)] if way == BOTH else []
    try:
        output, _ = start(way, seconds).communicate()
    finally:
        for process in beside:
            process.kill()
            process.wait()
    return [float(value) for value in output.split()]


def start(way: str, seconds: float) -> subprocess.Popen[str]:
    """A process that trains this way."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "MKL_"))}
    if way == ASLEEP:
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
    command = [sys.executable, __file__, "--way", way, "--seconds", str(seconds)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def measured(way: str, seconds: float) -> list[float]:
    """Mean milliseconds of a step of a student under each load."""
    import torch

    from USLabelEfficientSegLib.anatomy.kept import InMemory
    from USLabelEfficientSegLib.anatomy.targets import SoftTarget
    from USLabelEfficientSegLib.anatomy.training_volumes import prepare_volume
    from USLabelEfficientSegLib.errors import Cancelled
    from USLabelEfficientSegLib.imaging.simulator import simulate_volume
    from USLabelEfficientSegLib.student import training
    from USLabelEfficientSegLib.student.build import StudentDesign
    from USLabelEfficientSegLib.study.events import EventLog
    from USLabelEfficientSegLib.study.settings import preset
    from USLabelEfficientSegLib.training.context import TrainingContext
    from USLabelEfficientSegLib.training.memory import tune_memory

    tune_memory()
    if way in (TORCHS, ASLEEP):
        torch.set_num_threads(count())
    if way == ONE:
        vars(training)["second_thread"] = nullcontext
    settings, classes = preset("quick"), 3
    volume = prepare_volume(simulate_volume(0).volume, None, settings.working_grid.max_voxels)
    target = SoftTarget(torch.rand(classes, *volume.shape), torch.rand(volume.shape))
    design = StudentDesign(
        network=settings.student.network,
        classes=classes,
        spacing=volume.spacing,
        slice_axis=2,
        widths=settings.student.widths,
    )
    phases = Phases(seconds)
    with tempfile.TemporaryDirectory() as temporary, suppress(Cancelled):
        training.train_student(
            [replace(volume, truth=InMemory(target))],
            design,
            settings.student.model_copy(update={"steps": 1_000_000, "pseudo_label_weight": 0.0}),
            TrainingContext(
                stage="student",
                checkpoint_path=Path(temporary) / "student.safetensors",
                seed=0,
                events=EventLog(Path(temporary) / "events.jsonl"),
                device=torch.device("cpu"),
                cancelled=lambda: phases.done,
            ),
            mirrored_axes=(0,),
            after_step=phases.after_step,
        )
    return [statistics.mean(steps) for steps in phases.steps]


if __name__ == "__main__":
    main()
