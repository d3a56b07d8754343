"""Step 1 of the panel in the host: organs are named and coded, volumes come from many sources, a study is left."""

from pathlib import Path

import numpy as np
import pytest
from PySide6 import QtCore, QtTest, QtWidgets
from random_user import NAME, make_study
from slicer_host.hands import double_click_cell, press, type_text

from USLabelEfficientSegLib.study.study import Study


@pytest.fixture
def window_size():
    return 480, 800


def wait(panel, host):
    while panel.runner.busy:
        host.process_events(0.02)
    host.process_events(0.1)


def open_study(panel, host, folder):
    panel.data.open(folder)
    wait(panel, host)


def editor_of(table):
    """The editor that is open in a table."""
    (editor,) = table.viewport().findChildren(QtWidgets.QLineEdit)
    return editor


def names(panel):
    return [organ.name for organ in panel.data.organs()]


def test_an_organ_is_named_by_double_click_and_has_its_terminology(panel, host):
    table = panel.ui.organTable
    double_click_cell(table, 0, 0)
    type_text("prostate", table)
    press("Return", table)

    assert names(panel) == ["prostate"]
    assert table.item(0, 2).text() == "Prostate"
    assert "SCT^41216001^Prostate" in panel.data.organs()[0].terminology


def test_an_organ_is_named_by_f2(panel, host):
    table = panel.ui.organTable
    table.setFocus()
    table.setCurrentCell(0, 0)
    press("F2", table)
    type_text("kidney", table)
    press("Return", table)

    assert names(panel) == ["kidney"]


def test_the_colour_of_a_chosen_organ_stays_in_sight(panel, host):
    table = panel.ui.organTable
    table.setCurrentCell(0, 0)
    assert [item.column() for item in table.selectedItems()] == [0, 2]


def test_a_new_organ_is_named_at_once(panel, host):
    panel.ui.addOrganButton.click()
    type_text("cyst", panel.ui.organTable)
    press("Return", panel.ui.organTable)

    assert names(panel) == ["organ", "cyst"]


def test_a_refresh_leaves_an_open_editor_and_its_text_alone(panel, host):
    table = panel.ui.organTable
    double_click_cell(table, 0, 0)
    editor = editor_of(table)
    type_text("pros", table)
    panel.refresh()
    panel.refresh_soon()
    host.process_events(0.1)

    assert editor_of(table) is editor and editor.text == "pros"
    editor.end(False)
    QtTest.QTest.keyClicks(editor, "tate")
    press("Return", table)
    assert names(panel) == ["prostate"]


@pytest.mark.parametrize(
    ("typed", "reason"), [("organ", "already"), ("left, right", "no comma"), ("   ", "needs a name")]
)
def test_a_name_that_cannot_be_is_refused_with_the_reason(panel, host, typed, reason):
    panel.data.organ_table.add()
    type_text(typed, panel.ui.organTable)
    press("Return", panel.ui.organTable)

    assert names(panel) == ["organ", "organ 2"]
    assert panel.ui.organTable.item(1, 0).text() == "organ 2"
    assert reason in panel.ui.dataStatus.text


def choose_in_dialog(organ, accept=True):
    """What the user does when the selector of terminologies opens."""
    import qt
    import slicer
    from slicer_host.terminology_selector import choose

    from USLabelEfficientSegLib.slicer_side.nodes.terminology import terminology_of

    def act():
        (dialog,) = [w for w in QtWidgets.QApplication.topLevelWidgets() if type(w) is qt.QDialog and w.isVisible()]
        (navigator,) = dialog.findChildren(slicer.qSlicerTerminologyNavigatorWidget)
        choose(navigator, terminology_of(organ))
        (buttons,) = dialog.findChildren(qt.QDialogButtonBox)
        buttons.button(qt.QDialogButtonBox.Ok if accept else qt.QDialogButtonBox.Cancel).click()

    timer = QtCore.QTimer(QtWidgets.QApplication.instance())
    timer.setSingleShot(True)
    timer.timeout.connect(act)
    timer.start(50)


def test_the_terminology_is_chosen_by_slicers_selector_and_names_an_unnamed_organ(panel, host):
    table = panel.ui.organTable
    choose_in_dialog("spleen")
    double_click_cell(table, 0, 2)
    host.process_events(0.05)

    assert table.item(0, 2).text() == "Spleen" and names(panel) == ["spleen"]
    assert "SCT^78961009^Spleen" in panel.data.organs()[0].terminology

    choose_in_dialog("liver")
    double_click_cell(table, 0, 2)
    host.process_events(0.05)
    assert table.item(0, 2).text() == "Liver" and names(panel) == ["spleen"]  # a name that was given stays

    choose_in_dialog("kidney", accept=False)
    double_click_cell(table, 0, 2)
    assert table.item(0, 2).text() == "Liver"


