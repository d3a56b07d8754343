"""Take the screenshots of the Slicer module: the real panel and real slice views, outside Slicer.

The module is driven by clicks through a whole study on simulated volumes: data, labels, training, segmentation,
corrections. Pictures go to `Resources/Screenshots`. Needs the extra `test`; takes some minutes.
Run as `python docs/figures/slicer_screenshots.py` with the library installed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "Testing"))

import slicer_host as host  # noqa: E402

SCREENSHOTS = ROOT / "Resources" / "Screenshots"
MODULE = ROOT / "USLabelEfficientSeg" / "USLabelEfficientSeg.py"
SECTIONS = ("data", "labels", "train", "segment", "measure", "improve")
PATIENCE_S = 3600
# A small study needs less training than the preset gives.
SETTINGS = "teacher.steps=150 slice_head.steps=150 student.steps=200 student.members=1 student.rounds=1"


class Tour:
    """The panel, clicked through from top to bottom."""

    def __init__(self) -> None:
        host.start()
        import slicer

        self.widget = host.load_module(MODULE)
        self.ui, self.panel = self.widget.ui, self.widget.panel
        slicer.util.selectModule("USLabelEfficientSeg")

    def click(self, name: str, until: Callable[[], bool] | None = None) -> None:
        """Click a button and wait: until the job is done, or until something is seen."""
        host.process_events(0.2)
        button = getattr(self.ui, name)
        if not button.enabled:
            raise RuntimeError(f"{name}: {button.toolTip}")
        button.click()
        host.process_events(0.2)
        self.wait(until or self.idle)

    def wait(self, until: Callable[[], bool]) -> None:
        """Let Slicer run until something has happened."""
        end = time.monotonic() + PATIENCE_S
        while not until():
            if host.errors or time.monotonic() > end:
                raise RuntimeError(host.errors[0] if host.errors else "this takes too long")
            host.process_events(0.05)

    def idle(self) -> bool:
        """Whether no job runs."""
        return not self.panel.runner.busy

    def show(self, case: str, organ_voxels: np.ndarray) -> None:
        """Let the three slice views cross in the middle of an organ."""
        import slicer

        from USLabelEfficientSegLib.slicer_side.slice_views import showSlice

        node = slicer.util.getNode(case)
        slicer.util.setSliceViewerLayers(background=node)
        centre = np.argwhere(organ_voxels).mean(axis=0).round().astype(int)
        for name, axis in (("Red", 2), ("Yellow", 0), ("Green", 1)):
            view = slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()
            showSlice(view, node, axis, int(centre[axis]))

    def picture(self, name: str, *sections: str) -> None:
        """Write NAME.png with only these sections of the panel open."""
        for section in SECTIONS:
            getattr(self.ui, f"{section}Section").collapsed = section not in sections
        host.process_events(0.1)
        host.render_window(self.widget, SCREENSHOTS / f"{name}.png")


def in_the_middle_of(stage: str, tour: Tour) -> bool:
    """Whether half of a training stage is done."""
    monitor = tour.panel.train.monitor
    current = monitor.current if monitor is not None else None
    return current is not None and current.name.startswith(stage) and current.step * 2 >= current.of


def main() -> None:
    """Click through a study and take the pictures."""
    import qt
    import slicer

    from USLabelEfficientSegLib.slicer_side.segmentation_nodes import organMasks, organsNamed

    host.start()  # what follows needs Slicer's modules
    from USLabelEfficientSegLib.slicer_side.simulated_data import ORGANS

    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    tour, organs = Tour(), organsNamed(ORGANS)

    def organ(segmentation: Any) -> np.ndarray:
        return organMasks(segmentation, slicer.util.getNode("simulated_0000"), organs)[ORGANS[0]]

    with tempfile.TemporaryDirectory() as folder:
        tour.click("exampleButton")
        os.chdir(folder)  # the picture shows the name of the study, not where this computer keeps it
        tour.ui.studyFolderEdit.currentPath = "prostate study"
        tour.click("studyButton")
        tour.show("simulated_0000", organ(slicer.util.getNode("simulated_0000 labels")))
        tour.picture("data", "data")
        tour.click("nextSliceButton")
        tour.ui.labelTable.selectRow(0)
        tour.show("simulated_0000", organ(slicer.util.getNode("simulated_0000 labels")))
        tour.picture("labels", "labels")
        tour.ui.changesEdit.text = SETTINGS
        tour.click("trainButton", until=lambda: in_the_middle_of("student", tour) or tour.idle())
        tour.picture("train", "train")
        tour.wait(tour.idle)
        for row in range(tour.ui.segmentList.count):
            tour.ui.segmentList.item(row).setCheckState(qt.Qt.Checked)
        tour.click("segmentButton")
        tour.show("simulated_0000", organ(slicer.util.getNode("simulated_0000 segmentation")))
        tour.click("measureButton")
        tour.ui.volumesTable.cellClicked.emit(0, 0)
        tour.show("simulated_0000", organ(slicer.util.getNode("simulated_0000 segmentation")))
        tour.picture("segmentation", "segment", "measure")
        tour.click("correctButton")
        tour.show("simulated_0000", organ(slicer.util.getNode("simulated_0000 segmentation")))
        tour.click("useSliceButton")
        tour.picture("improve", "labels", "improve")


if __name__ == "__main__":
    main()
