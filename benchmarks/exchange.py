"""How far the segmentations of an exported model are from those of `uslabelseg segment`, on simulated volumes.

    python benchmarks/exchange.py --volumes 20

Trains a small model, or takes that of `--model`, exports it as a MONAI bundle and as ONNX graphs, and segments new
volumes in every way: by the command, by MONAI's `bundle run`, and with the graphs in place of the networks. Graphs
compute in float32, so they are compared with networks in float32 and with the command, which computes 2-D networks
in bfloat16 where the processor has it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import training_options
from numpy.typing import NDArray

from USLabelEfficientSegLib.exchange.exporting import export_model
from USLabelEfficientSegLib.exchange.graphs import graphs_of
from USLabelEfficientSegLib.exchange.onnx_model import model_of_graphs
from USLabelEfficientSegLib.imaging.files import find_images, read_label_map, read_volume
from USLabelEfficientSegLib.imaging.simulator.files import simulate_files
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.study.settings import changed, preset
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.training import precision

CPU = torch.device("cpu")
SHAPE, SPACING = (64, 64, 48), (1.5, 1.5, 2.0)
MOST_VOXELS, MOST_VOLUME = 1e-4, 1e-3  # that may differ: shares
SHORT: dict[str, Any] = {
    "working_grid.max_voxels": 40,
    "teacher.steps": 40,
    "teacher.slice_size": 64,
    "slice_head.steps": 40,
    "slice_network.max_voxels": 64,
    "slice_network.steps": 200,
    "student.window": 40,
    "student.widths": [8, 16, 32],
    "student.steps": 120,
    "student.label_steps": 120,
    "student.members": 1,
    "student.rounds": 1,
}

Results = dict[str, tuple[NDArray[np.uint8], Mapping[str, float]]]
"""Label map and organs' volumes in ml of each volume."""


@dataclass(frozen=True)
class Difference:
    """Of two ways to segment the same volumes.

    Attributes:
        voxels: the share of voxels that differ, of the volume where it is largest.
        all_voxels: the same of all volumes together.
        volume: the largest relative difference of an organ's volume.
    """

    voxels: float
    all_voxels: float
    volume: float

    @property
    def within(self) -> bool:
        """Whether it is as small as promised."""
        return self.voxels <= MOST_VOXELS and self.volume <= MOST_VOLUME

    def __str__(self) -> str:
        told = f"{self.voxels:.1e} of the voxels of a volume, {self.all_voxels:.1e} of all, volumes {self.volume:.3%}"
        return f"{told}: {'within' if self.within else 'NOT within'} 1e-4 and 0.1 %"


def difference(expected: Results, found: Results) -> Difference:
    """How far two sets of segmentations are from each other."""
    assert expected.keys() == found.keys()
    shares, volumes = [], []
    for name, (voxels, volumes_ml) in expected.items():
        shares.append(float((voxels != found[name][0]).mean()))
        volumes += [abs(found[name][1][organ] / ml - 1) for organ, ml in volumes_ml.items() if ml]
    return Difference(max(shares), sum(shares) / len(shares), max(volumes))


def trained(folder: Path, changes: Mapping[str, Any]) -> SegmentationModel:
    """A model of six simulated volumes, a tenth of their slices labelled."""
    data = simulate_files(folder / "training", range(6), shape=SHAPE, spacing=SPACING)
    study = Study.create(folder / "study", data / "images", data / "labels", label_fraction=0.1)
    model = train(study, changed(preset("quick"), {**SHORT, **changes}), CPU)
    assert model is not None and model.slices is not None
    return model


def by_model(model: SegmentationModel, images: Path) -> Results:
    """Segment with the networks, or with what stands in their place."""
    found: Results = {}
    for name, path in find_images(images).items():
        prediction = model.predict(read_volume(path), CPU)
        found[name] = prediction.labels().voxels, dict(zip(model.organs, prediction.volumes_ml(), strict=True))
    return found


def by_command(words: list[str], output: Path, where: Path) -> Results:
    """Segment with a command, in a process of its own."""
    subprocess.run([sys.executable, "-m", *words], cwd=where, check=True, stdout=subprocess.DEVNULL)
    found: Results = {}
    for record in sorted(output.glob("*_measurements.json")):
        name = record.name.removesuffix("_measurements.json")
        organs = json.loads(record.read_text(encoding="utf-8"))["measurements"]
        volumes = {organ["organ"]: float(organ["volume_ml"]) for organ in organs}
        found[name] = read_label_map(output / f"{name}.nrrd").voxels, volumes
    return found


@contextmanager
def in_float32() -> Iterator[None]:
    """Networks compute as graphs do, also where the processor has bfloat16."""
    known = precision.cpu_has_bfloat16
    precision.cpu_has_bfloat16 = lambda: False
    try:
        yield
    finally:
        precision.cpu_has_bfloat16 = known


def measured(folder: Path, model: SegmentationModel, volumes: int) -> Iterator[tuple[str, Difference]]:
    """Every comparison, one after the other."""
    images = simulate_files(folder / "new", range(700, 700 + volumes), shape=SHAPE, spacing=SPACING) / "images"
    file, bundle, graphs = folder / "model.safetensors", folder / "bundle", folder / "graphs"
    model.save(file)
    export_model(file, bundle, "monai-bundle")
    export_model(file, graphs, "onnx")

    words = ["USLabelEfficientSegLib.cli", "segment", str(file), str(images), "--device", "cpu", "--quiet"]
    command = by_command([*words, "--output", str(folder / "by command")], folder / "by command", folder)
    words = ["monai.bundle", "run", "--config_file", "configs/inference.json", "--device", "cpu"]
    words += ["--dataset_dir", str(images), "--output_dir", str(folder / "by bundle")]
    yield "bundle, against segment", difference(command, by_command(words, folder / "by bundle", bundle))

    by_graphs = by_model(model_of_graphs(model, graphs), images)
    with in_float32():
        yield "graphs, against networks in float32", difference(by_model(model, images), by_graphs)
    yield "graphs, against segment", difference(command, by_graphs)


def run(arguments: argparse.Namespace) -> None:
    """Train, export, segment, compare."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.model is not None:
            model = SegmentationModel.load(arguments.model)
        else:
            model = trained(folder, {"slice_network.adaptation": arguments.adaptation})
        print(f"{len(model.networks)} students, {len(graphs_of(model))} graphs, weights {model.weights}")
        for what, found in measured(folder, model, arguments.volumes):
            print(f"{what}: {found}", flush=True)


def command_line() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=int, default=20)
    parser.add_argument("--model", type=Path, help="a file model.safetensors; by default a small one is trained")
    parser.add_argument("--adaptation", type=float, default=0.8, help="of the model that is trained")
    return parser


if __name__ == "__main__":
    training_options.main(command_line(), run)
