"""Step 4 of the panel in the host: cards and table, the least sure slice, references, report, DICOM for the archive."""

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
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed, segmentationFromLabelMap
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, attach
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import nodeFromVoxels

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
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organMasks, organsNamed
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import volumeOf
    from USLabelEfficientSegLib.slicer_side.results.node_measurements import keepMeasured

    masks = organMasks(node, volumeOf(node), organsNamed(["liver"]))
    keepMeasured(node, [measured("liver", masks["liver"].sum() * 0.027, **more)], masks, 0.027)


def erase_a_slice(node):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import volumeOf

    segment = node.GetSegmentation().GetNthSegmentID(0)
    voxels = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, volumeOf(node)).copy()
    voxels[2] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(voxels, node, segment, volumeOf(node))


def shown_rows(ui):
    table = ui.volumesTable
    return [[table.item(row, column).text() for column in range(3)] for row in range(table.rowCount)]


def cards(ui):
    """For each card: its texts, from top to bottom."""
    import qt

    frames = [frame for frame in ui.cardsContainer.findChildren(qt.QFrame) if not frame.isHidden()]
    found = [frame for frame in frames if frame.objectName == "organCard"]
    return [[label.text for label in card.findChildren(qt.QLabel) if label.text] for card in found]


@pytest.fixture
def measured_panel(panel, host):
    """Two results of a model, the second one with a slice erased by hand, and one that nobody knows of."""
    import slicer

    from USLabelEfficientSegLib.measurement.flags import Flag

    for number in range(2):
        node = slicer.util.getNode(f"scan {number} segmentation")
        flags = (Flag.CUT_BY_EDGE,) if number == 0 else ()
        measure_as_model(node, interval_ml=(2.5, 4.125), interval_method="made up", flags=flags)
    erase_a_slice(slicer.util.getNode("scan 1 segmentation"))
    panel.ui.measureButton.click()
    wait(panel, host)
    return panel


def test_the_table_begins_with_cautions_and_says_which_segment_was_edited(measured_panel):
    ui = measured_panel.ui

    assert shown_rows(ui) == [
        ["cut by edge", "scan 0\nliver", "2.70\n2.50 to 4.12"],
        ["edited", "scan 1\nliver", "2.43\nedited"],
        ["", "scan 2\nliver", "3.78\n–"],
    ]
    headings = [ui.volumesTable.horizontalHeaderItem(column).text() for column in range(3)]
    assert headings == ["Cautions", "Scan,\norgan", "Volume, ml,\n90 % interval"]
    assert "its true volume is at least" in ui.volumesTable.item(0, 2).toolTip()


def test_results_are_measured_one_a_step(panel):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import results
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job
    from USLabelEfficientSegLib.slicer_side.results.results import measuring

    measured, told = [], []
    job = Job("", lambda job: measuring(results(), None, job))
    organ_volumes = "USLabelEfficientSegLib.slicer_side.results.results.organVolumes"

    def counted(node):
        measured.append(node.GetName())
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(organ_volumes, counted)
        while job.step():
            told.append((len(measured), job.progress))
            if len(measured) == 1:
                slicer.mrmlScene.RemoveNode(slicer.util.getNode("scan 2 segmentation"))

    assert told == [(1, 0), (2, pytest.approx(1 / 3)), (2, pytest.approx(2 / 3))]
    assert measured == ["scan 0 segmentation", "scan 1 segmentation"] and job.state == "done"


def test_measuring_has_a_bar_and_is_cancelled_without_a_trace(measured_panel, host, monkeypatch):
    import slicer

    from USLabelEfficientSegLib.slicer_side.results import results

    ui, panel = measured_panel.ui, measured_panel
    ui.resultsStep.collapsed = False
    host.process_events(0.05)
    before = shown_rows(ui)
    erase_a_slice(slicer.util.getNode("scan 2 segmentation"))

    def slow(node):
        panel.refresh()
        assert ui.resultsJobRow.isVisibleTo(ui.resultsStep) and not ui.measureButton.enabled
        ui.cancelResultsButton.click()
        return []

    monkeypatch.setattr(results, "organVolumes", slow)
    ui.measureButton.click()
    wait(panel, host)

    assert "was stopped" in ui.resultsStatus.text
    assert shown_rows(ui) == before and ui.measureButton.enabled


