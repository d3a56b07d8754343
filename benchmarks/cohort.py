"""A cohort on a dask cluster of this computer, of which workers are killed and files are broken.

    python benchmarks/cohort.py [--volumes 10000] [--workers 4] [--kill-every 60] [--broken 0.01] [--keep DIR]

Small volumes are simulated, a model is trained for seconds, and `uslabelseg segment --cluster` segments and measures
the cohort while a worker is killed at random now and then. Told are: whether every good volume was measured once and
every broken one listed; the largest memory of the client; what the cluster costs against a loop over the same volumes,
in time and in processor time; and how much more two workers do than one. What makes the data is not timed.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from USLabelEfficientSegLib.imaging.files import read_volume, write_volume
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.imaging.simulator.files import simulate_files
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.study.settings import Settings, changed
from USLabelEfficientSegLib.study.study import Study

_ORGANS = ("solid", "fluid")
_ORIGINALS = 20
_TRAINED = 3
_TINY = {
    "working_grid.max_voxels": 48,
    "teacher.slice_size": 32,
    "teacher.steps": 3,
    "teacher.batch_size": 2,
    "teacher.local_crops": 1,
    "slice_head.steps": 3,
    "slice_head.views": 1,
    "pseudo_labels.views": 1,
    "slice_network.steps": 0,
    "student.window": 48,
    "student.steps": 3,
    "student.label_steps": 3,
    "student.label_steps_from": 1,
    "student.members": 1,
    "student.rounds": 1,
}  # a training of seconds: what is found is wrong, but takes as long as what is right
_SECONDS_TO_START = 60


@dataclass(frozen=True)
class Run:
    """A command that has ended: seconds on the clock and of processors, and its largest memory in MB."""

    code: int
    seconds: float
    worked: float
    memory: float


def make_study(folder: Path, shape: tuple[int, int, int]) -> Path:
    """A study of three volumes, trained for seconds."""
    spacing = (80 / shape[0], 80 / shape[1], 64 / shape[2])
    data = simulate_files(folder / "training", range(_TRAINED), shape=shape, spacing=spacing)
    study = Study.create(folder / "study", data / "images", data / "labels", organs=_ORGANS, label_fraction=0.2)
    train(study, changed(Settings(), _TINY), torch.device("cpu"))
    return study.folder


def make_images(folder: Path, volumes: int, shape: tuple[int, int, int], broken: float) -> set[str]:
    """Volumes of which each has noise of its own; returns the names of those that are cut short."""
    folder.mkdir()
    noise = np.random.default_rng(0)
    spacing = (80 / shape[0], 80 / shape[1], 64 / shape[2])
    originals = [simulate_volume(100 + seed, shape=shape, spacing=spacing).volume for seed in range(_ORIGINALS)]
    cut = set(random.Random(0).sample(range(volumes), round(broken * volumes)))
    for number in range(volumes):
        original = originals[number % _ORIGINALS]
        voxels = original.voxels.astype(np.float64) + noise.normal(0, 2, shape)
        path = folder / f"volume_{number:05d}.nrrd"
        write_volume(path, Scan(voxels.clip(0, 255).astype(np.uint8), original.geometry, path.stem))
        if number in cut:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return {f"volume_{number:05d}" for number in cut}


def run(*command: str | Path) -> Run:
    """Run a command to its end, quietly."""
    started, memory = time.monotonic(), 0.0
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while True:
        memory = max(memory, _most_memory(process.pid))
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        time.sleep(0.05)
    seconds, worked = time.monotonic() - started, usage.ru_utime + usage.ru_stime
    return Run(os.waitstatus_to_exitcode(status), seconds, worked, memory)


def _most_memory(pid: int) -> float:
    """The largest memory so far of a process in MB; what `wait4` tells has that of this process before its start."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM:")), 0.0)


