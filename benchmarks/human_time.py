"""Seconds of a user for each volume, and what they buy: Dice and volume error of ways to label an organ.

    python benchmarks/human_time.py DATA --output DIR [--study STUDY] [--label 1] [--axis 2] [--cases NAMES]

DATA holds `images/` and `labels/` of the same names with complete labels. A simulated user (`evaluation/human_time.py`)
draws true outlines: of every slice; of some slices that *Fill between slices*, *Grow from seeds* or a random walker
fill in; diameters for the formula of an ellipsoid; one slice after the other for `propagate`, and, with a study that
has seen none of these volumes, of its model's result. From the second slice on ours shows its outline, and the user
draws anew what is wrong. Writes DIR/human_time.csv, .md and .png.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from correction import CPU
from numpy.typing import NDArray
from propagation import dice, ellipsoid, extent
from slicer_rivals import filled_between, grown_from_seeds, walked_at_random

from USLabelEfficientSegLib.annotation.sparse_labels import UNLABELLED
from USLabelEfficientSegLib.evaluation.human_time import USUAL, correction_seconds, lines_seconds, outline_seconds
from USLabelEfficientSegLib.imaging.files import find_images, read_label_map, read_volume
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.promptable_network.network import PromptableNetwork
from USLabelEfficientSegLib.promptable_network.starter import STARTER, load_starter
from USLabelEfficientSegLib.prompting.correction import corrected
from USLabelEfficientSegLib.prompting.next_slice import Slice, next_slice
from USLabelEfficientSegLib.prompting.propagation import propagate
from USLabelEfficientSegLib.segmentation.inference import VolumePrediction
from USLabelEfficientSegLib.segmentation.loading import load_model
from USLabelEfficientSegLib.segmentation.model import SegmentationModel

Mask = NDArray[np.bool_]
SPREAD = (3, 4, 5, 7, 9, 13)  # slices from end to end
MOST_SLICES = 8  # of ours
BY_HAND, FILL, GROW, WALK, FORMULA = (
    "every slice by hand",
    "Fill between slices",
    "Grow from seeds",
    "random walker",
    "ellipsoid",
)
PROPAGATE, MODEL = "ours, propagate", "ours, model and corrections"


@dataclass(frozen=True)
class Row:
    """What a user has after so many seconds in one volume."""

    way: str
    case: str
    prompts: int
    seconds: float
    dice: float
    volume_error_percent: float


@dataclass(frozen=True)
class Case:
    """A volume with its complete labels."""

    volume: Scan
    dense: LabelMap
    organ: Mask
    axis: int

    def slice_of(self, where: Slice, voxels: Mask | None = None) -> tuple[Mask, tuple[float, float]]:
        """The organ, or other voxels, in a slice, and its pixel size."""
        axis, number = where
        first, second = (size for a, size in enumerate(self.dense.geometry.spacing) if a != axis)
        return np.take(self.organ if voxels is None else voxels, number, axis), (first, second)

    def row(self, way: str, prompts: int, seconds: float, found: Mask, size: float | None = None) -> Row:
        """Of a mask, and of a volume in voxels where it is not the mask's."""
        truth = np.count_nonzero(self.organ)
        error = 100 * ((np.count_nonzero(found) if size is None else size) / truth - 1)
        return Row(way, self.volume.name, prompts, seconds, dice(found, self.organ), error)