def test_the_names_of_a_study_are_fixed_and_its_terminology_is_kept_with_it(panel, host, tmp_path):
    make_study(tmp_path / "study")
    open_study(panel, host, tmp_path / "study")
    panel.ui.dataStep.collapsed = False
    host.process_events(0.05)
    table = panel.ui.organTable
    double_click_cell(table, 0, 0)
    assert not table.viewport().findChildren(QtWidgets.QLineEdit)

    choose_in_dialog("prostate")
    double_click_cell(table, 0, 2)
    host.process_events(0.05)
    assert names(panel) == ["organ A", "organ B"]
    panel.close_study()
    open_study(panel, host, tmp_path / "study")
    assert "Prostate" in panel.data.organs()[0].terminology


def test_a_study_is_closed_by_its_button_and_all_of_it_is_free_again(panel, host, tmp_path):
    closed = []
    panel.signals.study_closed.connect(lambda: closed.append(True))
    make_study(tmp_path / "study")
    open_study(panel, host, tmp_path / "study")
    ui = panel.ui
    assert not ui.addOrganButton.enabled and not ui.sliceAxisCombo.enabled
    ui.closeStudyButton.click()
    host.process_events(0.1)

    assert panel.session is None and panel.parameters.studyFolder == "" and closed == [True]
    assert ui.addOrganButton.enabled and ui.sliceAxisCombo.enabled
    assert not ui.closeStudyButton.isVisibleTo(ui.dataStep)
    assert ui.labelTable.rowCount == 0 and ui.labelFractionLabel.text == ""
    assert panel.labels.editor.segmentationNode() is None
    assert not ui.dataStep.collapsed and ui.labelStep.collapsed and ui.trainStep.collapsed


def test_another_folder_than_the_open_studys_shows_no_session(panel, host, tmp_path):
    make_study(tmp_path / "study")
    open_study(panel, host, tmp_path / "study")
    panel.ui.studyFolderEdit.currentPath = str(tmp_path / "other")
    host.process_events(0.1)

    assert panel.session is None and panel.parameters.studyFolder == str(tmp_path / "other")
    assert panel.ui.addOrganButton.enabled and panel.ui.sliceAxisCombo.enabled
    assert panel.ui.studyButton.text == "Create study"

    panel.ui.studyFolderEdit.currentPath = str(tmp_path / "study")
    host.process_events(0.1)
    assert panel.ui.studyButton.text == "Open study"


def test_an_emptied_path_shows_no_session(panel, host, tmp_path):
    make_study(tmp_path / "study")
    open_study(panel, host, tmp_path / "study")
    panel.ui.dataStep.collapsed = False
    field = panel.ui.studyFolderEdit
    (edit,) = field.findChildren(QtWidgets.QLineEdit)
    edit.setFocus()
    edit.selectAll()
    press("Delete", edit)
    host.process_events(0.1)

    assert field.currentPath == ""
    assert panel.session is None and panel.parameters.studyFolder == ""
    assert panel.ui.addOrganButton.enabled


def test_a_folder_without_its_place_is_refused_in_a_sentence(panel, host):
    for typed in ("a,b", "../studies", "~/study"):
        panel.ui.studyFolderEdit.currentPath = typed
        host.process_events(0.1)

        assert "Give the whole path of the study folder" in panel.ui.dataStatus.text
        assert not panel.ui.studyButton.enabled and "Give the whole path" in panel.ui.studyButton.toolTip

    panel.ui.studyFolderEdit.currentPath = str(Path.home() / "no such study")
    host.process_events(0.1)
    assert panel.ui.dataStatus.text == "" and "whole path" not in panel.ui.studyButton.toolTip


def test_closing_the_scene_closes_the_study(panel, host, tmp_path):
    make_study(tmp_path / "study")
    open_study(panel, host, tmp_path / "study")
    host.clear_scene()
    host.process_events(0.1)

    assert panel.session is None and panel.parameters.studyFolder == ""
    assert panel.ui.addOrganButton.enabled and panel.ui.sliceAxisCombo.enabled


