"""Studies of 2-D images by clicks: a folder or a sequence, labels, training with a preview, biometry, the next day."""

import time

import numpy as np
import pytest
from simulated_heads import write_heads

from USLabelEfficientSegLib.study.study import Study

TINY = "divergence.image_size=32 divergence.steps=6 divergence.labelled_images=2 divergence.unlabelled_images=4"
HEADS = 10


def wait(panel, host, seconds=600):
    end = time.monotonic() + seconds
    while panel.runner.busy:
        assert time.monotonic() < end, "nothing happened"
        host.process_events(0.01)
    host.process_events(0.1)


def click(panel, host, name):
    button = getattr(panel.ui, name)
    assert button.enabled, f"{name}: {button.toolTip}"
    button.click()
    host.process_events(0.05)


def images_in_scene():
    import slicer

    return [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")]


@pytest.fixture
def heads(panel, host, tmp_path, monkeypatch):
    """A study of a folder of simulated heads, made by clicks."""
    import qt

    write_heads(tmp_path / "data", HEADS)
    images = tmp_path / "data" / "images"
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(images))
    click(panel, host, "addFolderButton")
    wait(panel, host)
    panel.ui.studyFolderEdit.currentPath = str(tmp_path / "heads")
    host.process_events(0.05)
    click(panel, host, "studyButton")
    wait(panel, host)
    return tmp_path / "heads"


def paint_head(panel, masks):
    """Paint the head of the image that is shown, as the brush would."""
    import SimpleITK

    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import setSliceLabels

    session, case = panel.session, panel.labels.case
    labels = (SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(masks / f"{case}.png"))).T > 0).astype(np.uint8)
    node = panel.labels.editor.segmentationNode()
    setSliceLabels(node, session.volumeNode(case), session.organs(), 2, 0, labels)
    return case


def label_heads(panel, host, masks, count):
    """Label the images that are suggested, one after the other."""
    labelled = []
    click(panel, host, "keepSliceButton")  # nothing is shown yet: it brings the first
    idle(panel, host)
    for _ in range(count):
        assert panel.labels.shown_slice() == (2, 0)
        labelled.append(paint_head(panel, masks))
        assert labelled[-1] in panel.ui.suggestionLabel.text
        click(panel, host, "keepSliceButton")
        idle(panel, host)
    return labelled


def idle(panel, host):
    """Wait for a suggestion that is looked for aside as well."""
    wait(panel, host)
    end = time.monotonic() + 600
    while panel.logic.aside.busy:
        assert time.monotonic() < end, "nothing happened"
        host.process_events(0.01)
    host.process_events(0.1)


def test_from_a_folder_of_images_to_a_model_by_clicks(panel, host, heads, tmp_path):
    ui, masks = panel.ui, tmp_path / "data" / "masks"
    assert not ui.trainButton.enabled and not ui.methodCombo.enabled and ui.minutesSpin.enabled
    ui.changesEdit.text = TINY

    labelled = label_heads(panel, host, masks, 4)

    assert len(set(labelled)) == 4 and Study.open(heads).summary()["organs"]["organ"]["labelled_slices"] == 4
    assert "40 %" in ui.labelFractionLabel.text
    click(panel, host, "trainButton")
    wait(panel, host)
    assert ui.trainStatus.text.startswith("Trained"), ui.trainStatus.text
    assert "nothing has changed" in ui.trainButton.toolTip

    fifth = next(case for case in panel.session.cases() if case not in labelled)
    panel.labels.show_slice(fifth, 2, 0)
    host.process_events(0.05)
    assert panel.ui.outlineSliceButton.enabled  # the model's outline can be taken
    paint_head(panel, masks)
    click(panel, host, "keepSliceButton")
    idle(panel, host)
    assert ui.trainButton.text == "Train with the new labels"
    assert "continues from the current model" in ui.estimateLabel.text
    click(panel, host, "trainButton")
    wait(panel, host)
    assert "continuing" in [stage.name for stage in panel.train.monitor.stages]
    ui.anewCheckBox.checked = True
    host.process_events(0.05)
    assert ui.trainButton.text == "Train anew"


def trained_heads(panel, host, masks):
    """Label four heads and train, by clicks; the images are segmented then by themselves."""
    panel.ui.changesEdit.text = TINY
    label_heads(panel, host, masks, 4)
    click(panel, host, "trainButton")
    wait(panel, host)
    assert panel.ui.resultsStatus.text == f"Segmented {HEADS} images. Click a row to see one."


def row_of(panel, name):
    table = panel.ui.volumesTable
    return next(row for row in range(table.rowCount) if table.item(row, 1).text().startswith(f"{name}\n"))


def labels_of(panel):
    """All texts of the cards."""
    import qt

    return [label.text for label in panel.ui.cardsContainer.findChildren(qt.QLabel)]


