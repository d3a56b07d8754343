"""How much a drawn slice mends a model's result: `segment --prompts` beside the model and beside the drawing alone.

    python benchmarks/correction.py MODEL DATA [--axis 2] [--cases NAMES] [--mirrors 8]

MODEL is a trained study or a model file, DATA holds `images/` and `labels/` of the same names with complete labels,
none of which the model may have seen. Of each volume one slice is drawn across the axis, or three across each other:
those that show most of all organs at once. An organ that no slice shows is missing where the drawing is alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from USLabelEfficientSegLib.imaging.files import find_images, read_label_map, read_volume
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.prompting.correction import corrected
from USLabelEfficientSegLib.prompting.propagation import propagate
from USLabelEfficientSegLib.segmentation.inference import VolumePrediction
from USLabelEfficientSegLib.segmentation.loading import load_model
from USLabelEfficientSegLib.segmentation.model import SegmentationModel

Row = tuple[float, float]  # Dice, relative error of the volume
CPU = torch.device("cpu")


def best_slice(voxels: NDArray[np.uint8], organs: int, axis: int) -> int:
    """The slice across an axis that shows the largest share of every organ's largest area."""
    across = tuple(a for a in range(3) if a != axis)
    areas = np.array([(voxels == label).sum(axis=across) for label in range(1, organs + 1)])
    if organs == 1:
        shown = np.flatnonzero(areas[0])
        return int(shown[0] + shown[-1]) // 2
    return int((areas / np.maximum(areas.max(axis=1, keepdims=True), 1)).min(axis=0).argmax())


def drawing_of(dense: LabelMap, organs: int, axes: tuple[int, ...]) -> LabelMap:
    """Labels in which the best slice across each of the axes is drawn."""
    voxels = np.full_like(dense.voxels, 255)
    for axis in axes:
        index = best_slice(dense.voxels, organs, axis)
        place = tuple(index if a == axis else slice(None) for a in range(3))
        voxels[place] = dense.voxels[place]
    return replace(dense, voxels=voxels, segments={})


def rows_of(found: VolumePrediction, dense: LabelMap) -> list[Row]:
    """Dice and error of each organ."""
    voxels, rows = found.labels().voxels, list[Row]()
    for label, ml in enumerate(found.volumes_ml(), start=1):
        truth, organ = dense.voxels == label, voxels == label
        both = np.count_nonzero(truth) + np.count_nonzero(organ)
        error = ml / (np.count_nonzero(truth) * dense.geometry.voxel_volume_ml) - 1
        rows.append((float(2 * np.count_nonzero(truth & organ) / both), float(error)))
    return rows


def by_drawing(volume: Scan, drawing: LabelMap, dense: LabelMap, organs: int, mirrors: int) -> list[Row]:
    """Of the drawing alone."""
    drawn = [label for label in range(1, organs + 1) if (drawing.voxels == label).any()]
    number = np.zeros(256, np.uint8)
    number[255], number[drawn] = 255, np.arange(1, len(drawn) + 1)
    names = [str(label) for label in drawn]
    found = propagate(volume, replace(drawing, voxels=number[drawing.voxels]), names, mirrors=mirrors)
    number[255] = 0
    rows = dict(zip(drawn, rows_of(found, replace(dense, voxels=number[dense.voxels])), strict=True))
    return [rows.get(label, (0.0, -1.0)) for label in range(1, organs + 1)]


def measured(
    model: SegmentationModel, volume: Scan, dense: LabelMap, axes: Mapping[str, tuple[int, ...]], mirrors: int
) -> dict[str, list[Row]]:
    """Of one volume, by what was done."""
    prediction, organs = model.predict(volume, CPU), len(model.organs)
    rows = {"model": rows_of(prediction, dense)}
    for name, of_drawing in axes.items():
        drawing = drawing_of(dense, organs, of_drawing)
        rows[f"drawing, {name}"] = by_drawing(volume, drawing, dense, organs, mirrors)
        mended = corrected(prediction, volume, drawing, model.organs, mirrors=mirrors)
        rows[f"model and drawing, {name}"] = rows_of(mended, dense)
    return rows


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--axis", type=int, default=2, help="of the one slice")
    parser.add_argument("--cases", help="names, separated by commas; by default all")
    parser.add_argument("--mirrors", type=int, default=8)
    options = parser.parse_args()
    model = load_model(options.model)
    if not isinstance(model, SegmentationModel):
        parser.error("the model is of 2-D images")
    images, labels = find_images(options.data / "images"), find_images(options.data / "labels", labels=True)
    names = sorted(labels) if options.cases is None else options.cases.split(",")
    axes = {"one slice": (options.axis,), "three slices": (0, 1, 2)}
    found: dict[str, list[Row]] = {}
    for name in names:
        dense = read_label_map(labels[name])
        for done, rows in measured(model, read_volume(images[name]), dense, axes, options.mirrors).items():
            found.setdefault(done, []).extend(rows)
    print(f"{len(names)} volumes, {', '.join(model.organs)}")
    print(f"{'':32} Dice   volume error: median, bias")
    for done, rows in found.items():
        values = np.array(rows)
        errors = 100 * values[:, 1]
        print(f"{done:32} {values[:, 0].mean():.3f}  {np.median(np.abs(errors)):.1f} %, {np.median(errors):+.1f} %")


if __name__ == "__main__":
    main()
