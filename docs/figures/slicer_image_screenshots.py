"""Take the screenshots of a study of 2-D images in the Slicer module, as `slicer_screenshots.py` does of volumes.

The images are simulated fetal heads; what a user would paint is their true mask. Takes some minutes.
Run as `python docs/figures/slicer_image_screenshots.py` with the library and its extra `test` installed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from slicer_screenshots import STUDIES, Tour, click_row, empty_studies, host

# isort: split
import qt
import SimpleITK
import slicer
from simulated_heads import write_heads
from slicer_host import hands

from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import setSliceLabels

HEADS, PAINTED = 16, 5
SHAPE = (144, 192)  # rows, columns
SETTINGS = (
    "divergence.image_size=64 divergence.steps=160 divergence.rounds=1 divergence.labelled_images=4 "
    "divergence.unlabelled_images=4"
)


def data(tour: Tour, images: Path) -> None:
    """Choose a folder of images, name the organ, and make a study of them."""
    qt.QFileDialog.getExistingDirectory = lambda *_: str(images)
    tour.click("addFolderButton")
    hands.double_click_cell(tour.ui.organTable, 0, 0)
    hands.type_text("head", tour.ui.organTable)
    hands.press("Return", tour.ui.organTable)
    tour.ui.studyFolderEdit.currentPath = str(STUDIES / "heads")
    tour.click("studyButton")
    tour.panel.labels.show_slice("head_0", 2, 0)
    tour.picture("images_data", "data")


def labels(tour: Tour, masks: Path) -> None:
    """Label the image that is shown and those that the panel suggests then; the picture shows the last one."""
    for number in range(PAINTED):
        paint(tour, masks)
        if number == PAINTED - 1:
            tour.picture("images_labels", "label")
        tour.click("keepSliceButton")


def paint(tour: Tour, masks: Path) -> None:
    """What a user does with the brush: the head of the image that is shown."""
    editing, session = tour.panel.labels, tour.panel.session
    mask = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(masks / f"{editing.case}.png"))).T > 0
    node, image = editing.editor.segmentationNode(), session.volumeNode(editing.case)
    setSliceLabels(node, image, session.organs(), 2, 0, mask.astype(np.uint8))


def results(tour: Tour) -> None:
    """Train; then areas and axes of all images, and one of them with its ellipse."""
    tour.ui.changesEdit.text = SETTINGS
    tour.click("trainButton")
    if not tour.ui.trainStatus.text.startswith("Trained"):
        raise RuntimeError(tour.ui.trainStatus.text)
    click_row(tour)
    tour.picture("images_results", "results")


def main() -> None:
    """Click through a study of images and take the pictures."""
    tour = Tour()
    with empty_studies():
        source = STUDIES / "source"
        write_heads(source, HEADS, shape=SHAPE)
        data(tour, source / "images")
        labels(tour, source / "masks")
        results(tour)
    slicer.mrmlScene.Clear()
    host.process_events(0.1)


if __name__ == "__main__":
    main()