def test_a_study_on_which_a_job_works_outlives_the_scene_and_cannot_be_left(panel, host, tmp_path):
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job

    make_study(tmp_path / "study")
    open_study(panel, host, tmp_path / "study")
    going = [True]

    def steps(job):
        while going:
            yield

    panel.run(Job("Something", steps), panel.ui.trainStatus, lambda job: "")
    assert not panel.ui.studyFolderEdit.enabled and not panel.ui.closeStudyButton.enabled
    assert "Something is running" in panel.ui.closeStudyButton.toolTip
    host.clear_scene()
    host.process_events(0.1)
    assert panel.session is not None and panel.parameters.studyFolder == str(tmp_path / "study")
    going.clear()
    wait(panel, host)


def test_labels_of_a_study_that_was_left_are_not_those_of_a_new_one_on_the_same_volumes(panel, host, tmp_path):
    make_study(tmp_path / "study")
    open_study(panel, host, tmp_path / "study")
    nodes = [panel.session.volumeNode(case) for case in panel.session.cases()]
    old = [panel.session.labels.node(node) for node in nodes]
    panel.ui.closeStudyButton.click()
    panel.parameters.volumes = nodes
    panel.ui.studyFolderEdit.currentPath = str(tmp_path / "new")
    host.process_events(0.1)
    panel.ui.studyButton.click()
    wait(panel, host)

    assert panel.session is not None and panel.session.folder == tmp_path / "new"
    assert names(panel) == ["organ"]
    for node in nodes:
        labels = panel.session.labels.of(panel.session.caseOf(node))
        assert labels.items() == [] and labels.segmentationNode not in old


def test_ticking_a_volume_proposes_a_folder_that_does_not_exist(panel, host, monkeypatch, tmp_path):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.simulated_data import createSimulatedStudy

    monkeypatch.setattr(slicer.app, "defaultScenePath", str(tmp_path))
    createSimulatedStudy(1)
    host.process_events(0.1)
    assert panel.parameters.studyFolder == ""
    panel.ui.volumeList.item(0).setCheckState(QtCore.Qt.CheckState.Checked)
    host.process_events(0.1)

    proposed = Path(panel.ui.studyFolderEdit.currentPath)
    assert proposed.parent == tmp_path and not proposed.exists()
    proposed.mkdir()
    panel.ui.studyFolderEdit.currentPath = ""
    panel.data.refresh()
    panel.ui.volumeList.item(0).setCheckState(QtCore.Qt.CheckState.Unchecked)
    panel.ui.volumeList.item(0).setCheckState(QtCore.Qt.CheckState.Checked)
    assert Path(panel.parameters.studyFolder) == proposed.with_name(f"{proposed.name} 2")


def test_volumes_that_are_loaded_from_dicom_are_ticked_when_the_user_comes_back(panel, host):
    import slicer

    from USLabelEfficientSegLib.imaging.geometry import Geometry
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import nodeFromVoxels

    def load(name):
        geometry = Geometry((4, 5, 6), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
        return nodeFromVoxels(name, np.arange(120, dtype=np.uint8).reshape(4, 5, 6), geometry)

    load("there before")
    panel.ui.fromDicomButton.click()
    assert slicer.app._main_window.moduleSelector().selectedModule == "DICOM"
    new = load("from DICOM")
    slicer.util.selectModule(NAME)
    host.process_events(0.1)

    assert panel.data.ticked() == [new]
    assert "Loaded 1 volume" in panel.ui.dataStatus.text
    load("loaded by hand")
    slicer.util.selectModule("Data")
    slicer.util.selectModule(NAME)
    assert panel.data.ticked() == [new]


def test_a_study_that_a_script_makes_is_shown(panel, host, tmp_path):
    make_study(tmp_path / "study")
    panel.logic.openStudy(tmp_path / "study")
    host.process_events(0.1)
    assert panel.parameters.studyFolder == str(tmp_path / "study")
    assert panel.ui.closeStudyButton.isVisibleTo(panel.ui.studyButtons)
    panel.logic.closeStudy()
    assert panel.logic.session is None
    assert Study.open(tmp_path / "study").summary()["volumes"] == 2


@pytest.mark.parametrize("column", [1, 2])
def test_a_click_on_a_row_of_a_study_that_was_just_left_does_nothing(panel, monkeypatch, column):
    import qt

    table = panel.data.organ_table
    table.add()
    before = names(panel)
    monkeypatch.setattr(qt.QColorDialog, "getColor", lambda *_: pytest.fail("asked"))
    monkeypatch.setattr(qt.QDialog, "exec_", lambda *_: pytest.fail("asked"))

    table._on_clicked(len(before), column)
    table._on_activated(len(before), column)

    assert names(panel) == before
