"""Time and memory of segmenting a whole volume with a model of a preset, beside the published network.

    python benchmarks/whole_volume.py --shapes 256x256x256,512x512x400

Each volume is segmented in a process of its own: from voxels in memory to the label map. The weights are random:
they do not change time or memory. The published student (see `student/published.py`) is timed on one block of 16
slices of 256 x 256, its unit of inference, and scaled to 256 slices.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
import torch
from numpy.typing import NDArray

from USLabelEfficientSegLib.command_line.options import parse_changes
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.resampling import resample_slab
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.segmentation.inference import predict
from USLabelEfficientSegLib.segmentation.model import SegmentationModel, choose_device
from USLabelEfficientSegLib.segmentation.slice_voters import SliceVoter, SliceVoters
from USLabelEfficientSegLib.slice_network.network import SliceUNet
from USLabelEfficientSegLib.student.build import StudentDesign, build_student
from USLabelEfficientSegLib.student.published import PublishedStudent
from USLabelEfficientSegLib.study.setting_sections import SliceNetworkSettings
from USLabelEfficientSegLib.study.settings import Settings, changed, preset
from USLabelEfficientSegLib.training.memory import tune_memory

ORGANS = ("organ 1", "organ 2")
BLOCK = (16, 256, 256)
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


def random_model(settings: Settings) -> SegmentationModel:
    """A model as the preset trains it, untrained; mirror images vote along one axis."""
    torch.manual_seed(0)
    design = StudentDesign(
        network=settings.student.network,
        classes=len(ORGANS) + 1,
        spacing=(1.0, 1.0, 1.0),
        slice_axis=2,
        widths=settings.student.widths,
    )
    return SegmentationModel(
        tuple(build_student(design) for _ in range(settings.student.members)),
        design,
        ORGANS,
        settings.working_grid.max_voxels,
        settings.student.window,
        settings.segmentation.overlap,
        mirrored_axes=(0,),
        slices=random_slice_networks(settings.slice_network) if settings.slice_network.steps else None,
    )


def random_slice_networks(settings: SliceNetworkSettings) -> SliceVoters:
    """A 2-D network along the slice axis, as if labels lay along it alone, untrained."""
    network = SliceUNet(len(ORGANS) + 1, widths=settings.widths)
    return SliceVoters((SliceVoter(network, 2, settings.max_voxels),), settings.max_voxels, settings.widths)


def speckled_volume(shape: tuple[int, int, int]) -> Scan:
    """Bytes of speckle over smooth shapes, made slab by slab so that making them takes little memory."""
    random = np.random.default_rng(0)
    shapes = random.random((1, 6, 6, 6), dtype=np.float32)
    voxels: NDArray[np.uint8] = np.empty(shape, dtype=np.uint8)
    for k in range(shape[2]):
        tissue = 30 + 120 * resample_slab(shapes, shape, k, k + 1)[0, :, :, 0]
        voxels[:, :, k] = np.clip(tissue * (0.5 + 0.5 * random.random(shape[:2], dtype=np.float32)), 0, 255)
    return Scan(voxels, Geometry(shape, (0.5, 0.5, 0.5), (0.0, 0.0, 0.0), np.eye(3)), "speckle")


def segment(shape: tuple[int, int, int], settings: Settings, device: str) -> dict[str, float]:
    """Seconds and peak memory in GiB of one segmentation; the process does nothing else."""
    tune_memory()
    model, volume = random_model(settings), speckled_volume(shape)
    started = time.monotonic()
    label_map = predict(model, volume, choose_device(device)).labels()
    seconds = time.monotonic() - started
    assert label_map.voxels.shape == shape
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT
    return {"seconds": seconds, "peak_gib": peak / 2**30}


@torch.inference_mode()
def published_seconds(slices: int, device: str) -> float:
    """Seconds of the published student for so many slices of 256 x 256, from one block."""
    where = choose_device(device)
    network = PublishedStudent().to(where).eval()
    block = torch.randn(1, 1, *BLOCK, device=where)
    started = time.monotonic()
    network(block).sum().item()
    return (time.monotonic() - started) * slices / BLOCK[0]


def parse_shape(text: str) -> tuple[int, int, int]:
    """(256, 256, 256) of 256x256x256."""
    i, j, k = (int(part) for part in text.split("x"))
    return i, j, k


def main() -> None:
    """Time every shape in its own process, and the published network in this one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default="256x256x256,512x512x400")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--skip-published", action="store_true")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    settings = changed(preset(arguments.preset), parse_changes(arguments.set))
    if arguments.one:
        print(json.dumps(segment(parse_shape(arguments.shapes), settings, arguments.device)))
        return

    common = [sys.executable, __file__, "--one", "--preset", arguments.preset, "--device", arguments.device]
    for change in arguments.set:
        common += ["--set", change]
    for shape in arguments.shapes.split(","):
        child = subprocess.run([*common, "--shapes", shape], stdout=subprocess.PIPE, text=True, check=True)
        result = json.loads(child.stdout)
        print(f"{shape}, {arguments.preset}: {result['seconds']:.1f} s, peak {result['peak_gib']:.2f} GiB", flush=True)
    if not arguments.skip_published:
        seconds = published_seconds(256, arguments.device)
        print(f"256x256x256, published student, from one block of 16 slices: {seconds:.0f} s")


if __name__ == "__main__":
    main()