def rivals(case: Case) -> Iterator[Row]:
    """Every slice by hand, and what fills in or replaces some of them."""
    first, last = extent(case.organ, case.axis)
    costs = {n: outline_seconds(*case.slice_of((case.axis, n))) for n in range(first, last + 1)}
    beyond = 2 * USUAL.key  # the slices before and after are looked at
    yield case.row(BY_HAND, last - first + 1, sum(costs.values()) + beyond, case.organ)
    for count in SPREAD:
        numbers = np.unique(np.linspace(first, last, count).round().astype(int))
        drawn = np.zeros(case.organ.shape[case.axis], np.bool_)
        drawn[numbers] = True
        seconds = sum(costs[n] for n in numbers.tolist()) + beyond
        yield case.row(FILL, len(numbers), seconds, filled_between(case.organ, drawn, case.axis))
        known = drawn.copy()
        known[[n for n in (first - 1, last + 1) if 0 <= n < len(known)]] = True
        told = np.moveaxis(np.zeros_like(case.organ), case.axis, 0)
        told[known] = True
        told = np.moveaxis(told, 0, case.axis)
        grey, spacing = case.volume.voxels.astype(np.float32), case.dense.geometry.spacing
        yield case.row(GROW, len(numbers), seconds, grown_from_seeds(grey, case.organ, told, spacing))
        yield case.row(WALK, len(numbers), seconds, walked_at_random(grey, case.organ, told))
    limits = [extent(case.organ, axis) for axis in range(3)]
    sizes = case.dense.geometry.spacing
    lengths = [(b - a + 1) * size for (a, b), size in zip(limits, sizes, strict=True)]
    across = max(n * size for n, size in zip(case.organ.shape, sizes, strict=True))
    seconds = lines_seconds((lengths[0], lengths[1], lengths[2]), across) + 2 * USUAL.key
    yield case.row(FORMULA, 3, seconds, ellipsoid(case.organ.astype(np.uint8)))


def ours(case: Case, network: PromptableNetwork, prediction: VolumePrediction | None) -> Iterator[Row]:
    """One slice after the other, with or without a model's result."""
    way, seconds, drawn = (PROPAGATE if prediction is None else MODEL), 0.0, list[Slice]()
    labels = replace(case.dense, voxels=np.full(case.organ.shape, UNLABELLED, np.uint8), segments={})
    shown = prediction
    if prediction is not None:
        yield _found(case, way, 0, USUAL.search, prediction)
        seconds = USUAL.search
    for _ in range(MOST_SLICES):
        known = None if shown is None else shown.labels().voxels == 1
        where = None if known is None else next_slice(known, drawn, case.dense.geometry.spacing, case.axis)
        if where is None:
            where = _first_slice(case)
        wanted, spacing = case.slice_of(where)
        if known is None:
            seconds += outline_seconds(wanted, spacing)
        else:
            there, _ = case.slice_of(where, known)
            seconds += USUAL.key + correction_seconds(there, wanted, spacing)
        np.moveaxis(labels.voxels, where[0], 0)[where[1]] = wanted
        drawn.append(where)
        if prediction is None:
            shown = propagate(case.volume, labels, ("organ",), network=network, mirrors=2)
        else:
            shown = corrected(prediction, case.volume, labels, ("organ",), network=network, mirrors=2)
        yield _found(case, way, len(drawn), seconds, shown)


def _found(case: Case, way: str, prompts: int, seconds: float, found: VolumePrediction) -> Row:
    size = found.volumes_ml()[0] / case.dense.geometry.voxel_volume_ml
    return case.row(way, prompts, seconds, found.labels().voxels == 1, size)


def _first_slice(case: Case) -> Slice:
    """The middle of the organ, which the user finds by herself."""
    return case.axis, sum(extent(case.organ, case.axis)) // 2


def table(rows: list[Row], study_seconds: float) -> str:
    """Means over cases for each way and number of prompts."""
    lines = ["| way | slices drawn | seconds a volume | Dice | volume error |", "| --- | --- | --- | --- | --- |"]
    for way in dict.fromkeys(row.way for row in rows):
        for prompts, of_both in _groups(rows, way).items():
            seconds, overlap, error = _means(of_both)
            named = "all" if way == BY_HAND else str(prompts)
            lines.append(f"| {way} | {named} | {seconds:.1f} | {overlap:.3f} | {error:.1f} % |")
    lines.append("")
    for way in dict.fromkeys(row.way for row in rows):
        enough = [_means(of_both)[0] for of_both in _groups(rows, way).values() if _means(of_both)[2] <= 5]
        lines.append(f"- to 5 % of volume error, {way}: " + (f"{min(enough):.1f} s" if enough else "not reached"))
    if study_seconds:
        shared = study_seconds / 10
        lines.append(f"- labelling of the study: {study_seconds:.0f} s in all, {shared:.1f} s for each of ten volumes")
    return "\n".join(lines) + "\n"