def test_from_a_model_of_images_to_biometry_a_corrected_outline_and_a_report_by_clicks(
    panel, host, heads, tmp_path, monkeypatch
):
    import qt
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import setSliceLabels
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, madeFor

    ui, session = panel.ui, panel.session
    trained_heads(panel, host, tmp_path / "data" / "masks")
    assert ui.volumesTable.rowCount == HEADS and not madeFor(None, RESULT)
    headings = [ui.volumesTable.horizontalHeaderItem(column).text() for column in range(3)]
    assert headings == ["Cautions", "Image,\norgan", "Area, mm²,\ncircumference, mm"]

    ui.volumesTable.cellClicked.emit(row_of(panel, "head_7"), 1)
    host.process_events(0.1)
    (result,) = madeFor(None, RESULT)
    image = session.volumeNode("head_7")
    assert result.GetName() == "head_7 segmentation" and panel.labels.shown_slice(image) == (2, 0)

    # Corrected by hand, the outline counts, and its ellipse follows.
    i, j = np.meshgrid(np.arange(64), np.arange(48), indexing="ij")
    head = (((i - 32) / 20) ** 2 + ((j - 24) / 12) ** 2 <= 1).astype(np.uint8)
    setSliceLabels(result, image, session.organs(), 2, 0, head)
    click(panel, host, "measureButton")
    wait(panel, host)
    row, pixel = row_of(panel, "head_7"), session.study.case("head_7").image.spacing[0]
    assert "edited" in ui.volumesTable.item(row, 0).text()
    area, circumference = map(float, ui.volumesTable.item(row, 2).text().split("\n"))
    assert area == pytest.approx(head.sum() * pixel**2, rel=0.01)
    (curve,) = slicer.util.getNodesByClass("vtkMRMLMarkupsClosedCurveNode")
    assert curve.GetCurveLengthWorld() == pytest.approx(circumference, rel=0.01)
    ui.volumesTable.cellClicked.emit(row, 1)
    host.process_events(0.1)
    assert any("axes (BPD, OFD)" in text for text in labels_of(panel))
    assert any("edited since the model found it" in text for text in labels_of(panel))

    # The table and the report tell the same.
    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", lambda *_: str(tmp_path / "areas.csv"))
    click(panel, host, "saveCsvButton")
    wait(panel, host)
    assert "Minor axis (BPD) [mm]" in (tmp_path / "areas.csv").read_text()
    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    click(panel, host, "reportButton")
    wait(panel, host)
    assert opened == [str(heads / "report.html")], ui.resultsStatus.text
    assert "it was drawn, edited, moved or exchanged" in (heads / "report.html").read_text(encoding="utf-8")

    # The next day: the saved scene, or the study in an empty one.
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    host.clear_scene()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    host.process_events(0.3)
    wait(panel, host)
    assert panel.session is not None and panel.session.folder == heads
    assert ui.volumesTable.rowCount == HEADS and "edited" in ui.volumesTable.item(row_of(panel, "head_7"), 0).text()
    host.clear_scene()
    panel.data.open(heads)
    wait(panel, host)
    assert images_in_scene() == [] and ui.volumesTable.rowCount == HEADS
    ui.volumesTable.cellClicked.emit(row_of(panel, "head_2"), 1)
    host.process_events(0.1)
    assert "head_2" in images_in_scene()


def test_images_of_the_scene_are_segmented_with_the_model_of_a_study(panel, host, heads, tmp_path):
    import qt

    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, madeFor
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import nodeFromVoxels

    trained_heads(panel, host, tmp_path / "data" / "masks")
    scan = panel.session.study.read_scan("head_1")
    node = nodeFromVoxels("new head", scan.voxels, scan.geometry)
    host.process_events(0.1)
    items = [panel.ui.segmentList.item(row) for row in range(panel.ui.segmentList.count)]
    next(item for item in items if item.text() == "new head").setCheckState(qt.Qt.Checked)
    host.process_events(0.1)
    click(panel, host, "segmentButton")
    wait(panel, host)

    (result,) = madeFor(node, RESULT)
    assert result.GetName() == "new head segmentation"
    assert panel.ui.volumesTable.rowCount == HEADS + 1
    assert row_of(panel, "new head") >= 0


def test_a_folder_of_images_is_taken_as_it_is_with_the_table_beside_it(panel, host, tmp_path, monkeypatch):
    import qt

    write_heads(tmp_path / "data", HEADS)
    images = tmp_path / "data" / "images"
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(images))
    click(panel, host, "addFolderButton")
    wait(panel, host)

    assert panel.ui.imagesLabel.text == f"{images}: {HEADS} images, pixel sizes of sizes.csv"
    assert panel.ui.imagesRow.isVisibleTo(panel.ui.dataStep) and images_in_scene() == []
    assert panel.ui.studyButton.enabled and panel.ui.studyFolderEdit.currentPath  # a place is proposed
    click(panel, host, "removeImagesButton")
    assert not panel.ui.imagesRow.isVisibleTo(panel.ui.dataStep) and not panel.ui.studyButton.enabled


