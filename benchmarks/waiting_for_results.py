"""How long the event loop of Slicer waits for the panel where volumes are large, and how long closing takes.

In the test host, a volume has three organs: half of a ball that nearly fills it, a body of lumps with as much surface
as any, and a small ball. Measured is every slot of the module while their surfaces are made, the volumes measured, a
table saved and a report written: the longest one, and the processor time that it took itself (a busy computer prolongs
only the former). Then the scene is closed, and the module unloaded, while nothing runs, while a report is written, and
while a training runs that does not stop when it is asked to.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/waiting_for_results.py --voxels 256
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

sys.path.insert(0, str(Path(__file__).parents[1] / "Testing"))

import slicer_host as host
from random_studies import make_study
from random_user import child_processes
from slicer_host import blocking
from test_measure_section import measured

MODULE = Path(__file__).parents[1] / "USLabelEfficientSeg" / "USLabelEfficientSeg.py"
NAME = "USLabelEfficientSeg"
ORGANS = ["half", "lumps", "small"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voxels", type=int, default=256, help="an axis")
    options = parser.parse_args()
    host.start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        panel = opened()
        result = simulated_result(options.voxels)
        wait_for_results(panel, result, Path(folder))
        closing("scene closed", lambda: host.clear_scene())
        closing("module unloaded", lambda: host.close_module(MODULE))
        panel = opened()
        simulated_result(options.voxels)
        panel.ui.reportButton.click()
        host.process_events(0.2)
        closing("module unloaded while a report is begun", lambda: host.close_module(MODULE))
        for what, close in (("scene closed", host.clear_scene), ("module unloaded", lambda: host.close_module(MODULE))):
            host.clear_scene()
            panel = opened()
            train(panel, Path(folder) / what)
            closing(f"{what} while a stubborn training runs", close)
            host.close_module(MODULE)
            assert child_processes() == []
    assert not host.errors, host.errors


def opened() -> Any:
    """The panel of the module."""
    import slicer

    widget = host.load_module(MODULE)
    slicer.util.selectModule("Data")
    slicer.util.selectModule(NAME)
    return widget.panel


def simulated_result(voxels: int) -> Any:
    """A volume of so many voxels an axis, and the segmentation node of its organs as a model would have left it."""
    from USLabelEfficientSegLib.imaging.geometry import Geometry
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed, segmentationFromLabelMap
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, attach
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import nodeFromVoxels
    from USLabelEfficientSegLib.slicer_side.results.node_measurements import digest, keepMeasured

    geometry = Geometry((voxels,) * 3, (128 / voxels,) * 3, (0.0, 0.0, 0.0), np.eye(3))
    i, j, k = (axis / voxels - 0.5 for axis in np.ogrid[:voxels, :voxels, :voxels])
    radius = np.sqrt(i**2 + j**2 + k**2)
    noise = np.random.default_rng(0).normal(size=geometry.shape).astype(np.float32)
    lumps = gaussian_filter(noise, 3 * voxels / 256)
    labels = np.zeros(geometry.shape, np.uint8)
    labels[(radius < 0.43) & (i < -0.02)] = 1
    labels[(radius < 0.43) & (i > 0.02) & (lumps > 0)] = 2
    labels[radius < 0.08] = 3
    grey = np.clip(100 + 20 * lumps / lumps.std(), 1, 255).astype(np.uint8)
    volume = nodeFromVoxels("scan", grey, geometry)
    node = segmentationFromLabelMap(labels, volume, organsNamed(ORGANS), "scan segmentation")
    attach(node, volume, RESULT)
    masks = {organ: labels == label for label, organ in enumerate(ORGANS, start=1)}
    ml = {organ: float(mask.sum()) * geometry.voxel_volume_ml for organ, mask in masks.items()}
    rows = [
        replace(measured(organ, ml[organ], interval_ml=(0.9 * ml[organ], 1.1 * ml[organ])), label=label)
        for label, organ in enumerate(ORGANS, start=1)
    ]
    keepMeasured(node, rows, {organ: digest(mask) for organ, mask in masks.items()}, geometry.voxel_volume_ml)
    return node


def wait_for_results(panel: Any, result: Any, folder: Path) -> None:
    """Print how long the event loop waits for each thing that step 4 does."""
    import qt

    from USLabelEfficientSegLib.slicer_side.nodes.surfaces import makeSurfaces
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job

    qt.QFileDialog.getSaveFileName = lambda *_: str(folder / "report.html")
    qt.QDesktopServices.openUrl = lambda _url: None
    making = Job("Surfaces", lambda job: makeSurfaces(result), "segment")
    for what, begin in (
        ("surfaces of three organs", lambda: panel.run(making, panel.ui.resultsStatus, lambda job: "")),
        ("measuring", panel.ui.measureButton.click),
        ("saving the table", lambda: panel.measure._exports.save(folder / "volumes.csv")),
        ("writing the report", panel.ui.reportButton.click),
    ):
        blocking.longest.clear()
        began = time.perf_counter()
        begin()
        while panel.runner.busy:
            host.process_events(0.01)
        seconds = time.perf_counter() - began
        host.process_events(0.2)
        assert panel.runner.job.state == "done", panel.runner.job.sentence
        wall = max(one.seconds for one in blocking.longest)
        longest = max(blocking.longest, key=lambda one: one.own_seconds)
        print(f"{what}: {seconds:.2f} s; event loop blocked for {1000 * wall:.0f} ms at most")
        print(f"  {1000 * longest.own_seconds:.0f} ms of its own at most: {longest.slot}")


def train(panel: Any, folder: Path) -> None:
    """Begin a training whose processes do not stop when they are asked to."""
    make_study(folder / "study")
    panel.data.open(folder / "study")
    while panel.runner.busy:
        host.process_events(0.02)
    panel.ui.trainButton.click()
    while panel.train.monitor is None or not panel.train.monitor.started:
        host.process_events(0.02)
    for pid in child_processes():
        os.killpg(pid, signal.SIGSTOP)  # as one that hangs: only an end by force ends it


def closing(what: str, close: Callable[[], None]) -> None:
    """Print how long it takes."""
    began = time.perf_counter()
    close()
    print(f"{what}: {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main()
