"""Step 4 of the panel in the host: cards and table, the least sure slice, which model."""

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
    from USLabelEfficientSegLib.slicer_side.results.node_measurements import digest, keepMeasured

    masks = organMasks(node, volumeOf(node), organsNamed(["liver"]))
    rows, digests = [measured("liver", masks["liver"].sum() * 0.027, **more)], {"liver": digest(masks["liver"])}
    keepMeasured(node, rows, digests, 0.027)


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


def test_the_step_opens_with_results_of_a_scene_whose_study_is_elsewhere(measured_panel):
    assert measured_panel.session is None and measured_panel.ui.trainStep.collapsed
    assert not measured_panel.ui.resultsStep.collapsed


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
    assert "least sure of liver" in ui.lookLabel.text
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


def test_a_result_that_was_corrected_by_hand_is_known_as_such(measured_panel):
    import slicer

    from USLabelEfficientSegLib.slicer_side.results.results import isEdited

    nodes = [slicer.util.getNode(f"scan {number} segmentation") for number in range(3)]
    assert [isEdited(node) for node in nodes] == [False, True, True]  # nobody knows how the last one was found

    nodes[0].GetSegmentation().AddEmptySegment("cyst", "cyst")  # drawn beside what the model has found
    assert isEdited(nodes[0])
