"""How far the segmentations of an exported model are from those of `uslabelseg segment`, on simulated scans.

    python benchmarks/exchange.py --volumes 20
    python benchmarks/exchange.py --volumes 20 --set slice_network.steps=0
    python benchmarks/exchange.py --volumes 20 --kind images

Trains a small model, or takes that of `--model`, exports it as a MONAI bundle and as ONNX graphs, and segments new
volumes, or 2-D images, in every way: by the command, by MONAI's `bundle run`, and with the graphs in place of the
networks. All compute on the CPU in float32. Without steps of 2-D networks, 3-D students segment.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import training_options
from numpy.typing import NDArray

from USLabelEfficientSegLib.command_line.options import parse_changes
from USLabelEfficientSegLib.exchange.exporting import export_model
from USLabelEfficientSegLib.exchange.graphs import graphs_of
from USLabelEfficientSegLib.exchange.onnx_model import model_of_graphs
from USLabelEfficientSegLib.imaging.files import read_label_map
from USLabelEfficientSegLib.imaging.image_files import read_image_labels
from USLabelEfficientSegLib.imaging.pixel_sizes import read_pixel_sizes
from USLabelEfficientSegLib.imaging.scan_files import images_by_name
from USLabelEfficientSegLib.imaging.simulator.files import simulate_files
from USLabelEfficientSegLib.measurement.segmenting import segment_and_measure
from USLabelEfficientSegLib.method.images import train_images
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.segmentation.loading import TrainedModel, load_model
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.study.settings import Settings, changed, preset
from USLabelEfficientSegLib.study.study import Study

sys.path.insert(0, str(Path(__file__).parents[1] / "Testing"))

CPU = torch.device("cpu")
PIXEL_SIZE = 0.3  # mm, of simulated images
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
SHORT_IMAGES: dict[str, Any] = {"divergence.image_size": 64, "divergence.steps": 120}

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


def trained(folder: Path, kind: str, changes: Mapping[str, Any]) -> TrainedModel:
    """A model of six simulated volumes, a tenth of their slices labelled; or of eight images, half of them labelled."""
    if kind == "images":
        from simulated_heads import TINY_TRAINING, write_heads

        sizes = write_heads(folder / "training", 8)
        images, masks = folder / "training" / "images", folder / "training" / "masks"
        table = read_pixel_sizes(folder / "training" / "sizes.csv")
        assert len(sizes) == 8
        study = Study.create(folder / "study", images, masks, organs=["head"], label_fraction=0.5, pixel_sizes=table)
        return train_images(study, changed(Settings(), {**TINY_TRAINING, **SHORT_IMAGES, **changes}), CPU)
    data = simulate_files(folder / "training", range(6), shape=SHAPE, spacing=SPACING)
    study = Study.create(folder / "study", data / "images", data / "labels", label_fraction=0.1)
    model = train(study, changed(preset("quick"), {**SHORT, **changes}), CPU)
    assert model is not None
    return model


def new_scans(folder: Path, kind: str, count: int) -> Path:
    """A folder of scans that no model has seen."""
    if kind == "images":
        from simulated_heads import write_heads

        write_heads(folder, count, seed=700, prefix="new", shape=(192, 256))
        return folder / "images"
    return simulate_files(folder, range(700, 700 + count), shape=SHAPE, spacing=SPACING) / "images"


def by_command(words: list[str], output: Path, where: Path) -> Results:
    """Segment with a command, in a process of its own."""
    subprocess.run([sys.executable, "-m", *words], cwd=where, check=True, stdout=subprocess.DEVNULL)
    return results_in(output)


def by_model(model: TrainedModel, images: Path, output: Path) -> Results:
    """Segment with what stands in the networks' place."""
    for _ in segment_and_measure(
        model, images_by_name([images], model.dimension), output, CPU, pixel_sizes=read_pixel_sizes(None, PIXEL_SIZE)
    ):
        pass
    return results_in(output)


def results_in(output: Path) -> Results:
    """The label maps in a folder, with the volume of every organ in ml, or its area in mm2."""
    found: Results = {}
    for record in sorted(output.glob("*_measurements.json")):
        name = record.name.removesuffix("_measurements.json")
        organs = json.loads(record.read_text(encoding="utf-8"))["measurements"]
        read = read_label_map if "volume_ml" in organs[0] else read_image_labels
        sizes = {organ["organ"]: float(organ["volume_ml" if "volume_ml" in organ else "area_mm2"]) for organ in organs}
        found[name] = read(output / f"{name}.nrrd").voxels, sizes
    return found


def measured(folder: Path, model: TrainedModel, kind: str, scans: int) -> Iterator[tuple[str, Difference]]:
    """Every comparison, one after the other."""
    images = new_scans(folder / "new", kind, scans)
    file, bundle, graphs = folder / "model.safetensors", folder / "bundle", folder / "graphs"
    model.save(file)
    export_model(file, bundle, "monai-bundle")
    export_model(file, graphs, "onnx")
    (folder / "by command").mkdir()

    words = ["USLabelEfficientSegLib.cli", "segment", str(file), str(images), "--device", "cpu", "--quiet"]
    words += ["--pixel-size", str(PIXEL_SIZE)] if kind == "images" else []
    command = by_command([*words, "--output", str(folder / "by command")], folder / "by command", folder)
    assert len(command) == scans
    words = ["monai.bundle", "run", "--config_file", "configs/inference.json", "--device", "cpu"]
    words += ["--dataset_dir", str(images), "--output_dir", str(folder / "by bundle")]
    words += ["--pixel_size", str(PIXEL_SIZE)] if kind == "images" else []
    yield "bundle, against segment", difference(command, by_command(words, folder / "by bundle", bundle))

    by_graphs = by_model(model_of_graphs(model, graphs), images, folder / "by graphs")
    yield "graphs, against segment", difference(command, by_graphs)


def run(arguments: argparse.Namespace) -> None:
    """Train, export, segment, compare."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.model is not None:
            model = load_model(arguments.model)
        else:
            model = trained(folder, arguments.kind, parse_changes(arguments.set))
        kind = "images" if model.dimension == 2 else "volumes"
        print(f"{arguments.volumes} {kind}, graphs: {', '.join(graph.name for graph in graphs_of(model))}")
        if isinstance(model, SegmentationModel):
            print(f"weights of the votes: {model.weights}")
        for what, found in measured(folder, model, kind, arguments.volumes):
            print(f"{what}: {found}", flush=True)


def command_line() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=int, default=20)
    parser.add_argument("--kind", choices=("volumes", "images"), default="volumes", help="of the model that is trained")
    parser.add_argument("--model", type=Path, help="a study or model file; by default a small one is trained")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of its training")
    return parser


if __name__ == "__main__":
    training_options.main(command_line(), run)