def _groups(rows: list[Row], way: str) -> dict[int, list[Row]]:
    """Rows of a way by the wanted number of slices; short organs have fewer."""
    of_way = [row for row in rows if row.way == way]
    if way == BY_HAND:
        return {0: of_way}
    by_case: dict[str, list[Row]] = {}
    for row in of_way:
        by_case.setdefault(row.case, []).append(row)
    first = next(iter(by_case.values()))
    return {first[n].prompts: [of_case[n] for of_case in by_case.values()] for n in range(len(first))}


def _means(rows: list[Row]) -> tuple[float, float, float]:
    """Mean seconds, mean Dice, median size of the volume error in percent."""
    return (
        float(np.mean([row.seconds for row in rows])),
        float(np.mean([row.dice for row in rows])),
        float(np.median([abs(row.volume_error_percent) for row in rows])),
    )


def figure(rows: list[Row], path: Path) -> None:
    """Dice and volume error over the seconds of a user."""
    drawing, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for way in dict.fromkeys(row.way for row in rows):
        points = np.array([_means(of_both) for of_both in _groups(rows, way).values()])
        width = 2.2 if way.startswith("ours") else 1.2
        for axis, column in zip(axes, (1, 2), strict=True):
            axis.plot(points[:, 0], points[:, column], "o-", label=way, linewidth=width, markersize=4)
    axes[0].set(xlabel="seconds of a user for each volume", ylabel="Dice", ylim=(0.6, 1.01))
    axes[1].set(xlabel="seconds of a user for each volume", ylabel="median volume error in %", ylim=(0, 30))
    axes[1].axhline(5, color="grey", linewidth=0.8, linestyle=":")
    axes[0].legend(fontsize=8)
    drawing.savefig(path, dpi=130)


def seconds_of_study(study: Path, axis: int) -> float:
    """Of drawing the labelled slices of a study."""
    from USLabelEfficientSegLib.study.study import Study

    seconds, opened = 0.0, Study.open(study)
    for case in opened.cases:
        labels = opened.read_labels(case.name)
        if labels is None:
            continue
        for across in range(3):
            sizes = tuple(size for a, size in enumerate(opened.read_scan(case.name).geometry.spacing) if a != across)
            for voxels in np.moveaxis(labels.voxels, across, 0):
                if (voxels != UNLABELLED).all():
                    seconds += outline_seconds(voxels == 1, (sizes[0], sizes[1]))
    return seconds


def main() -> None:
    """Draw, fill in, and write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--study", type=Path, help="trained; it has seen none of the volumes")
    parser.add_argument("--label", type=int, default=1)
    parser.add_argument("--axis", type=int, default=2, help="along which slices are drawn by hand")
    parser.add_argument("--cases", help="names, separated by commas; by default all")
    parser.add_argument("--weights", type=Path, default=STARTER)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = load_starter(options.weights)
    model = None if options.study is None else load_model(options.study)
    if model is not None and not isinstance(model, SegmentationModel):
        parser.error("the model is of 2-D images")
    images, labels = find_images(options.data / "images"), find_images(options.data / "labels", labels=True)
    rows: list[Row] = []
    for name in sorted(labels) if options.cases is None else options.cases.split(","):
        dense = read_label_map(labels[name])
        case = Case(read_volume(images[name]), dense, dense.voxels == options.label, options.axis)
        rows += [*rivals(case), *ours(case, network, None)]
        if model is not None:
            rows += ours(case, network, model.predict(case.volume, CPU))
        print(name, flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.output / "human_time.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(asdict(rows[0])))
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    text = table(rows, 0.0 if options.study is None else seconds_of_study(options.study, options.axis))
    (options.output / "human_time.md").write_text(text, encoding="utf-8")
    figure(rows, options.output / "human_time.png")
    print(text, flush=True)
    os._exit(0)  # some of Slicer's libraries fail when the interpreter takes them down


if __name__ == "__main__":
    main()
