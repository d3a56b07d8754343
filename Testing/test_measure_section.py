"""Section 5 of the panel in the host: comparison with references, report as PDF, DICOM for the archive."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from random_user import MODULE, NAME


@pytest.fixture
def panel(host):
    """The panel with three results of this module and a reference for each."""
    import slicer

    from USLabelEfficientSegLib.imaging.geometry import Geometry
    from USLabelEfficientSegLib.slicer_side.segmentation_nodes import organsNamed, segmentationFromLabelMap
    from USLabelEfficientSegLib.slicer_side.study_nodes import RESULT, attach
    from USLabelEfficientSegLib.slicer_side.volume_nodes import nodeFromVoxels

    widget = host.load_module(MODULE)
    slicer.util.selectModule(NAME)
    geometry = Geometry((12, 10, 8), (3.0, 3.0, 3.0), (0.0, 0.0, 0.0), np.eye(3))
    for number in range(3):
        labels = np.zeros(geometry.shape, dtype=np.uint8)
        labels[2 : 7 + number, 3:8, 2:6] = 1
        volume = nodeFromVoxels(f"scan {number}", labels * 90.0 + 1, geometry)
        result = segmentationFromLabelMap(labels, volume, organsNamed(["liver"]), f"scan {number} segmentation")
        attach(result, volume, RESULT)
        labels[2, :, :] = 0
        segmentationFromLabelMap(labels, volume, organsNamed(["liver"]), f"expert {number}")
    widget.panel.refresh()
    yield widget.panel
    slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(NAME)


def measured(organ, volume_ml, **more):
    """What a model may have measured of an organ."""
    from USLabelEfficientSegLib.measurement.organ import OrganMeasurement

    return OrganMeasurement(
        "x",
        organ,
        1,
        volume_ml,
        volume_ml,
        label=1,
        surface_volume_ml=volume_ml,
        surface_area_mm2=90.0,
        axes_mm=(9.0, 8.0, 7.0),
        extents_ras_mm=(9.0, 8.0, 7.0),
        max_diameter_mm=9.0,
        centroid_ras_mm=(1.0, 2.0, 3.0),
        ellipsoid_volume_ml=volume_ml,
        **more,
    )


def measure_as_model(node, **more):
    """Let a result be one that a model has measured."""
    from USLabelEfficientSegLib.slicer_side.node_measurements import keepMeasured
    from USLabelEfficientSegLib.slicer_side.segmentation_nodes import organMasks, organsNamed
    from USLabelEfficientSegLib.slicer_side.study_nodes import volumeOf

    masks = organMasks(node, volumeOf(node), organsNamed(["liver"]))
    keepMeasured(node, [measured("liver", masks["liver"].sum() * 0.027, **more)], masks, 0.027)


def erase_a_slice(node):
    import slicer

    from USLabelEfficientSegLib.slicer_side.study_nodes import volumeOf

    segment = node.GetSegmentation().GetNthSegmentID(0)
    voxels = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, volumeOf(node)).copy()
    voxels[2] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(voxels, node, segment, volumeOf(node))


def test_the_table_shows_intervals_and_says_which_segment_was_edited(panel, host):
    import slicer

    from USLabelEfficientSegLib.measurement.flags import Flag

    ui = panel.ui
    for number in range(2):
        node = slicer.util.getNode(f"scan {number} segmentation")
        measure_as_model(node, interval_ml=(2.5, 4.125), interval_method="made up", flags=(Flag.CUT_BY_EDGE,))
    erase_a_slice(slicer.util.getNode("scan 1 segmentation"))
    ui.measureButton.click()

    texts = [[ui.volumesTable.item(row, column).text() for column in (0, 3, 4, 5)] for row in range(3)]
    assert texts == [
        ["scan 0", "2.70", "2.50 … 4.12", "cut by edge"],
        ["scan 1", "2.43", "edited", "edited"],
        ["scan 2", "3.78", "–", ""],
    ]
    assert ui.volumesTable.horizontalHeaderItem(4).text() == "90 % interval,\nml"
    ui.volumesTable.cellClicked.emit(0, 0)
    assert "its true volume is at least" in ui.measureStatus.text
    ui.volumesTable.cellClicked.emit(1, 0)
    assert "no interval" in ui.measureStatus.text
    ui.volumesTable.cellClicked.emit(2, 0)
    assert ui.measureStatus.text == ""


def tick(ui, count):
    import qt

    for row in range(count):
        ui.referenceList.item(row).setCheckState(qt.Qt.Checked)


def test_ticked_references_give_a_table_and_a_bland_altman_plot(panel, host):
    import slicer

    ui = panel.ui
    assert [ui.referenceList.item(row).text() for row in range(ui.referenceList.count)] == [
        f"expert {n}" for n in range(3)
    ]
    assert not ui.agreementButton.enabled and "Tick a segmentation" in ui.agreementButton.toolTip
    tick(ui, 3)
    host.process_events(0.1)
    ui.agreementButton.click()
    host.process_events(0.1)

    assert "Compared 3 segmentations" in ui.measureStatus.text
    row = [ui.agreementTable.item(0, column).text() for column in range(6)]
    assert row[0] == "liver" and row[1] == "3" and 0 < float(row[2]) < 1 and 0.7 < float(row[5]) < 1
    chart = slicer.mrmlScene.GetFirstNodeByName("Bland-Altman")
    assert chart.GetNumberOfPlotSeriesNodes() == 4
    assert slicer.app.layoutManager().layout == slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView
    assert panel.parameters.agreementTable.GetNumberOfRows() == 1


def test_volumes_of_another_measurement_come_from_a_table(panel, host, tmp_path):
    table = tmp_path / "reference.csv"
    table.write_text("case,organ,volume_ml\nscan 0,liver,2.5\nscan 2,liver,4.0\n", encoding="utf-8")
    panel.ui.referenceFileEdit.currentPath = str(table)
    host.process_events(0.1)
    panel.ui.agreementButton.click()
    assert panel.ui.agreementTable.item(0, 1).text() == "2" and panel.ui.agreementTable.item(0, 3).text() == "–"

    table.write_text("case,organ\n", encoding="utf-8")
    panel.ui.agreementButton.click()
    assert "lacks the column volume_ml" in panel.ui.measureStatus.text


def test_dicom_is_exported_for_volumes_that_came_as_dicom(panel, host, tmp_path, monkeypatch):
    """The worker gets the files of Slicer's database and the segments under the volume's name."""
    import qt
    import slicer

    from USLabelEfficientSegLib.slicer_side import measure_section
    from USLabelEfficientSegLib.slicer_side.jobs import Job

    assert not panel.ui.dicomButton.enabled and "DICOM" in panel.ui.dicomButton.toolTip
    slicer.util.getNode("scan 1").SetAttribute("DICOM.instanceUIDs", "1.2.1 1.2.2")
    for number in (1, 2):
        (tmp_path / f"1.2.{number}").write_text(f"image {number}")
    monkeypatch.setattr(
        slicer, "dicomDatabase", SimpleNamespace(fileForInstance=lambda uid: str(tmp_path / uid)), raising=False
    )
    monkeypatch.setattr(measure_section, "ensureDependencies", lambda: None)
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "dicom"))
    seen: dict[str, Any] = {}

    def work(job, arguments, logs, watch=None):
        from pathlib import Path

        from USLabelEfficientSegLib.measurement.segmentation_files import organ_names, read_segmentation

        assert arguments[0] == "export-dicom" and arguments[-1] == str(tmp_path / "dicom")
        segmentations, images = Path(arguments[1]), Path(arguments[3])
        seen["images"] = sorted((path.parent.name, path.read_text()) for path in images.rglob("*.dcm"))
        (file,) = segmentations.iterdir()
        seen["organs"], seen["voxels"] = organ_names(file), int((read_segmentation(file).voxels == 1).sum())
        yield

    monkeypatch.setattr(Job, "work", work)
    panel.refresh()
    panel.ui.dicomButton.click()
    while panel.runner.busy:
        host.process_events(0.02)

    (name,) = {name for name, _ in seen["images"]}
    assert [text for _, text in seen["images"]] == ["image 1", "image 2"]
    assert seen["organs"] == ["liver"] and seen["voxels"] == 6 * 5 * 4
    assert f"2 DICOM files in {tmp_path / 'dicom'}" in panel.ui.measureStatus.text and "1" in name


@pytest.mark.parametrize("edited", [False, True])
def test_dicom_holds_the_interval_of_a_segment_until_it_is_edited(panel, tmp_path, edited):
    import slicer

    from USLabelEfficientSegLib.measurement.flags import Flag
    from USLabelEfficientSegLib.measurement.measuring import measure_files, read_measurements_of
    from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
    from USLabelEfficientSegLib.slicer_side.dicom_results import _stage_segmentation

    node = slicer.util.getNode("scan 1 segmentation")
    measure_as_model(node, interval_ml=(2.5, 4.125), interval_method="made up")
    segmentation = node.GetSegmentation()
    segmentation.AddEmptySegment("cyst", "cyst")
    if edited:
        erase_a_slice(node)
    path = tmp_path / "scan.nrrd"
    _stage_segmentation(node, path)

    rows = read_measurements_of(path)
    if edited:
        assert rows is None  # the worker measures it anew, and says so
        liver, _ = measure_files([path])
        assert isinstance(liver, OrganMeasurement)
        assert liver.flags[-1] == Flag.EDITED and liver.interval_ml is None
        assert liver.volume_ml == liver.outline_volume_ml > 0
    else:
        assert rows is not None
        organs = [row for row in rows if isinstance(row, OrganMeasurement)]
        assert len(organs) == len(rows)
        assert [(row.case, row.organ, row.label, row.interval_ml) for row in organs] == [
            ("scan", "liver", 1, (2.5, 4.125)),
            ("scan", "cyst", 2, None),
        ]


def test_images_that_left_the_dicom_database_are_told(panel, host, monkeypatch, tmp_path):
    import qt
    import slicer

    from USLabelEfficientSegLib.slicer_side import measure_section

    slicer.util.getNode("scan 1").SetAttribute("DICOM.instanceUIDs", "1.2.1")
    monkeypatch.setattr(slicer, "dicomDatabase", SimpleNamespace(fileForInstance=lambda uid: ""), raising=False)
    monkeypatch.setattr(measure_section, "ensureDependencies", lambda: None)
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "dicom"))
    panel.refresh()
    panel.ui.dicomButton.click()
    while panel.runner.busy:
        host.process_events(0.02)

    assert "no longer in Slicer's DICOM database" in panel.ui.measureStatus.text.replace("&#x27;", "'")
    assert not (tmp_path / "dicom").exists()


@pytest.mark.parametrize("pdf", [False, True])
def test_the_report_is_opened_as_page_or_as_pdf(panel, host, monkeypatch, tmp_path, pdf):
    import qt

    from USLabelEfficientSegLib.slicer_side.jobs import Job

    folder = tmp_path / "study"
    (folder / "logs").mkdir(parents=True)
    session = SimpleNamespace(folder=folder, logs=folder / "logs", model=folder / "model")
    opened, asked = [], []

    def work(job, arguments, logs, watch=None):
        asked.append(arguments)
        yield

    monkeypatch.setattr(Job, "work", work)
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    monkeypatch.setattr(type(panel), "session", property(lambda self: session))
    monkeypatch.setattr(panel, "sections", [panel.measure])
    panel.ui.pdfCheckBox.checked = pdf
    panel.refresh()
    panel.ui.reportButton.click()
    while panel.runner.busy:
        host.process_events(0.02)

    assert opened == [str(folder / ("report.pdf" if pdf else "report.html"))]
    assert ("--pdf" in asked[0]) is pdf
    assert asked[0][:2] == ["report", str(folder)]
