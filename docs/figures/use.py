"""Draw use.png: the use of the program in one picture, from four labelled slices to a volume in millilitres.

The volumes are simulated, so that the true volume is known; everything else is done by the commands that a user calls,
with the preset `quick`. What a user would paint is copied from the simulator's true labels. Of nine new volumes the one
with the median error is shown. The panel is one of Resources/Screenshots, drawn by the project's test host.
Takes some minutes. Run as ``python docs/figures/use.py`` with the library installed.
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import SubFigure
from numpy.typing import NDArray
from PIL import Image

from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume, write_label_map, write_volume
from USLabelEfficientSegLib.imaging.organ_colours import organ_colour
from USLabelEfficientSegLib.imaging.simulator import SimulatedCase, simulate_volume
from USLabelEfficientSegLib.report.pictures.organ_surfaces import organs_png

PANEL = Path(__file__).parents[2] / "Resources" / "Screenshots" / "train.png"
BARS = (20, 280, 450, 478)  # of that picture: left, upper, right, lower
SUBJECTS = 12  # volumes of the study
NEW_SUBJECTS = range(100, 109)  # volumes that are measured, and no part of the study
LABELLED_SLICES = 4
ORGAN = "prostate"


def simulated(subject: int) -> SimulatedCase:
    """A subject with one organ, seen by a medium probe."""
    return simulate_volume(subject, shape=(96, 96, 64), spacing=(0.9, 0.9, 1.1), probe="medium", organ_count=1)


def command(*arguments: object) -> str:
    """Call `uslabelseg` as a user does; returns what it prints."""
    line = [sys.executable, "-m", "USLabelEfficientSegLib.cli", *map(str, arguments)]
    return subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout


def label_slices(study: Path, folder: Path) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Label the suggested slices as they truly are; returns each as grey values and labels."""
    slices = json.loads(command("suggest", study, "--count", LABELLED_SLICES, "--json"))
    command("suggest", study, "--count", LABELLED_SLICES, "--write", folder)
    painted = []
    for chosen in slices:
        case = simulated(int(chosen["volume"][-4:]))
        path = folder / "labels" / f"{chosen['volume']}.nrrd"
        label_map, here = read_label_map(path), (slice(None),) * chosen["axis"] + (chosen["index"],)
        label_map.voxels[here] = case.label_map.voxels[here]
        write_label_map(path, label_map)
        painted.append((case.volume.voxels[here], case.label_map.voxels[here]))
    command("study", "label", study, "--labels", folder)
    return painted


def draw_labels(figure: SubFigure, painted: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> None:
    """The labelled slices, two by two."""
    titled(figure, f"1. Label {len(painted)} slices")
    for panel, (grey, labels) in zip(figure.subplots(2, 2).flat, painted, strict=True):
        draw_slice(panel, grey, labels, filled=True)
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.02, top=0.87, wspace=0.04, hspace=0.04)


def titled(figure: SubFigure, title: str) -> None:
    """One of the three steps."""
    figure.suptitle(title, fontsize=18, fontweight="bold", y=0.97)


def draw_slice(panel: plt.Axes, grey: NDArray[np.uint8], labels: NDArray[np.uint8], filled: bool) -> None:
    """A slice with the organ on it, painted or outlined."""
    panel.imshow(grey.T, cmap="gray", vmin=0, vmax=255)
    if labels.any():
        if filled:
            panel.contourf(labels.T, levels=[0.5, 1.5], colors=[organ_colour(1)], alpha=0.45)
        panel.contour(labels.T, levels=[0.5], colors=[organ_colour(1)], linewidths=1.8)
    panel.axis("off")


def draw_waiting(figure: SubFigure, minutes: float) -> None:
    """The bars of a training, as the panel shows them."""
    titled(figure, f"2. Wait {minutes:.0f} minutes")
    panel = figure.subplots()
    with Image.open(PANEL) as picture:
        panel.imshow(picture.crop(BARS))
    panel.axis("off")
    figure.subplots_adjust(left=0.03, right=0.97, bottom=0.05, top=0.87)


def draw_result(figure: SubFigure, image: Path, found: Path, row: dict[str, str], true_ml: float) -> None:
    """The organ in its middle slice and in 3-D, with its volume."""
    titled(figure, "3. Read the volume")
    slice_panel, organ_panel = figure.subplots(1, 2)
    volume, label_map = read_volume(image), read_label_map(found)
    index = int(label_map.voxels.any(axis=(0, 1)).nonzero()[0].mean())
    draw_slice(slice_panel, volume.voxels[..., index], label_map.voxels[..., index], filled=False)
    png = organs_png(label_map)
    if png is None:
        raise RuntimeError("the model finds no organ")
    with Image.open(io.BytesIO(png)) as picture:
        organ_panel.imshow(picture.convert("RGB").crop((0, 0, picture.width // 3, picture.height)))
    organ_panel.axis("off")
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.3, top=0.9, wspace=0.05)
    low, high = float(row["interval_low_ml"]), float(row["interval_high_ml"])
    figure.text(0.5, 0.2, f"{float(row['volume_ml']):.1f} ml", ha="center", fontsize=26, fontweight="bold")
    figure.text(0.5, 0.12, f"90 % interval {low:.1f} to {high:.1f} ml", ha="center", fontsize=16)
    figure.text(0.5, 0.05, f"true volume {true_ml:.1f} ml", ha="center", fontsize=13, color="#555555")


def simulate(folder: Path, subjects: Iterable[int]) -> dict[str, float]:
    """Write a volume of each subject; returns the true volume of its organ in ml, by the name of the volume."""
    folder.mkdir()
    cases = [simulated(subject) for subject in subjects]
    for case in cases:
        write_volume(folder / f"{case.volume.name}.nrrd", case.volume)
    return {case.volume.name: next(iter(case.volumes_ml.values())) for case in cases}


def main() -> None:
    """Write use.png beside this script."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        study, new, results = folder / "study", folder / "new", folder / "results"
        simulate(folder / "images", range(SUBJECTS))
        true_ml = simulate(new, NEW_SUBJECTS)
        command("study", "create", study, "--images", folder / "images", "--organs", ORGAN)
        painted = label_slices(study, folder / "to-label")
        started = time.monotonic()
        command("train", study, "--preset", "quick", "--device", "cpu")
        minutes = (time.monotonic() - started) / 60
        command("segment", study, new, "--output", results)
        command("measure", results, "--output", folder / "volumes.csv")
        with (folder / "volumes.csv").open(encoding="utf-8", newline="") as file:
            rows = sorted(csv.DictReader(file), key=lambda row: abs(float(row["volume_ml"]) / true_ml[row["case"]] - 1))
        row = rows[len(rows) // 2]
        figure = plt.figure(figsize=(15, 5.2))
        labels, waiting, result = figure.subfigures(1, 3, width_ratios=(1.1, 0.95, 1.25))
        draw_labels(labels, painted)
        draw_waiting(waiting, minutes)
        name = f"{row['case']}.nrrd"
        draw_result(result, new / name, results / name, row, true_ml[row["case"]])
        figure.savefig(Path(__file__).with_suffix(".png"), dpi=80)


if __name__ == "__main__":
    main()
