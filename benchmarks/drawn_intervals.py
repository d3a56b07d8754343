"""How far volumes filled in from a drawing are off: makes and tests the constants of `prompting/drawn_intervals.py`.

    python benchmarks/drawn_intervals.py collect ROWS DATA... [--cases 10] [--study STUDY]
    python benchmarks/drawn_intervals.py fit ROWS
    python benchmarks/drawn_intervals.py test ROWS

DATA are folders with `images` and complete `labels`, such as those of the suite; each is a set. In each volume slices,
parallel and crossing, or strokes are drawn by chance, the organ is filled in, and the offset of its log-odds is noted
that gives it its true volume. With a study its model's opinion counts, and volumes of which a slice was labelled are
left out. `fit` prints the constants, and for each set what is held by constants that were made without it. `test`
prints what the program's own constants hold, of rows that are `collect`ed with them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq

from USLabelEfficientSegLib.annotation.sparse_labels import UNLABELLED
from USLabelEfficientSegLib.calibration.offset_intervals import expected_size
from USLabelEfficientSegLib.imaging.files import find_images, read_label_map, read_volume
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.promptable_network.simulated_prompts import draw_strokes
from USLabelEfficientSegLib.prompting.drawing import Told, how_much
from USLabelEfficientSegLib.prompting.drawn_intervals import ALONE, doubt_of
from USLabelEfficientSegLib.prompting.drawn_intervals import WITH_MODEL as WITH_MODEL_RULES
from USLabelEfficientSegLib.prompting.outline import coarse_opinions, coarse_volume, outline
from USLabelEfficientSegLib.segmentation.loading import load_model
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.study.study import Study

Mask = NDArray[np.bool_]
KINDS = ("1", "1 middle", "2", "2 middle", "3", "3 middle", "2 parallel", "3 parallel", "5 parallel", "8 parallel",
         "3 parallel, ends", "2 parallel, 1 across", "3 strokes", "10 strokes", "1, 6 strokes")  # fmt: skip
WITH_MODEL = (*KINDS, "empty")
OFFSETS = tuple(float(offset) for offset in range(-6, 7))
_FURTHEST = 12.0
_FEWEST_VOXELS = 30
_ORDERS = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]


@dataclass(frozen=True)
class Row:
    """An organ that was filled in from a drawing.

    Attributes:
        of, case, organ, kind: set, volume, label, and what was drawn.
        told: see `drawing.Told`.
        doubt: see `drawn_intervals.doubt_of`.
        offset: of the log-odds that gives the true volume.
        sizes: log of the volume with each of `OFFSETS`, over that without.
        truth: log of the true volume over that without.
        dice: of the outline.
    """

    of: str
    case: str
    organ: int
    kind: str
    told: int
    doubt: float
    offset: float
    sizes: tuple[float, ...]
    truth: float
    dice: float


def draw(rng: np.random.Generator, organ: Mask, kind: str) -> Mask:
    """Where something is drawn in a volume (I, J, K) with this organ."""
    told = np.zeros(organ.shape, bool)
    order = _ORDERS[int(rng.integers(6))]
    first, _, words = kind.partition(" ")
    count = int(first.strip(",")) if first != "empty" else 0
    if kind == "empty":
        low, high = _extent(organ, order[0])
        np.moveaxis(told, order[0], 0)[[max(low - 2, 0), min(high + 2, organ.shape[order[0]] - 1)]] = True
        return told & ~organ if (told & organ).any() else told
    if words.endswith("strokes"):
        if "," in kind:
            _slice(rng, organ, order[0], told)
        draw_strokes(rng, organ, told, 6 if "," in kind else count)
        return told
    if words.startswith("parallel"):
        _parallel(rng, organ, order[0], told, count)
        if "across" in words:
            _slice(rng, organ, order[1], told)
        if "ends" in words:
            low, high = _extent(organ, order[0])
            np.moveaxis(told, order[0], 0)[[max(low - 1, 0), min(high + 1, organ.shape[order[0]] - 1)]] = True
        return told
    for axis in order[:count]:
        _slice(rng, organ, axis, told, middle=words == "middle")
    return told


def _extent(organ: Mask, axis: int) -> tuple[int, int]:
    shown = np.flatnonzero(organ.any(axis=tuple(a for a in range(3) if a != axis)))
    return int(shown[0]), int(shown[-1])


def _slice(rng: np.random.Generator, organ: Mask, axis: int, told: Mask, *, middle: bool = False) -> None:
    low, high = _extent(organ, axis)
    place = (low + high) / 2
    if not middle:
        near = rng.random() < 0.75
        place = rng.normal(place, 0.13 * (high - low + 1)) if near else rng.uniform(low, high)
    np.moveaxis(told, axis, 0)[int(np.clip(round(place), low, high))] = True


def _parallel(rng: np.random.Generator, organ: Mask, axis: int, told: Mask, count: int) -> None:
    low, high = _extent(organ, axis)
    for number in range(count):
        place = low + (high - low + 1) * (number + 0.5 + rng.uniform(-0.3, 0.3)) / count
        np.moveaxis(told, axis, 0)[int(np.clip(place, low, high))] = True


def rows_of(name: str, volume: Scan, dense: LabelMap, model: SegmentationModel | None) -> Iterator[Row]:
    """Each organ of a volume with each kind of drawing."""
    seen = coarse_volume(volume)
    opinions = None
    if model is not None:
        opinions = coarse_opinions(seen, model.predict(volume, torch.device("cpu")).probability)
    organs = 1 if model is None else len(model.organs)
    for label in sorted(set(np.unique(dense.voxels).tolist()) - {0, UNLABELLED}):
        organ = dense.voxels == label
        if np.count_nonzero(organ) < _FEWEST_VOXELS:
            continue
        truth = np.log(np.count_nonzero(organ) * dense.geometry.voxel_volume_ml)
        for kind in KINDS if model is None else WITH_MODEL:
            told = draw(np.random.default_rng(crc32(f"{name} {volume.name} {label} {kind}".encode())), organ, kind)
            if not told.any() or (model is None and not (told & organ).any()):
                continue
            true_labels = organ.astype(np.uint8) if model is None else dense.voxels
            drawn = replace(dense, voxels=np.where(told, true_labels, np.uint8(UNLABELLED)), segments={})
            place = 1 if model is None else label
            found = outline(seen, drawn, [f"organ {n}" for n in range(1, 1 + organs)], opinions=opinions)
            probability = found.probability[found.shown.index(place) + 1]
            voxel_ml = seen.grid.voxel_volume_ml
            size = expected_size(probability) * voxel_ml
            mask = found.labels.voxels == place
            true_mask = _nearest(organ, mask.shape)
            yield Row(
                name, volume.name, label, kind,
                how_much(drawn.voxels, organs).told[place - 1],
                doubt_of(probability),
                _offset(probability, float(np.exp(truth)) / voxel_ml),
                tuple(float(np.log(max(expected_size(probability, b) * voxel_ml, 1e-9) / size)) for b in OFFSETS),
                float(truth - np.log(max(size, 1e-9))),
                2 * float(np.count_nonzero(mask & true_mask)) / (np.count_nonzero(mask) + np.count_nonzero(true_mask)),
            )  # fmt: skip


def _nearest(mask: Mask, shape: tuple[int, ...]) -> Mask:
    places = [((np.arange(n) + 0.5) * m / n).astype(int) for m, n in zip(mask.shape, shape, strict=True)]
    return mask[np.ix_(*places)]


def _offset(probability: NDArray[np.float32], size: float) -> float:
    def excess(offset: float) -> float:
        return expected_size(probability, offset) - size

    if excess(-_FURTHEST) >= 0:
        return -_FURTHEST
    return _FURTHEST if excess(_FURTHEST) <= 0 else float(brentq(excess, -_FURTHEST, _FURTHEST, xtol=1e-2))


def collect(path: Path, folders: list[Path], cases: int, study: Path | None) -> None:
    """Append rows to a file of JSON lines."""
    model = None if study is None else load_model(study)
    assert model is None or isinstance(model, SegmentationModel)
    labelled = set() if study is None else {case.name for case in Study.open(study).cases if case.labels is not None}
    with path.open("a") as file:
        for folder in folders:
            images, labels = find_images(folder / "images"), find_images(folder / "labels", labels=True)
            names = [name for name in sorted(labels, reverse=study is not None) if name not in labelled][:cases]
            for name in names:
                for row in rows_of(folder.name, read_volume(images[name]), read_label_map(labels[name]), model):
                    file.write(json.dumps(asdict(row)) + "\n")
                    file.flush()
            print(folder.name, len(names), flush=True)


def read_rows(path: Path) -> list[Row]:
    """The rows of a file."""
    given = [json.loads(line) for line in path.read_text().splitlines()]
    return [Row(**{**one, "sizes": tuple(one["sizes"])}) for one in given]


def features(rows: list[Row]) -> NDArray[np.float64]:
    """(rows, 6): 1 at what was told, and the log of the doubt over a tenth."""
    table = np.zeros((len(rows), 1 + len(Told)))
    table[range(len(rows)), [row.told for row in rows]] = 1
    table[:, -1] = np.log([max(row.doubt, 0.01) / 0.1 for row in rows])
    return table


def quantile(table: NDArray[np.float64], values: NDArray[np.float64], weights: NDArray[np.float64], share: float
             ) -> NDArray[np.float64]:  # fmt: skip
    """Coefficients of a linear quantile regression, by reweighted least squares."""
    found = np.zeros(table.shape[1])
    for _ in range(200):
        error = values - table @ found
        pull = weights * np.where(error > 0, share, 1 - share) / np.maximum(np.abs(error), 0.02)
        pulled = table.T * pull
        solution = np.linalg.solve(pulled @ table + 0.1 * np.eye(table.shape[1]), pulled @ values)
        found = np.asarray(solution, dtype=np.float64)
    return found


def equal_sets(rows: list[Row]) -> NDArray[np.float64]:
    """Weights by which each set counts alike."""
    names = np.array([row.of for row in rows])
    return np.array([len(rows) / len(np.unique(names)) / np.count_nonzero(names == name) for name in names])


def print_held(rows: list[Row], low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
    """By set and by drawing: the share of true volumes that lie between offsets, the width, the error."""
    sizes = np.array([np.interp([low[n], high[n]], OFFSETS, row.sizes) for n, row in enumerate(rows)])
    truth = np.array([row.truth for row in rows])
    held = (truth >= sizes[:, 0]) & (truth <= sizes[:, 1])
    width, error = np.exp(sizes[:, 1]) - np.exp(sizes[:, 0]), np.abs(np.exp(-truth) - 1)
    dice = np.array([row.dice for row in rows])
    for title, groups in (("set", [row.of for row in rows]), ("drawing", [row.kind for row in rows])):
        print(f"{title:22} volumes  held   width  error  Dice")
        for name in [*dict.fromkeys(groups), "all"]:
            of = np.array([name in (group, "all") for group in groups])
            print(f"{name:22} {of.sum():7d} {100 * held[of].mean():4.0f} % {100 * np.median(width[of]):5.0f} % "
                  f"{100 * np.median(error[of]):4.1f} %  {dice[of].mean():.3f}")  # fmt: skip


def fit(path: Path) -> None:
    """Print constants, and what they hold in sets that had no part in them."""
    rows = read_rows(path)
    table, values, names = features(rows), np.clip([row.offset for row in rows], -8, 8), np.array([r.of for r in rows])
    weights = equal_sets(rows)
    for share in (0.05, 0.5, 0.95):
        print(share, quantile(table, values, weights, share).round(2).tolist())
    bounds = np.zeros((2, len(rows)))
    for name in np.unique(names):
        rest = names != name
        for bound, share in zip(bounds, (0.05, 0.95), strict=True):
            bound[~rest] = table[~rest] @ quantile(table[rest], values[rest], weights[rest], share)
    print_held(rows, *bounds)


def test(path: Path, with_model: bool) -> None:
    """Print what the program's constants hold."""
    rows, rules = read_rows(path), WITH_MODEL_RULES if with_model else ALONE
    low, high = np.array([rules.offsets(Told(row.told), row.doubt) for row in rows]).T
    print_held(rows, low, high)


def main() -> None:
    """Collect, fit or test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["collect", "fit", "test"])
    parser.add_argument("rows", type=Path)
    parser.add_argument("data", type=Path, nargs="*")
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--study", type=Path, help="whose model has an opinion")
    parser.add_argument("--with-model", action="store_true", help="test the constants for an opinion")
    options = parser.parse_args()
    if options.task == "collect":
        collect(options.rows, options.data, options.cases, options.study)
    elif options.task == "fit":
        fit(options.rows)
    else:
        test(options.rows, options.with_model)


if __name__ == "__main__":
    main()
