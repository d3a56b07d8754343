"""Take the screenshots of the Slicer module: the real panel and real slice views, outside Slicer.

The module is driven by clicks through a whole study on simulated volumes, from loading them to reopening the saved
scene; what a user would paint is copied from the simulator's true labels. Pictures go to `Resources/Screenshots`.
Needs the extra `test`; takes some minutes.
Run as `python docs/figures/slicer_screenshots.py` with the library installed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "Testing"))

import slicer_host as host  # noqa: E402

host.start()  # what follows needs Slicer's modules

import qt  # noqa: E402
import slicer  # noqa: E402

from USLabelEfficientSegLib.imaging.simulator import simulate_volume  # noqa: E402
from USLabelEfficientSegLib.slicer_side.segmentation_nodes import (  # noqa: E402
    labelsOfSlice,
    organsNamed,
    setSliceLabels,
)
from USLabelEfficientSegLib.slicer_side.simulated_data import ORGANS  # noqa: E402
from USLabelEfficientSegLib.slicer_side.slice_views import showSlice  # noqa: E402
from USLabelEfficientSegLib.slicer_side.study_nodes import RESULT, UNCERTAINTY, madeFor, volumeOf  # noqa: E402
from USLabelEfficientSegLib.study.stages import Stage  # noqa: E402

SCREENSHOTS = ROOT / "Resources" / "Screenshots"
MODULE = ROOT / "USLabelEfficientSeg" / "USLabelEfficientSeg.py"
STEPS = ("data", "label", "train", "results")
PATIENCE_S = 3600
# A small study needs less training than the preset gives.
SETTINGS = (
    "working_grid.max_voxels=32 student.window=32 teacher.steps=60 slice_head.steps=60 student.steps=40 "
    "student.label_steps=1500 student.label_steps_from=1 slice_network.steps=100"
)
PAINTED_SLICES = 4
UNLABELLED_CASE = 5  # the volume that is looked at, none of whose slices is labelled


class Tour:
    """The panel, clicked through from top to bottom."""

    def __init__(self) -> None:
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

    def in_the_middle_of(self, stage: Stage) -> bool:
        """Whether half of a training stage is done."""
        if self.idle():
            raise RuntimeError(f"{stage}: {self.ui.trainStatus.text}")
        current = self.panel.train.monitor.current
        return current is not None and current.stage is stage and current.step * 2 >= current.of

    def show(self, volume_node: Any, position: np.ndarray, red_axis: int = 2) -> None:
        """Let the three slice views of a volume cross in a voxel, the red one across an axis of the volume."""
        slicer.util.setSliceViewerLayers(background=volume_node)
        axes = [red_axis, *(axis for axis in range(3) if axis != red_axis)]
        for name, axis in zip(("Red", "Yellow", "Green"), axes, strict=True):
            view = slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()
            showSlice(view, volume_node, axis, int(position[axis]))

    def picture(self, name: str, *steps: str) -> None:
        """Write NAME.png with only these steps of the panel open."""
        for step in STEPS:
            getattr(self.ui, f"{step}Step").collapsed = step not in steps
        host.process_events(0.2)
        host.render_window(self.widget, SCREENSHOTS / f"{name}.png")


@cache
def truth_of(volume_node: Any) -> np.ndarray:
    """The true labels of a simulated volume, on its grid."""
    subject = int(volume_node.GetName()[-4:])
    case = simulate_volume(
        subject,
        shape=volume_node.GetImageData().GetDimensions(),
        spacing=volume_node.GetSpacing(),
        probe=("good", "medium")[subject % 2],
        organ_count=len(ORGANS),
    )
    if not np.array_equal(case.volume.voxels.T, slicer.util.arrayFromVolume(volume_node)):
        raise RuntimeError(f"{volume_node.GetName()} is simulated in another way")
    return case.label_map.voxels


def middle_of(volume_node: Any) -> np.ndarray:
    """The voxel in the middle of the first organ."""
    return np.argwhere(truth_of(volume_node) == 1).mean(axis=0).round().astype(int)


def at_slice(volume_node: Any, axis: int, index: int) -> np.ndarray:
    """The voxel of a slice that lies above the middle of the first organ."""
    voxel = middle_of(volume_node)
    voxel[axis] = index
    return voxel


def paint(segmentation: Any, volume_node: Any, axis: int, index: int) -> None:
    """What a user does with the brush: a slice as it truly is."""
    labels = truth_of(volume_node).take(index, axis=axis)
    setSliceLabels(segmentation, volume_node, organsNamed(ORGANS), axis, index, labels)


def data(tour: Tour) -> None:
    """Load six volumes and make a study of them."""
    tour.click("exampleButton")
    tour.ui.studyFolderEdit.currentPath = "prostate study"
    tour.click("studyButton")
    volume_node = slicer.util.getNode("simulated_0000")
    labelled = tour.panel.session.labelling("simulated_0000").items()[-1]  # the example comes with labels
    tour.show(volume_node, at_slice(volume_node, labelled.axis, labelled.index))
    tour.picture("data", "data")


def labels(tour: Tour) -> None:
    """Label slices that the panel suggests; the picture shows the last one."""
    panel, painted = tour.panel, 0
    tour.click("keepSliceButton")  # leads to the first slice
    while True:
        volume_node = panel.session.volumeNode(panel.labels.case)
        axis, index = panel.labels.shown_slice()
        if not truth_of(volume_node).take(index, axis=axis).any():
            tour.click("emptySliceButton")
            continue
        paint(panel.labels.editor.segmentationNode(), volume_node, axis, index)
        painted += 1
        if painted == PAINTED_SLICES:
            break
        tour.click("keepSliceButton")
    tour.show(volume_node, at_slice(volume_node, axis, index), axis)
    tour.picture("labels", "label")
    tour.click("keepSliceButton")


def train(tour: Tour) -> None:
    """Train, cancel, resume; meanwhile look at a volume without labels."""
    tour.ui.labelTable.selectRow(UNLABELLED_CASE)
    volume_node = slicer.util.getNode(f"simulated_{UNLABELLED_CASE:04d}")
    tour.show(volume_node, middle_of(volume_node))
    tour.ui.changesEdit.text = SETTINGS
    tour.click("trainButton", until=lambda: tour.in_the_middle_of(Stage.SUPERVISED))
    tour.picture("train", "train")
    tour.click("cancelTrainButton")
    tour.picture("cancelled", "train")
    tour.click("trainButton", until=lambda: tour.in_the_middle_of(Stage.SUPERVISED))
    tour.picture("resumed", "train")
    tour.wait(tour.idle)


def segment(tour: Tour) -> None:
    """Find the organs in all volumes, and show where the module is not sure."""
    for row in range(tour.ui.segmentList.count):
        tour.ui.segmentList.item(row).setCheckState(qt.Qt.Checked)
    tour.click("segmentButton")
    volume_node = slicer.util.getNode(f"simulated_{UNLABELLED_CASE:04d}")
    tour.show(volume_node, middle_of(volume_node))
    (uncertainty,) = madeFor(volume_node, UNCERTAINTY)
    slicer.util.setSliceViewerLayers(foreground=uncertainty, foregroundOpacity=0.5)
    tour.picture("segment", "results")
    slicer.util.setSliceViewerLayers(foreground=None)


def measure(tour: Tour) -> None:
    """Organ volumes, one row clicked."""
    tour.click("measureButton")
    click_row(tour)
    tour.picture("segmentation", "results")


def click_row(tour: Tour) -> None:
    """Click a row of the table of volumes: the views show this volume and its segmentation."""
    row = UNLABELLED_CASE * len(ORGANS)
    tour.ui.volumesTable.selectRow(row)
    tour.ui.volumesTable.cellClicked.emit(row, 0)
    volume_node = slicer.util.getNode(f"simulated_{UNLABELLED_CASE:04d}")
    tour.show(volume_node, middle_of(volume_node))


def correct(tour: Tour) -> None:
    """Correct the slice that is wrong in the most voxels, and make it a label."""
    organs = organsNamed(ORGANS)
    result = max(madeFor(None, RESULT), key=lambda node: wrong_voxels(node, organs).max())
    index = int(wrong_voxels(result, organs).argmax())
    volume_node = volumeOf(result)
    tour.panel.signals.correction_wanted.emit(volume_node, 2, index)
    tour.show(volume_node, at_slice(volume_node, 2, index))
    tour.picture("correct", "label")
    paint(tour.panel.labels.editor.segmentationNode(), volume_node, 2, index)
    tour.picture("improve", "label")
    tour.click("keepSliceButton")


def wrong_voxels(result: Any, organs: list[Any]) -> np.ndarray:
    """How many voxels of each slice across the third axis a result has wrong."""
    volume_node = volumeOf(result)
    truth = truth_of(volume_node)
    found = [labelsOfSlice(result, volume_node, organs, 2, index) for index in range(truth.shape[2])]
    return np.count_nonzero(np.stack(found, axis=2) != truth, axis=(0, 1))


def retrain(tour: Tour) -> None:
    """Go on with training, and segment and measure anew."""
    tour.picture("retrain", "train")
    tour.click("trainButton")
    slicer.util.confirmYesNoDisplay = lambda *_, **__: True  # the earlier segmentations are replaced
    tour.click("segmentButton")
    tour.click("measureButton")


def reopen(tour: Tour) -> None:
    """Save the scene; open it, and then the module, as in a Slicer that was just started."""
    click_row(tour)
    slicer.util.saveScene("prostate.mrb")
    host.close_module(MODULE)
    host.clear_scene()
    slicer.util.loadScene("prostate.mrb")
    tour = Tour()
    tour.ui.labelTable.selectRow(0)
    labelled = tour.panel.session.labelling("simulated_0000").items()[-1]
    volume_node = slicer.util.getNode("simulated_0000")
    tour.show(volume_node, at_slice(volume_node, labelled.axis, labelled.index))
    tour.picture("reopened-labels", "label")
    click_row(tour)
    tour.picture("reopened", "data", "results")


def main() -> None:
    """Click through a study and take the pictures."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    tour = Tour()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # pictures show the name of the study, not where this computer keeps it
        for step in (data, labels, train, segment, measure, correct, retrain, reopen):
            step(tour)
        os.chdir(ROOT)


if __name__ == "__main__":
    main()