class Cluster:
    """A dask scheduler and its workers, as processes of this computer."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.file = folder / f"scheduler_{workers}_{time.monotonic_ns()}.json"
        self.worked = 0.0
        self._log = (folder / "dask.log").open("ab")
        self._processes = [self._start("scheduler", "--port", "0", "--no-dashboard")]
        self._processes.append(
            self._start("worker", "--nworkers", str(workers), "--nthreads", "1", "--no-dashboard", "--local-directory",
                        str(folder / "dask"))
        )  # fmt: skip
        from distributed import Client

        with Client(scheduler_file=str(self.file), timeout=_SECONDS_TO_START) as client:
            client.wait_for_workers(workers, timeout=_SECONDS_TO_START)

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", what, "--scheduler-file", str(self.file), *options]
        return subprocess.Popen(command, stdout=self._log, stderr=self._log)

    def kill_one(self) -> None:
        """Kill a worker at random, as a lack of memory would; its nanny starts another."""
        from distributed import Client

        with suppress(OSError), Client(scheduler_file=str(self.file), timeout=_SECONDS_TO_START) as client:
            for pid in random.sample(sorted(client.run(os.getpid, on_error="ignore").values()), 1):
                os.kill(pid, signal.SIGKILL)

    def end(self) -> None:
        """End all, and count what they have worked."""
        for process in reversed(self._processes):
            process.terminate()
            _, _, usage = os.wait4(process.pid, 0)
            self.worked += usage.ru_utime + usage.ru_stime
        self._log.close()


@contextmanager
def cluster_of(folder: Path, workers: int) -> Iterator[Cluster]:
    """A cluster for a while."""
    cluster = Cluster(folder, workers)
    try:
        yield cluster
    finally:
        cluster.end()


@contextmanager
def killing(cluster: Cluster, seconds: float) -> Iterator[list[float]]:
    """Kill a worker every so many seconds; gives the times."""
    killed: list[float] = []
    ended = threading.Event()

    def kill() -> None:
        while not ended.wait(seconds):
            cluster.kill_one()
            killed.append(time.monotonic())

    thread = threading.Thread(target=kill, daemon=True)
    if seconds > 0:
        thread.start()
    yield killed
    ended.set()


def check(output: Path, volumes: int, broken: set[str]) -> list[str]:
    """What is wrong with the tables."""
    with (output / "measurements.csv").open(newline="") as file:
        rows = Counter((row["case"], row["organ"]) for row in csv.DictReader(file))
    with (output / "measurements_failures.csv").open(newline="") as file:
        failed = Counter(row["case"] for row in csv.DictReader(file))
    good = {f"volume_{number:05d}" for number in range(volumes)} - broken
    faults = []
    if rows != Counter({(name, organ): 1 for name in good for organ in _ORGANS}):
        faults.append(f"rows: {len(rows)} of {len(good) * len(_ORGANS)}, largest count {max(rows.values(), default=0)}")
    if failed != Counter(dict.fromkeys(broken, 1)):
        faults.append(f"failures: {sorted(failed)[:10]} in place of {sorted(broken)[:10]}")
    return faults


def compare(folder: Path, study: Path, images: Path, volumes: int) -> None:
    """Tell how long some of the volumes take in a loop, with one worker and with two, starts not counted."""
    some = folder / "some"
    some.mkdir()
    for path in sorted(images.iterdir())[:volumes]:
        (some / path.name).symlink_to(path)
    few = folder / "few"
    few.mkdir()
    (few / "volume_00000.nrrd").symlink_to(images / "volume_00000.nrrd")
    segment = ("USLabelEfficientSegLib.cli", "segment", study)

    def measured(name: str, *options: str | Path) -> tuple[float, float]:
        start = run(*segment, few, "--output", folder / f"{name}_few", *options)
        whole = run(*segment, some, "--output", folder / name, *options)
        return whole.seconds - start.seconds, whole.worked - start.worked

    loop, loop_worked = measured("loop", "--workers", "1")
    per_volume = 1000 * loop / volumes
    print(f"loop: {per_volume:.0f} ms a volume ({1000 * loop_worked / volumes:.0f} ms of a processor)", flush=True)
    times = {}
    for workers in (1, 2):
        with cluster_of(folder, workers) as cluster:
            run(*segment, few, "--output", folder / f"warm_{workers}", "--cluster", cluster.file)  # loads the model
            times[workers], client = measured(f"dask_{workers}", "--cluster", cluster.file)
        per_volume, worked = 1000 * times[workers] / volumes, 1000 * (client + cluster.worked) / volumes
        print(f"dask workers, {workers}: {per_volume:.0f} ms a volume ({worked:.0f} ms with all starts)", flush=True)
    print(f"overhead of the cluster with one worker: {100 * (times[1] / loop - 1):.1f} %")
    print(f"throughput from one to two workers: {times[1] / times[2]:.2f}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the cohort, segment it, tell the numbers; 1 if a table is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=int, default=10_000)
    parser.add_argument("--compared", type=int, default=200, help="so many in a loop, and with one and two workers")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--shape", default="48x48x32")
    parser.add_argument("--kill-every", type=float, default=60.0, metavar="SECONDS", help="0: none is killed")
    parser.add_argument("--broken", type=float, default=0.01, help="share of the files")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave everything in this new folder")
    given = parser.parse_args(arguments)
    i, j, k = (int(n) for n in given.shape.split("x"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["USLABELSEG_STATE"] = str(folder / "state")
        study = make_study(folder, (i, j, k))
        broken = make_images(folder / "images", given.volumes, (i, j, k), given.broken)
        assert read_volume(folder / "images" / "volume_00000.nrrd").voxels.shape == (i, j, k)
        if given.compared:
            compare(folder, study, folder / "images", min(given.compared, given.volumes))
        output = folder / "out"
        with cluster_of(folder, given.workers) as cluster, killing(cluster, given.kill_every) as killed:
            ended = run("USLabelEfficientSegLib.cli", "segment", study, folder / "images", "--output", output,
                        "--cluster", cluster.file)  # fmt: skip
        faults = check(output, given.volumes, broken)
        print(f"{given.volumes} volumes, {given.workers} dask workers, {len(killed)} killed: {ended.seconds:.0f} s")
        print(f"client: at most {ended.memory:.0f} MB, {1000 * ended.worked / given.volumes:.1f} ms a volume")
        print("; ".join(faults) or f"all good volumes were measured once, {len(broken)} broken ones are listed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