def test_all_rows_are_seen_without_scrolling(measured_panel, host):
    table = measured_panel.ui.volumesTable
    measured_panel.ui.resultsStep.collapsed = False
    host.process_events(0.05)
    needed = table.horizontalHeader().height + sum(table.rowHeight(row) for row in range(table.rowCount))

    assert table.rowCount == 3 and table.height >= needed


def test_a_card_tells_volume_interval_and_cautions_in_words(measured_panel):
    import qt

    ui = measured_panel.ui
    assert ui.cardsCaption.text == "scan 0"
    ((organ, volume, details, caution),) = cards(ui)
    assert (organ, volume) == ("liver", "2.70 ml")
    assert details == "90 % interval 2.50 to 4.12 ml, outline volume 2.70 ml."
    assert "its true volume is at least" in caution
    (bar,) = [one for one in ui.cardsContainer.findChildren(qt.QFrame) if one.objectName == "intervalBar"]
    parts = [bar.layout().stretch(place) for place in range(bar.layout().count())]
    assert parts == [606, 48, 0, 345, 0]  # 2.5, 0.2, the mark, 1.425 and 0 of 4.125 ml

    ui.volumesTable.selectRow(1)
    assert ui.cardsCaption.text == "scan 1"
    ((organ, volume, details, caution),) = cards(ui)
    assert (organ, volume, details) == ("liver", "2.43 ml", "Outline volume 2.43 ml.") and "no interval" in caution


def test_a_click_on_a_row_shows_the_slice_where_the_model_is_least_sure(measured_panel):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.slice_views import labelling_view, shownSlice
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import UNCERTAINTY, attach
    from USLabelEfficientSegLib.slicer_side.nodes.tables_and_plots import uncertaintyNode

    ui, volume = measured_panel.ui, slicer.util.getNode("scan 2")
    values = np.zeros((12, 10, 8), dtype=np.float32)
    values[3:5, 4:6, 5] = 0.8
    values[11, 9, 0] = 1.0  # one voxel far from the organ
    attach(uncertaintyNode(values, volume, "scan 2 uncertainty"), volume, UNCERTAINTY)
    ui.volumesTable.selectRow(2)
    ui.volumesTable.cellClicked.emit(2, 1)

    view = labelling_view()
    assert view.mrmlSliceCompositeNode().GetBackgroundVolumeID() == volume.GetID()
    assert shownSlice(view.mrmlSliceNode(), volume) == (2, 5)
    assert "least sure of liver" in ui.resultsStatus.text
    assert slicer.util.getNode("scan 2 segmentation").GetDisplayVisibility()
    assert not slicer.util.getNode("scan 0 segmentation").GetDisplayVisibility()


def test_the_uncertainty_is_a_layer_with_a_legend_and_what_was_there_comes_back(measured_panel, host):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.slice_views import labelling_view
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import UNCERTAINTY, attach
    from USLabelEfficientSegLib.slicer_side.nodes.tables_and_plots import uncertaintyNode

    ui, volume, other = measured_panel.ui, slicer.util.getNode("scan 2"), slicer.util.getNode("scan 1")
    own = uncertaintyNode(np.full((12, 10, 8), 0.5, dtype=np.float32), volume, "scan 2 uncertainty")
    attach(own, volume, UNCERTAINTY)
    slicer.util.setSliceViewerLayers(background=volume, foreground=other, foregroundOpacity=0.25)
    composite = labelling_view().mrmlSliceCompositeNode()
    ui.uncertaintyCheckBox.checked = True
    host.process_events(0.1)

    legend = slicer.modules.colors.logic().GetColorLegendDisplayNode(own)
    assert composite.GetForegroundVolumeID() == own.GetID() and composite.GetForegroundOpacity() > 0.5
    assert legend.GetVisibility() and legend.GetTitleText() == "Uncertainty"
    assert ui.uncertaintyLegend.isVisibleTo(ui.resultsStep) or ui.resultsStep.collapsed

    ui.uncertaintyCheckBox.checked = False
    host.process_events(0.1)
    assert composite.GetForegroundVolumeID() == other.GetID() and composite.GetForegroundOpacity() == 0.25
    assert not legend.GetVisibility()


