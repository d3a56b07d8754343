"""Step 2 of the panel in the host: slice after slice is kept, begun with a result, taken back; keys; views."""

import numpy as np
import pytest
from random_user import make_study
from slicer_host.hands import press, type_text

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.study.study import Study

SHAPE = (20, 18, 16)


@pytest.fixture
def window_size():
    return 480, 900


@pytest.fixture
def study(panel, host, tmp_path):
    """A study of two volumes is open, and three slices of the first one are suggested."""
    make_study(tmp_path / "study")
    panel.data.open(tmp_path / "study")
    wait(panel, host)
    suggest(panel, [(2, 3), (2, 4), (1, 5)])
    return tmp_path / "study"


def wait(panel, host):
    while panel.runner.busy:
        host.process_events(0.02)
    host.process_events(0.1)


def written(panel, host):
    """Wait until what was kept or taken back is on disk, however busy the computer is."""
    while panel.session.labels.saving.busy:
        host.process_events(0.02)
    host.process_events(0.1)


def suggest(panel, slices, case=0):
    name = panel.session.cases()[case]
    records = [{"volume": name, "axis": axis, "index": index, "reason": "no model yet."} for axis, index in slices]
    panel.session.suggestions.fill(records)


def labelled(study, case=0):
    """The labelled slices on disk, and their labels."""
    opened = Study.open(study)
    labels = opened.read_labels(opened.cases[case].name)
    return {} if labels is None else {(s.axis, s.index): labels.of_slice(s) for s in labels.labelled_slices()}


def painted(panel, axis, index, case=0):
    from USLabelEfficientSegLib.slicer_side.steps.slice_work import Place, _painted

    return _painted(panel.session, Place(panel.session.cases()[case], axis, index))


def paint(panel, axis, index, labels, case=0):
    panel.session.labels.of(panel.session.cases()[case]).paint(axis, index, labels, panel.session.organs())


def add_result(panel, labels, case=0):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import segmentationFromLabelMap
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, attach

    node = panel.session.volumeNode(panel.session.cases()[case])
    result = segmentationFromLabelMap(labels, node, panel.session.organs(), "result")
    attach(result, node, RESULT)
    return node


