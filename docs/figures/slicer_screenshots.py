"""Take the screenshots of the Slicer module: the real panel and real slice views, outside Slicer.

The module is driven by clicks through a whole study on simulated volumes, from loading them to correcting what the
model finds; what a user would paint is copied from the simulator's true labels. Pictures go to `Resources/Screenshots`.
Needs the extra `test`; takes some minutes.
Run as `python docs/figures/slicer_screenshots.py` with the library installed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "Testing"))

import slicer_host as host  # noqa: E402

host.start()  # what follows needs Slicer's modules

import slicer  # noqa: E402

from USLabelEfficientSegLib.imaging.simulator import simulate_volume  # noqa: E402
from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import (  # noqa: E402
    organsNamed,
    setSliceLabels,
)
from USLabelEfficientSegLib.slicer_side.nodes.simulated_data import ORGANS  # noqa: E402
from USLabelEfficientSegLib.slicer_side.nodes.slice_views import showSlice  # noqa: E402

SCREENSHOTS = ROOT / "Resources" / "Screenshots"
MODULE = ROOT / "USLabelEfficientSeg" / "USLabelEfficientSeg.py"
STUDIES = Path(tempfile.gettempdir()) / "studies"
STEPS = ("data", "label", "train", "results")
PATIENCE_S = 3600
# A small study needs less training than the preset gives.
SETTINGS = (
    "working_grid.max_voxels=32 student.window=32 teacher.steps=60 slice_head.steps=60 student.steps=40 "
    "student.label_steps=800 student.label_steps_from=1 slice_network.steps=100"
)
PAINTED_SLICES = 4
WATCHED_CASE = 5  # the volume that is looked at while training runs


@contextmanager
def empty_studies() -> Iterator[None]:
    """A folder for studies, whose name can be read in pictures; it is removed at the end."""
    STUDIES.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(STUDIES, ignore_errors=True)


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
        """Whether no job runs, nor what the resident worker does beside."""
        outlining = self.panel.labels.outline.busy
        return not (self.panel.runner.busy or self.panel.logic.aside.busy or outlining)

    def half_done(self) -> bool:
        """Whether more than half of the training is done."""
        if self.idle():
            raise RuntimeError(f"the training was over before it was seen: {self.ui.trainStatus.text}")
        return bool(self.ui.totalBar.value > 55)

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

    def panel_picture(self, name: str) -> None:
        """Write NAME.png of the whole panel as it is open now, however high it is."""
        host.render_panel(self.widget, SCREENSHOTS / f"{name}.png")


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


def opened(tour: Tour) -> None:
    """The panel as it opens: the first step alone."""
    tour.picture("opened", "data")


def data(tour: Tour) -> None:
    """Load six volumes and make a study of them."""
    tour.click("exampleButton")
    tour.ui.studyFolderEdit.currentPath = str(STUDIES / "prostate study")
    tour.click("studyButton")
    volume_node = slicer.util.getNode("simulated_0000")
    labelled = tour.panel.session.labels.of("simulated_0000").items()[-1]  # the example comes with labels
    tour.show(volume_node, at_slice(volume_node, labelled.axis, labelled.index))
    tour.picture("data", "data")


def labels(tour: Tour) -> None:
    """Label slices that the panel suggests; the picture shows the last one before it is kept."""
    painted = 0
    tour.click("keepSliceButton")  # no slice is shown yet: it shows the first one
    while painted < PAINTED_SLICES:
        if not paint_shown(tour):
            tour.click("emptySliceButton")
            continue
        painted += 1
        if painted == PAINTED_SLICES:
            host.process_events(0.2)
            tour.wait(tour.idle)  # the outline of what was painted
            tour.picture("labels", "label")
        tour.click("keepSliceButton")


def paint_shown(tour: Tour) -> bool:
    """Paint the slice that is shown as it truly is; returns whether it shows an organ."""
    editing, (axis, index) = tour.panel.labels, tour.panel.labels.shown_slice()
    volume_node = tour.panel.session.volumeNode(editing.case)
    paint(editing.editor.segmentationNode(), volume_node, axis, index)
    tour.show(volume_node, at_slice(volume_node, axis, index), axis)
    return bool(truth_of(volume_node).take(index, axis=axis).any())


def train(tour: Tour) -> None:
    """Train, cancel, resume; meanwhile look at a volume."""
    tour.ui.labelTable.selectRow(WATCHED_CASE)
    volume_node = slicer.util.getNode(f"simulated_{WATCHED_CASE:04d}")
    tour.show(volume_node, middle_of(volume_node))
    tour.ui.changesEdit.text = SETTINGS
    tour.click("trainButton", until=tour.half_done)
    tour.picture("train", "train")
    tour.click("cancelTrainButton")
    tour.picture("cancelled", "train")
    tour.click("trainButton")


def results(tour: Tour) -> None:
    """What training leaves: organ volumes, a row clicked, and where the model is not sure."""
    click_row(tour)
    tour.picture("segmentation", "results")
    tour.panel_picture("results")
    tour.ui.uncertaintyCheckBox.checked = True
    host.process_events(0.3)
    tour.picture("segment", "results")
    tour.ui.uncertaintyCheckBox.checked = False


def click_row(tour: Tour) -> None:
    """Click the first row of the table of volumes: the views show the slice where the model is least sure."""
    tour.ui.volumesTable.selectRow(0)
    tour.ui.volumesTable.cellClicked.emit(0, 0)
    host.process_events(0.3)


def correct(tour: Tour) -> None:
    """The next slices come with the model's outline: one is shown before and after it was corrected."""
    tour.click("nextSliceButton")
    volume_node = tour.panel.session.volumeNode(tour.panel.labels.case)
    axis, index = tour.panel.labels.shown_slice()
    tour.show(volume_node, at_slice(volume_node, axis, index), axis)
    tour.picture("correct", "label")
    paint_shown(tour)
    tour.picture("improve", "label")
    tour.click("keepSliceButton")
    tour.picture("retrain", "train")
    slicer.util.confirmYesNoDisplay = lambda *_, **__: True  # the earlier segmentations are replaced
    tour.click("trainButton")


def main() -> None:
    """Click through a study and take the pictures."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    tour = Tour()
    with empty_studies():
        for step in (opened, data, labels, train, results, correct):
            step(tour)


if __name__ == "__main__":
    main()
