"""How much memory and disk a training takes, by the number of volumes: neither may grow without bound.

    python benchmarks/training_memory.py [--volumes 50 400 1600] [--shape 48x48x32] [--keep DIR]
    python benchmarks/training_memory.py --volumes 6 --shape 64x64x64 --quick

Small volumes are simulated, each with noise of its own; slices of eight are labelled. `uslabelseg train` trains all
networks for a few steps, which takes as much memory as many steps do. Told are its largest memory, its seconds, and the
megabytes of `run/`: the most while it trains, after it, and after `uslabelseg study clean`. With --quick only steps
differ from the preset.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from USLabelEfficientSegLib.annotation.sparse_labels import UNLABELLED
from USLabelEfficientSegLib.imaging.files import write_label_map, write_volume
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.study.study import Study

_ORGANS = ("solid", "fluid")
_ORIGINALS = 20
_LABELLED = 8  # volumes, with a slice each
_FEW_STEPS = {
    "teacher.steps": 10,
    "slice_head.steps": 5,
    "slice_network.steps": 20,
    "student.steps": 20,
    "student.label_steps": 20,
}
_TINY = {
    "working_grid.max_voxels": 48,
    "teacher.slice_size": 32,
    "teacher.batch_size": 2,
    "slice_head.views": 1,
    "pseudo_labels.views": 1,
    "slice_network.max_voxels": 48,
    "slice_network.widths": [8, 16],
    "slice_network.starter": False,
    "student.widths": [4, 8],
    "student.rounds": 2,
}
_SECONDS_BETWEEN_LOOKS = 0.05
_LOOKS_PER_SIZE = 20  # at the files of thousands of volumes it looks less often


@dataclass(frozen=True)
class Measured:
    """A training that has ended: seconds on the clock, and megabytes."""

    seconds: float
    memory: float
    images: float
    most: float
    after: float
    cleaned: float
    model: float


def make_study(folder: Path, volumes: int, shape: tuple[int, int, int]) -> Study:
    """A study of so many volumes with noise of their own, a labelled slice in each of a few."""
    images, labels = folder / "images", folder / "labels"
    images.mkdir()
    labels.mkdir()
    noise = np.random.default_rng(0)
    spacing = (80 / shape[0], 80 / shape[1], 64 / shape[2])
    originals = [simulate_volume(seed, shape=shape, spacing=spacing) for seed in range(min(volumes, _ORIGINALS))]
    for number in range(volumes):
        case = originals[number % len(originals)]
        name, geometry = f"volume_{number:05d}", case.volume.geometry
        voxels = case.volume.voxels.astype(np.float64) + noise.normal(0, 2, shape)
        write_volume(images / f"{name}.nrrd", Scan(voxels.clip(0, 255).astype(np.uint8), geometry, name))
        if number < _LABELLED:
            painted = np.full(shape, UNLABELLED, dtype=np.uint8)
            slice_number = int((case.label_map.voxels > 0).sum(axis=(0, 1)).argmax())
            painted[:, :, slice_number] = case.label_map.voxels[:, :, slice_number]
            write_label_map(labels / f"{name}.nrrd", LabelMap(painted, geometry, name))
    return Study.create(folder / "study", images, labels, organs=_ORGANS)


def measure(study: Study, settings: Sequence[str]) -> Measured:
    """Train a study with a command of its own, and look at its memory and its files meanwhile."""
    command = [sys.executable, "-m", "USLabelEfficientSegLib.cli"]
    started, memory, most, looks = time.monotonic(), 0.0, 0.0, 0
    changes = [word for each in settings for word in ("--set", each)]
    trained = subprocess.Popen(
        [*command, "train", str(study.folder), "--device", "cpu", "--processes", "1", *changes],
        stdout=subprocess.DEVNULL,
    )
    while True:
        memory = max(memory, _most_memory(trained.pid))
        if looks % _LOOKS_PER_SIZE == 0:
            most = max(most, _megabytes(study.run_folder))
        looks += 1
        ended, status, _ = os.wait4(trained.pid, os.WNOHANG)
        if ended:
            break
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    assert os.waitstatus_to_exitcode(status) == 0
    seconds, after = time.monotonic() - started, _megabytes(study.run_folder)
    subprocess.run([*command, "study", "clean", str(study.folder)], stdout=subprocess.DEVNULL, check=True)
    return Measured(
        seconds=seconds,
        memory=memory,
        images=_megabytes(study.folder / "images"),
        most=most,
        after=after,
        cleaned=_megabytes(study.run_folder),
        model=(study.run_folder / "model.safetensors").stat().st_size / 1e6,
    )


def _most_memory(pid: int) -> float:
    """The largest memory so far of a process in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM:")), 0.0)


def _megabytes(folder: Path) -> float:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(place, name)).st_size
            except FileNotFoundError:  # it is being replaced
                continue
    return total / 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    """Train studies of several sizes, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=int, nargs="+", default=[50, 400, 1600])
    parser.add_argument("--shape", default="48x48x32")
    parser.add_argument("--quick", action="store_true", help="the preset, but for the steps")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="NAME=VALUE", help="also these")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the studies in this new folder")
    given = parser.parse_args(arguments)
    i, j, k = (int(n) for n in given.shape.split("x"))
    few = _FEW_STEPS if given.quick else {**_FEW_STEPS, **_TINY}
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["USLABELSEG_STATE"] = str(Path(temporary) / "state")
        for volumes in given.volumes:
            folder = (given.keep or Path(temporary)) / str(volumes)
            folder.mkdir(parents=True)
            study = make_study(folder, volumes, (i, j, k))
            found = measure(study, [*(f"{name}={json.dumps(value)}" for name, value in few.items()), *given.changes])
            print(f"{volumes} volumes, {found.images:.1f} MB: {found.memory:.0f} MB of memory, {found.seconds:.0f} s")
            print(f"    run/: at most {found.most:.1f} MB, after training {found.after:.1f} MB,", end=" ")
            print(f"cleaned {found.cleaned:.1f} MB, of which the model {found.model:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