def box():
    """A label map with the first organ in a corner of every slice."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:6, 3:8] = 1
    return labels


def test_keep_and_next_keeps_what_is_painted_and_shows_the_next_slice_in_one_go(panel, study, host):
    ui = panel.ui
    assert ui.keepSliceButton.text == "Next slice (N)" and ui.labelTable.horizontalHeaderItem(0).text() == "Volume"
    ui.keepSliceButton.click()
    host.process_events(0.1)
    assert panel.labels.shown_slice() == (2, 3) and ui.keepSliceButton.text == "Keep and next (N)"
    drawn = box()[:, :, 3]
    paint(panel, 2, 3, drawn)
    ui.keepSliceButton.click()
    host.process_events(0.1)

    np.testing.assert_array_equal(labelled(study)[2, 3], drawn)
    assert panel.labels.shown_slice() == (2, 4)
    assert panel.labels.editor.activeEffect().name == "Paint"
    assert ui.labelsStatus.text == "Labelled: axial, slice 4 of 16."


def test_the_keys_n_o_and_shift_n_do_it_too_and_are_text_in_a_text_field(panel, study, host):
    import slicer

    window = slicer.util.mainWindow()
    window.show()
    for key in ("N", "O", "N"):
        press(key, window)
        host.process_events(0.1)
    assert {(2, 3), (2, 4)} <= set(labelled(study)) and not labelled(study)[2, 3].any()
    assert panel.labels.shown_slice() == (1, 5)

    press("Shift+N", window)
    host.process_events(0.1)
    assert (2, 4) not in labelled(study) and panel.labels.shown_slice() == (2, 4)

    panel.ui.trainStep.collapsed = panel.ui.trainAdvanced.collapsed = False
    host.process_events(0.05)
    panel.ui.changesEdit.setFocus()
    type_text("no", panel.ui.changesEdit)
    assert panel.ui.changesEdit.text == "no" and panel.labels.shown_slice() == (2, 4)


def test_keys_are_let_go_when_the_user_leaves_and_do_nothing_where_the_step_is_folded(panel, study, host):
    import slicer

    window = slicer.util.mainWindow()
    window.show()
    panel.ui.labelStep.collapsed = True
    press("N", window)
    host.process_events(0.1)
    assert panel.labels.case is None
    panel.ui.labelStep.collapsed = False
    slicer.util.selectModule("Data")
    press("N", window)
    host.process_events(0.1)
    assert panel.labels.case is None


def test_undo_brings_back_what_was_erased_and_then_the_slice_before(panel, study, host):
    ui = panel.ui
    before = set(labelled(study))
    assert not ui.undoSliceButton.enabled and "No label was kept" in ui.undoSliceButton.toolTip
    ui.keepSliceButton.click()
    paint(panel, 2, 3, box()[:, :, 3])
    ui.keepSliceButton.click()
    paint(panel, 2, 4, box()[:, :, 4])
    ui.emptySliceButton.click()
    host.process_events(0.1)
    assert not painted(panel, 2, 4).any()

    ui.undoSliceButton.click()
    written(panel, host)
    assert panel.labels.shown_slice() == (2, 4) and (2, 4) not in labelled(study)
    np.testing.assert_array_equal(painted(panel, 2, 4), box()[:, :, 4])
    ui.undoSliceButton.click()
    written(panel, host)
    assert panel.labels.shown_slice() == (2, 3) and set(labelled(study)) == before
    assert not ui.undoSliceButton.enabled


def test_a_suggested_slice_is_begun_with_the_result_and_is_no_label_before_it_is_kept(panel, study, host):
    ui = panel.ui
    add_result(panel, box())
    ui.keepSliceButton.click()
    host.process_events(0.1)
    np.testing.assert_array_equal(painted(panel, 2, 3), box()[:, :, 3])
    assert "The model's outline is painted" in ui.suggestionLabel.text and (2, 3) not in labelled(study)

    ui.nextSliceButton.click()  # passed over: nothing of it stays
    host.process_events(0.1)
    assert not painted(panel, 2, 3).any() and painted(panel, 2, 4).any()
    corrected = box()[:, :, 4]
    corrected[2, :] = 0
    paint(panel, 2, 4, corrected)
    ui.keepSliceButton.click()
    host.process_events(0.1)
    np.testing.assert_array_equal(labelled(study)[2, 4], corrected)


def test_what_the_user_has_drawn_is_not_painted_over_by_a_result(panel, study, host):
    add_result(panel, box())
    own = np.zeros(SHAPE[:2], np.uint8)
    own[10:14, 10:14] = 2
    paint(panel, 2, 3, own)
    panel.ui.keepSliceButton.click()
    host.process_events(0.1)
    np.testing.assert_array_equal(painted(panel, 2, 3), own)
    panel.ui.outlineSliceButton.click()
    assert "is drawn on already" in panel.ui.labelsStatus.text
    np.testing.assert_array_equal(painted(panel, 2, 3), own)


def test_a_slice_of_a_result_is_corrected_in_this_step(panel, study, host):
    panel.ui.labelStep.collapsed = True
    node = add_result(panel, box(), case=1)
    panel.signals.correction_wanted.emit(node, 2, 7)
    host.process_events(0.1)
    assert not panel.ui.labelStep.collapsed
    assert panel.labels.case == panel.session.cases()[1] and panel.labels.shown_slice() == (2, 7)
    np.testing.assert_array_equal(painted(panel, 2, 7, case=1), box()[:, :, 7])
    panel.ui.keepSliceButton.click()
    np.testing.assert_array_equal(labelled(study, case=1)[2, 7], box()[:, :, 7])


def segmentation_of(panel, labels, case=0, names=None):
    """A segmentation that the user had before the study."""
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed, segmentationFromLabelMap

    organs = panel.session.organs() if names is None else organsNamed(names)
    node = panel.session.volumeNode(panel.session.cases()[case])
    return segmentationFromLabelMap(labels, node, organs, "mine")


@pytest.mark.parametrize(("choice", "count"), [(0, 4), (1, 16)])
def test_a_segmentation_of_the_scene_becomes_labels(panel, study, host, choice, count):
    labels = box()
    labels[:, :, 4:] = 0
    known = labelled(study)
    ui = panel.ui
    ui.segmentationSelector.setCurrentNode(segmentation_of(panel, labels))
    ui.takeSlicesCombo.currentIndex = choice
    host.process_events(0.1)
    ui.takeSegmentationButton.click()
    wait(panel, host)

    now = labelled(study)
    for index in range(4 if choice == 0 else 16):
        expected = known.get((2, index), labels[:, :, index])  # what was labelled already stays
        np.testing.assert_array_equal(now[2, index], expected)
    taken = {index for axis, index in now if axis == 2} - {index for axis, index in known if axis == 2}
    assert f"{len(taken)} slices of {panel.session.cases()[0]} are labels now" in ui.labelsStatus.text
    assert len({index for axis, index in now if axis == 2}) == max(count, len(taken))


def test_a_segmentation_without_the_organs_is_refused_in_a_sentence(panel, study, host):
    before = labelled(study)
    panel.ui.segmentationSelector.setCurrentNode(segmentation_of(panel, box(), names=["spleen"]))
    host.process_events(0.1)
    panel.ui.takeSegmentationButton.click()
    wait(panel, host)
    assert "name one segment organ A" in panel.ui.labelsStatus.text
    assert set(labelled(study)) == set(before)


def test_the_segmentation_of_another_volume_is_refused(panel, study):
    from USLabelEfficientSegLib.slicer_side.session.segmentations_as_labels import case_of_segmentation

    session = panel.session
    node = session.volumeNode(session.cases()[0])
    own = session.labels.of(session.cases()[0]).segmentationNode
    with pytest.raises(InputError, match="holds the labels of this volume"):
        case_of_segmentation(session, own, None)
    drawn = segmentation_of(panel, box())
    node.SetAttribute("USLabelEfficientSeg.Study", "another")
    with pytest.raises(InputError, match="is not drawn on a volume of this study"):
        case_of_segmentation(session, drawn, session.cases()[1])


def test_no_tool_of_the_editor_reaches_into_other_slices(panel, study, host):
    panel.labels.show_slice(panel.session.cases()[0], 2, 3)
    editor = panel.labels.editor
    assert list(editor.effectNameOrder()) == ["Paint", "Draw", "Erase"] and not editor.unorderedEffectsVisible
    for name in ("Paint", "Erase"):
        assert editor.effectByName(name).integerParameter("BrushSphere") == 0


def test_slices_are_shown_in_whatever_view_the_layout_has(panel, study, host):
    import slicer

    manager, nodes = slicer.app.layoutManager(), slicer.vtkMRMLLayoutNode
    case = panel.session.cases()[0]
    manager.setLayout(nodes.SlicerLayoutOneUpGreenSliceView)
    panel.labels.show_slice(case, 2, 3)
    host.process_events(0.1)
    assert panel.labels.slice_node().GetLayoutName() == "Green" and panel.labels.shown_slice() == (2, 3)
    suggest(panel, [(2, 5)])
    panel.ui.nextSliceButton.click()
    assert "in the green view" in panel.ui.suggestionLabel.text

    manager.setLayout(nodes.SlicerLayoutOneUp3DView)
    panel.labels.show_slice(case, 2, 4)
    assert manager.layout == nodes.SlicerLayoutOneUpRedSliceView and panel.labels.shown_slice() == (2, 4)
    slicer.util.selectModule("Data")
    assert manager.layout == nodes.SlicerLayoutOneUp3DView


def test_the_users_layout_comes_back_unless_the_user_has_chosen_another(host):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.layouts import restore_layout, show_layout

    manager, nodes = slicer.app.layoutManager(), slicer.vtkMRMLLayoutNode
    manager.setLayout(nodes.SlicerLayoutFourUpView)
    show_layout(nodes.SlicerLayoutConventionalPlotView)
    show_layout(nodes.SlicerLayoutOneUpRedSliceView)
    restore_layout()
    assert manager.layout == nodes.SlicerLayoutFourUpView
    show_layout(nodes.SlicerLayoutConventionalPlotView)
    manager.setLayout(nodes.SlicerLayoutOneUp3DView)
    restore_layout()
    assert manager.layout == nodes.SlicerLayoutOneUp3DView
    manager.setLayout(nodes.SlicerLayoutFourUpView)


@pytest.mark.parametrize(("there", "made"), [("scan 1", "scan [1]"), ("scanner", "scan*")])
def test_names_with_signs_of_a_pattern_are_names(host, there, made):
    import slicer

    from USLabelEfficientSegLib.imaging.geometry import Geometry
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed, segmentationFromLabelMap
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import nodeFromVoxels

    geometry = Geometry(SHAPE, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    volume = nodeFromVoxels("volume", np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.int16), geometry)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", there)
    names = [segmentationFromLabelMap(box(), volume, organsNamed(["liver"]), made).GetName() for _ in range(2)]

    assert names[0] == made and names[1] != made