def test_pixel_sizes_may_be_typed_or_chosen_and_a_wrong_table_is_told(panel, host, tmp_path, monkeypatch):
    import qt

    write_heads(tmp_path / "data", 3)
    (tmp_path / "data" / "sizes.csv").rename(tmp_path / "elsewhere.txt")
    (tmp_path / "ages.csv").write_text("patient,age\n1,30\n")
    panel.data.sources.add_folder(tmp_path / "data" / "images")
    wait(panel, host)
    assert panel.ui.imagesLabel.text.endswith("3 images")

    panel.ui.studyFolderEdit.currentPath = str(tmp_path / "study")
    host.process_events(0.05)
    click(panel, host, "studyButton")
    wait(panel, host)
    assert "does not say how large its pixels are" in panel.ui.dataStatus.text

    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *_: str(tmp_path / "ages.csv"))
    click(panel, host, "pixelTableButton")
    assert "has no column of file names" in panel.ui.dataStatus.text
    panel.ui.pixelSizeSpin.value = 0.25
    host.process_events(0.05)
    click(panel, host, "studyButton")
    wait(panel, host)
    assert Study.open(tmp_path / "study").cases[0].image.spacing[:2] == (0.25, 0.25)
    assert not panel.ui.imagesRow.isVisibleTo(panel.ui.dataStep)


def test_a_sequence_of_frames_is_ticked_as_a_whole(panel, host, tmp_path):
    import qt
    import slicer

    from USLabelEfficientSegLib.imaging.geometry import Geometry
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import nodeFromVoxels

    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "cine")
    rng = np.random.default_rng(0)
    for number in range(30):
        voxels = rng.integers(0, 255, (40, 32, 1)).astype(np.uint8)
        node = nodeFromVoxels("frame", voxels, Geometry(voxels.shape, (0.3, 0.4, 1.0), (0, 0, 0), np.eye(3)))
        sequence.SetDataNodeAtValue(node, str(number))
        slicer.mrmlScene.RemoveNode(node)
    host.process_events(0.1)

    item = panel.ui.volumeList.item(0)
    assert item.text() == "cine"
    item.setCheckState(qt.Qt.Checked)
    panel.ui.studyFolderEdit.currentPath = str(tmp_path / "study")
    host.process_events(0.1)
    click(panel, host, "studyButton")
    wait(panel, host)

    assert len(Study.open(tmp_path / "study").cases) == 30 and images_in_scene() == []
    assert panel.ui.dataStatus.text == "Study with 30 images, 0 of them labelled (0 %)."
    assert not panel.ui.studyButton.enabled and "loaded when you look at it" in panel.ui.studyButton.toolTip
    assert panel.data.newcomers(panel.data.ticked()) == []


def test_a_clicked_image_is_loaded_upright_and_can_be_kept(panel, host, heads):
    ui = panel.ui
    assert ui.labelTable.rowCount == HEADS and ui.labelTable.item(3, 0).text() == "head_3"
    assert ui.labelTable.horizontalHeaderItem(0).text() == "Image"
    ui.labelTable.selectRow(3)
    host.process_events(0.1)

    assert images_in_scene() == ["head_3"] and panel.labels.shown_slice() == (2, 0)
    click(panel, host, "emptySliceButton")
    idle(panel, host)

    label = Study.open(heads).read_labels("head_3")
    assert label is not None and not label.voxels.any()
    assert panel.labels.case != "head_3"  # the next one is shown
    ui.labelTable.selectRow(3)
    host.process_events(0.1)
    assert ui.labelFractionLabel.text == "1 of 10 images is labelled: 10 %."
    assert ui.sliceTable.item(0, 0).text() == "whole image"


def test_going_through_all_images_keeps_the_scene_small_and_every_label(panel, host, heads):
    from USLabelEfficientSegLib.slicer_side.session.loaded_images import MOST_IMAGES

    for row in range(HEADS):
        panel.ui.labelTable.selectRow(row)
        host.process_events(0.05)
        click(panel, host, "emptySliceButton")
        idle(panel, host)

    assert len(images_in_scene()) <= MOST_IMAGES + 1
    assert Study.open(heads).summary()["labelled_volumes"] == HEADS
    panel.ui.labelTable.selectRow(0)
    host.process_events(0.1)
    assert panel.ui.sliceTable.item(0, 1).text() == "no organ"