def wait(panel, host):
    while panel.runner.busy:
        host.process_events(0.02)
    host.process_events(0.05)


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
    wait(panel, host)

    assert "Compared 3 segmentations" in ui.resultsStatus.text
    row = [ui.agreementTable.item(0, column).text() for column in range(8)]
    assert row[0] == "liver" and row[1] == "3" and 0 < float(row[2]) < 1 and 0.7 < float(row[5]) < 1
    assert float(row[6]) == 3.0 and 0 < float(row[7]) < 3  # the reference lacks a layer of voxels of 3 mm
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
    wait(panel, host)
    assert panel.ui.agreementTable.item(0, 1).text() == "2" and panel.ui.agreementTable.item(0, 3).text() == "–"

    table.write_text("case,organ\n", encoding="utf-8")
    panel.ui.agreementButton.click()
    assert "lacks the column volume_ml" in panel.ui.resultsStatus.text


def test_dicom_is_exported_for_volumes_that_came_as_dicom(panel, host, tmp_path, monkeypatch):
    """The worker gets the files of Slicer's database and the segments under the volume's name."""
    import qt
    import slicer

    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job
    from USLabelEfficientSegLib.slicer_side.steps import measure_section

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
    wait(panel, host)

    (name,) = {name for name, _ in seen["images"]}
    assert [text for _, text in seen["images"]] == ["image 1", "image 2"]
    assert seen["organs"] == ["liver"] and seen["voxels"] == 6 * 5 * 4
    assert f"2 DICOM files in {tmp_path / 'dicom'}" in panel.ui.resultsStatus.text and "1" in name


@pytest.mark.parametrize("edited", [False, True])
def test_what_leaves_slicer_holds_the_interval_of_a_segment_until_it_is_edited(panel, tmp_path, edited):
    import slicer

    from USLabelEfficientSegLib.measurement.flags import Flag
    from USLabelEfficientSegLib.measurement.measuring import measure_files, of_kind
    from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import volumeOf
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import geometryOfNode
    from USLabelEfficientSegLib.slicer_side.results.result_staging import stageSegmentation

    node = slicer.util.getNode("scan 1 segmentation")
    measure_as_model(node, interval_ml=(2.5, 4.125), interval_method="made up")
    node.GetSegmentation().AddEmptySegment("cyst", "cyst")
    if edited:
        erase_a_slice(node)
    stageSegmentation(node, tmp_path / "scan.nrrd", geometryOfNode(volumeOf(node)))

    liver, cyst = of_kind(measure_files([tmp_path / "scan.nrrd"]), OrganMeasurement)
    assert (liver.case, liver.organ, cyst.organ) == ("scan", "liver", "cyst")
    assert liver.interval_ml == (None if edited else (2.5, 4.125)) and cyst.interval_ml is None
    assert (Flag.EDITED in liver.flags) is edited and Flag.EDITED not in cyst.flags
    assert liver.volume_ml == pytest.approx((6 * 5 * 3 if edited else 6 * 5 * 4) * 0.027)


def test_images_that_left_the_dicom_database_are_told(panel, host, monkeypatch, tmp_path):
    import qt
    import slicer

    from USLabelEfficientSegLib.slicer_side.steps import measure_section

    slicer.util.getNode("scan 1").SetAttribute("DICOM.instanceUIDs", "1.2.1")
    monkeypatch.setattr(slicer, "dicomDatabase", SimpleNamespace(fileForInstance=lambda uid: ""), raising=False)
    monkeypatch.setattr(measure_section, "ensureDependencies", lambda: None)
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "dicom"))
    panel.refresh()
    panel.ui.dicomButton.click()
    wait(panel, host)

    assert "no longer in Slicer's DICOM database" in panel.ui.resultsStatus.text
    assert not (tmp_path / "dicom").exists()


@pytest.mark.parametrize("pdf", [False, True])
def test_the_report_is_of_the_segments_as_they_are_now(measured_panel, host, monkeypatch, tmp_path, pdf):
    """Written by the worker from what the table shows, and opened as page or as PDF."""
    import qt
    import slicer

    from USLabelEfficientSegLib.slicer_side.steps import measure_section

    panel, opened = measured_panel, []
    monkeypatch.setattr(measure_section, "ensureDependencies", lambda: None)
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", lambda *_: str(tmp_path / "report.html"))
    erase_a_slice(slicer.util.getNode("scan 2 segmentation"))  # after the table was filled
    panel.ui.pdfCheckBox.checked = pdf
    host.process_events(0.05)
    panel.ui.reportButton.click()
    assert panel.measure.bar.job is not None
    wait(panel, host)

    assert opened == [str(tmp_path / ("report.pdf" if pdf else "report.html"))], panel.ui.resultsStatus.text
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    volumes = [row[2].split("\n")[0] for row in shown_rows(panel.ui)]
    assert volumes == ["2.70", "2.43", "2.83"]
    assert all(volume in page for volume in volumes) and "2.50 to 4.12" in page and "edited" in page
    assert "3.78" not in page  # what scan 2 was before


