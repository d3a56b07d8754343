"""How good `propagate` is without any training: middle slices of labelled volumes are kept, the rest is filled in.

    python benchmarks/propagation.py DATA [--label 1] [--cases 40] [--weights FILE] [--mirrors 8]

DATA holds `images/` and `labels/` of the same names with complete labels. Of each volume the middle slice of the organ
is kept along one axis, along two, and along all three. Beside it stands an ellipsoid with the extents that two or
three slices across each other show. Nothing is trained or tuned, so all cases are test cases.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from USLabelEfficientSegLib.imaging.files import find_images, read_label_map, read_volume
from USLabelEfficientSegLib.promptable_network.starter import STARTER, load_starter
from USLabelEfficientSegLib.prompting.propagation import propagate

Mask = NDArray[np.bool_]


def extent(organ: Mask, axis: int) -> tuple[int, int]:
    """First and last slice along an axis that show the organ."""
    shown = np.flatnonzero(organ.any(axis=tuple(a for a in range(3) if a != axis)))
    return int(shown[0]), int(shown[-1])


def sparse(organ: Mask, axes: tuple[int, ...]) -> NDArray[np.uint8]:
    """Labels in which the organ's middle slice along each of the axes is kept."""
    voxels = np.full(organ.shape, 255, np.uint8)
    for axis in axes:
        place = tuple(sum(extent(organ, axis)) // 2 if a == axis else slice(None) for a in range(3))
        voxels[place] = organ[place]
    return voxels


def ellipsoid(voxels: NDArray[np.uint8]) -> Mask:
    """The ellipsoid with the extents that labelled slices show."""
    limits = [extent(voxels == 1, axis) for axis in range(3)]
    grid = np.meshgrid(*(np.arange(n) for n in voxels.shape), indexing="ij", sparse=True)
    terms = (((x - (a + b) / 2) / ((b - a + 1) / 2)) ** 2 for x, (a, b) in zip(grid, limits, strict=True))
    return np.asarray(sum(terms) <= 1)


def dice(found: Mask, organ: Mask) -> float:
    """Dice overlap."""
    return 2 * float(np.count_nonzero(found & organ)) / (np.count_nonzero(found) + np.count_nonzero(organ))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--label", type=int, default=1)
    parser.add_argument("--cases", type=int, default=1000, help="the first so many by name")
    parser.add_argument("--weights", type=Path, default=STARTER)
    parser.add_argument("--mirrors", type=int, default=8)
    parser.add_argument("--slices", default="0 1 2 01 02 12 012", help="axes along which a middle slice is kept")
    options = parser.parse_args()
    network = load_starter(options.weights)
    images, labels = find_images(options.data / "images"), find_images(options.data / "labels", labels=True)
    names = sorted(labels)[: options.cases]
    print(f"{len(names)} volumes, label {options.label}, {options.mirrors} mirror images")
    print("slices along  Dice (SD)      volume error: median, bias  ellipsoid: Dice, error  seconds a volume")
    for axes in (tuple(map(int, choice)) for choice in options.slices.split()):
        rows, started = [], time.monotonic()
        for name in names:
            volume, dense = read_volume(images[name]), read_label_map(labels[name])
            organ = dense.voxels == options.label
            drawn = replace(dense, voxels=sparse(organ, axes), segments={})
            found = propagate(volume, drawn, ("organ",), network=network, mirrors=options.mirrors)
            truth_ml = np.count_nonzero(organ) * dense.geometry.voxel_volume_ml
            simple = ellipsoid(drawn.voxels)
            rows.append(
                (
                    dice(found.labels().voxels == 1, organ),
                    found.volumes_ml()[0] / truth_ml - 1,
                    dice(simple, organ),
                    np.count_nonzero(simple) / np.count_nonzero(organ) - 1,
                )
            )
        values = np.array(rows)
        errors = 100 * values[:, 1::2]
        text = f"{values[:, 0].mean():.3f} ({values[:, 0].std(ddof=1):.3f})"
        volume_text = f"{np.median(np.abs(errors[:, 0])):.1f} %, {np.median(errors[:, 0]):+.1f} %"
        other = f"{values[:, 2].mean():.3f}, {np.median(np.abs(errors[:, 1])):.1f} %" if len(axes) > 1 else "-"
        seconds = (time.monotonic() - started) / len(names)
        print(f"{axes!s:13} {text:14} {volume_text:27} {other:23} {seconds:.1f}", flush=True)


if __name__ == "__main__":
    main()