def test_a_model_file_or_folder_is_judged_and_what_was_typed_stays(panel, host, tmp_path):
    ui = panel.ui
    ui.modelCombo.currentIndex = 1
    (tmp_path / "study").mkdir()
    ui.modelFileEdit.currentPath = str(tmp_path / "study")  # a folder, which is no study yet
    host.process_events(0.1)
    assert ui.modelFileEdit.currentPath == str(tmp_path / "study")
    assert "holds no study" in ui.modelFileProblem.text and "holds no study" in ui.segmentButton.toolTip

    (tmp_path / "study" / "run").mkdir()
    (tmp_path / "study" / "study.json").write_text("{}")
    (tmp_path / "study" / "run" / "model.safetensors").write_bytes(b"model")
    ui.modelFileEdit.currentPath = f"{tmp_path / 'study'} "
    host.process_events(0.1)
    assert ui.modelFileProblem.text == "" and "Tick a volume" in ui.segmentButton.toolTip


def session_of(folder, case):
    """A trained study, one of whose volumes is each volume of the scene, or none."""
    known: dict[str, Any] = {"hasLabels": lambda: True, "isPlanar": False, "caseOf": lambda node: case}
    return SimpleNamespace(folder=folder, logs=folder / "logs", model=folder / "model", **known)


def test_references_outside_the_study_calibrate_its_model(panel, host, monkeypatch, tmp_path):
    from pathlib import Path

    from USLabelEfficientSegLib.measurement.segmentation_files import organ_names
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job
    from USLabelEfficientSegLib.slicer_side.steps import agreement_section

    session = session_of(tmp_path, case=None)
    monkeypatch.setattr(agreement_section, "ensureDependencies", lambda: None)
    monkeypatch.setattr(type(panel), "session", property(lambda self: session))
    monkeypatch.setattr(panel, "sections", [panel.agreement])
    seen: dict[str, Any] = {}

    def work(job, arguments, logs, watch=None):
        command, model, images, references, *_device = arguments
        seen["command"], seen["model"] = command, model
        seen["images"] = sorted(path.name for path in Path(images).iterdir())
        seen["organs"] = {path.name: organ_names(path) for path in Path(references).iterdir()}
        job.log = tmp_path / "log"
        job.log.write_text("liver: the true volume is 0.90 to 1.10 times the measured one (90 %)\n")
        yield

    monkeypatch.setattr(Job, "work", work)
    panel.refresh()
    assert not panel.ui.calibrateButton.enabled
    tick(panel.ui, 3)
    host.process_events(0.1)
    panel.ui.calibrateButton.click()
    wait(panel, host)

    assert (seen["command"], seen["model"]) == ("calibrate", str(tmp_path))
    assert len(seen["images"]) == 3 and set(seen["images"]) == seen["organs"].keys()
    assert all(organs == ["liver"] for organs in seen["organs"].values())
    assert "0.90 to 1.10 times" in panel.ui.resultsStatus.text


def test_a_reference_of_a_volume_of_the_study_does_not_calibrate(panel, host, monkeypatch, tmp_path):
    session = session_of(tmp_path, case="scan 0")
    monkeypatch.setattr(type(panel), "session", property(lambda self: session))
    monkeypatch.setattr(panel, "sections", [panel.agreement])
    panel.refresh()
    tick(panel.ui, 1)
    host.process_events(0.1)
    panel.ui.calibrateButton.click()

    assert "which the model knows" in panel.ui.resultsStatus.text and not panel.runner.busy


def test_a_result_that_was_corrected_by_hand_is_known_as_such(measured_panel):
    import slicer

    from USLabelEfficientSegLib.slicer_side.results.results import isEdited

    nodes = [slicer.util.getNode(f"scan {number} segmentation") for number in range(3)]
    assert [isEdited(node) for node in nodes] == [False, True, True]  # nobody knows how the last one was found

    nodes[0].GetSegmentation().AddEmptySegment("cyst", "cyst")  # drawn beside what the model has found
    assert isEdited(nodes[0])
