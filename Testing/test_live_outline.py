"""While slices are labelled the panel outlines whole organs as far as they are known, and slices begin with them."""

import numpy as np
import pytest
from random_user import child_processes, make_study, make_study_of_images
from test_label_step import add_result, box, labelled, paint, painted, suggest

from USLabelEfficientSegLib.annotation.sparse_labels import UNLABELLED, LabelledSlice
from USLabelEfficientSegLib.study.study import Study


@pytest.fixture
def window_size():
    return 480, 900


@pytest.fixture
def study(panel, host, tmp_path):
    """A study of two volumes is open, the first with labelled slices."""
    make_study(tmp_path / "study")
    panel.data.open(tmp_path / "study")
    until(host, lambda: not panel.runner.busy)
    return tmp_path / "study"


def until(host, condition, seconds=60):
    for _ in range(int(seconds / 0.02)):
        host.process_events(0.02)
        if condition():
            return
    raise AssertionError("nothing happened")


def answered(panel, host):
    until(host, lambda: not panel.labels.outline.busy and not panel.logic.aside.busy)


def outlines():
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import OUTLINE, madeFor

    return madeFor(None, OUTLINE)


def with_labels(panel):
    """The index of a volume with labelled slices, and that of one without."""
    cases = [case.labels is not None for case in panel.session.study.cases]
    return cases.index(True), cases.index(False)


def without_labels(study, case):
    """The slices of a volume that are not labelled, as (axis, index)."""
    known = labelled(study, case)
    return [(2, index) for index in range(16) if (2, index) not in known]


def test_after_a_kept_slice_the_whole_organ_is_outlined_with_its_ml(panel, study, host):
    case, _ = with_labels(panel)
    name = panel.session.cases()[case]
    place, after = without_labels(study, case)[:2]
    panel.labels.show_slice(name, *place)
    answered(panel, host)
    before = panel.ui.outlineLabel.text
    (node,) = outlines()
    paint(panel, place[0], place[1], box()[:, :, 0], case)
    suggest(panel, [after], case)
    panel.ui.keepSliceButton.click()
    answered(panel, host)

    count = len(labelled(study, case))
    assert f"from {count} labelled slices" in panel.ui.outlineLabel.text and " ml" in panel.ui.outlineLabel.text
    assert "organ A" in panel.ui.outlineLabel.text and panel.ui.outlineLabel.text != before
    assert outlines() == [node] and panel.labels.shown_slice() == after
    assert "preview" in node.GetName() and node.GetHideFromEditors() and not node.GetSaveWithScene()
    assert node.GetDisplayVisibility() and not node.GetDisplayNode().GetVisibility2DFill()


def test_the_outline_is_where_the_organ_is(panel, study, host):
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import labelMapFromSegmentation

    case, _ = with_labels(panel)
    session, name = panel.session, panel.session.cases()[case]
    panel.labels.show_volume(name)
    answered(panel, host)

    found = labelMapFromSegmentation(outlines()[0], session.volumeNode(name), session.organs())
    labels = Study.open(study).read_labels(name)
    assert labels is not None
    known = labels.voxels != UNLABELLED
    assert (found[known] == labels.voxels[known]).mean() > 0.9


def test_it_is_no_label_no_result_and_no_segmentation_to_choose(panel, study, host):
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import results

    case, _ = with_labels(panel)
    before = labelled(study, case)
    panel.labels.show_volume(panel.session.cases()[case])
    answered(panel, host)
    (node,) = outlines()

    assert results() == [] and set(labelled(study, case)) == set(before)
    assert node not in panel.ui.segmentationSelector._offered()


def test_a_volume_of_which_nothing_is_known_shows_none(panel, study, host):
    case, other = with_labels(panel)
    panel.labels.show_volume(panel.session.cases()[case])
    answered(panel, host)
    assert outlines()
    panel.labels.show_volume(panel.session.cases()[other])
    assert not outlines()  # at once: it is of another volume
    answered(panel, host)
    assert not outlines() and panel.ui.outlineLabel.text == "" and panel.ui.outlineLabel.isHidden()


def test_the_next_slice_of_a_volume_with_a_labelled_one_begins_with_the_outline(panel, study, host):
    case, _ = with_labels(panel)
    place, after = without_labels(study, case)[6:8]
    suggest(panel, [place, after], case)
    panel.ui.keepSliceButton.click()
    answered(panel, host)

    begun = painted(panel, place[0], place[1], case)
    assert begun.any() and place not in labelled(study, case)
    assert "outline from your labelled slices is painted" in panel.ui.suggestionLabel.text
    panel.ui.keepSliceButton.click()
    answered(panel, host)
    np.testing.assert_array_equal(labelled(study, case)[place], begun)
    assert panel.labels.shown_slice() == after


def test_one_key_empties_a_slice_that_was_begun_and_fills_it_again(panel, study, host):
    case, _ = with_labels(panel)
    place = without_labels(study, case)[6]
    suggest(panel, [place], case)
    panel.ui.keepSliceButton.click()
    answered(panel, host)
    begun = painted(panel, place[0], place[1], case)
    assert panel.ui.outlineSliceButton.text == "Without outline (M)"

    panel.ui.outlineSliceButton.click()
    answered(panel, host)
    assert (
        not painted(panel, place[0], place[1], case).any() and panel.ui.outlineSliceButton.text == "Suggest outline (M)"
    )

    panel.ui.outlineSliceButton.click()
    answered(panel, host)
    np.testing.assert_array_equal(painted(panel, place[0], place[1], case), begun)


def test_what_the_user_draws_before_the_answer_is_not_painted_over(panel, study, host):
    case, _ = with_labels(panel)
    place = without_labels(study, case)[6]
    suggest(panel, [place], case)
    panel.ui.keepSliceButton.click()
    own = np.zeros((20, 18), np.uint8)
    own[1:3, 1:3] = 2
    paint(panel, place[0], place[1], own, case)
    answered(panel, host)
    np.testing.assert_array_equal(painted(panel, place[0], place[1], case), own)

    paint(panel, place[0], place[1], 0 * own, case)  # erased again: it stays the user's
    host.process_events(0.1)
    assert not painted(panel, place[0], place[1], case).any()


def asked_for(monkeypatch):
    """The labels that the worker is told from now on, by slice, newest last."""
    from USLabelEfficientSegLib.slicer_side.session import known_organs

    told, write = [], known_organs._write

    def noted(path, slices):
        told.append(slices)
        write(path, slices)

    monkeypatch.setattr(known_organs, "_write", noted)
    return told


def test_the_first_stroke_in_a_volume_is_continued_before_anything_is_kept(panel, study, host):
    _, other = with_labels(panel)
    name = panel.session.cases()[other]
    panel.labels.show_slice(name, 2, 8)
    answered(panel, host)
    assert not outlines()
    paint(panel, 2, 8, box()[:, :, 8], other)
    answered(panel, host)

    assert "light line, from what you have drawn and not kept" in panel.ui.outlineLabel.text and outlines()
    assert labelled(study, other) == {}

    paint(panel, 2, 8, 0 * box()[:, :, 8], other)  # erased again
    answered(panel, host)
    assert not outlines() and panel.ui.outlineLabel.text == ""


def test_of_a_slice_that_was_begun_only_what_the_user_changes_is_told(panel, study, host, monkeypatch):
    case, _ = with_labels(panel)
    place = without_labels(study, case)[6]
    suggest(panel, [place], case)
    panel.ui.keepSliceButton.click()
    answered(panel, host)
    begun, told = painted(panel, place[0], place[1], case), asked_for(monkeypatch)
    assert begun.any()

    drawn = begun.copy()
    drawn[0, 0], drawn[np.nonzero(begun)[0][0], np.nonzero(begun)[1][0]] = 2, 0
    paint(panel, place[0], place[1], drawn, case)
    answered(panel, host)

    (slices,) = told
    found = slices[LabelledSlice(*place)]
    np.testing.assert_array_equal(found[drawn != begun], drawn[drawn != begun])
    assert set(np.unique(found[(drawn == begun) & (drawn > 0)])) == {UNLABELLED}  # an outline is nobody's word
    assert not found[-3:, -3:].any()  # far from it there is background
    assert len(slices) == 1 + len(labelled(study, case)) and "and what you have drawn" in panel.ui.outlineLabel.text


def test_a_click_beside_the_outline_leads_to_the_slice_of_the_volume_to_draw_next(panel, study, host):
    from USLabelEfficientSegLib.slicer_side.nodes.slice_views import sliceName

    _, other = with_labels(panel)
    name, button = panel.session.cases()[other], panel.ui.nextInVolumeButton
    suggest(panel, [(2, 15)], other)
    panel.labels.show_slice(name, 2, 8)
    answered(panel, host)
    assert button.isHidden()  # nothing is known of the volume
    paint(panel, 2, 8, box()[:, :, 8], other)
    answered(panel, host)
    across = [sliceName(panel.session.node(name), 0, index) for index in range(2, 6)]  # through the box
    assert button.text in [f"Draw next: {one}" for one in across]
    offered = button.text

    host.hands.click(button)
    answered(panel, host)
    place = panel.labels.shown_slice()
    assert panel.labels.case == name and button.isHidden()
    assert offered == f"Draw next: {sliceName(panel.session.node(name), *place)}"
    assert "of this volume it tells most now" in panel.ui.suggestionLabel.text
    assert labelled(study, other) == {} and painted(panel, 2, 8, other).any()  # what was drawn waits for Keep
    panel.labels.show_slice(name, 2, 8)
    until(host, lambda: not button.isHidden())  # in another slice it is offered again

    host.hands.click(button)
    answered(panel, host)
    place = panel.labels.shown_slice()
    paint(panel, place[0], place[1], box().take(place[1], axis=0), other)
    host.hands.click(panel.ui.keepSliceButton)
    answered(panel, host)
    assert place in labelled(study, other) and button.text != offered and not button.isHidden()


def test_a_label_that_is_corrected_is_outlined_before_it_is_saved(panel, study, host, monkeypatch):
    case, _ = with_labels(panel)
    place, before = next(iter(labelled(study, case).items()))
    panel.labels.show_slice(panel.session.cases()[case], *place)
    answered(panel, host)
    told = asked_for(monkeypatch)
    monkeypatch.setattr(panel.labels.saving, "note_stroke", lambda case: None)

    corrected = before.copy()
    corrected[:3, :3] = 2
    paint(panel, place[0], place[1], corrected, case)
    answered(panel, host)

    (slices,) = told
    np.testing.assert_array_equal(slices[LabelledSlice(*place)], corrected)
    np.testing.assert_array_equal(labelled(study, case)[place], before)
    assert "what you have drawn" not in panel.ui.outlineLabel.text


def test_a_result_is_preferred_and_the_worker_need_not_be_asked_for_the_slice(panel, study, host):
    case, _ = with_labels(panel)
    place = without_labels(study, case)[6]
    add_result(panel, box(), case)
    suggest(panel, [place], case)
    panel.ui.keepSliceButton.click()
    np.testing.assert_array_equal(painted(panel, place[0], place[1], case), box()[:, :, place[1]])


def test_the_switch_under_advanced_takes_it_away_and_brings_it_back(panel, study, host):
    case, _ = with_labels(panel)
    panel.labels.show_volume(panel.session.cases()[case])
    answered(panel, host)
    panel.ui.outlineCheckBox.click()
    assert not outlines() and panel.ui.outlineLabel.text == "" and not panel.parameters.outline
    place = without_labels(study, case)[6]
    suggest(panel, [place], case)
    panel.ui.nextSliceButton.click()
    host.process_events(0.3)
    assert not outlines() and not painted(panel, place[0], place[1], case).any()

    panel.ui.outlineCheckBox.click()
    answered(panel, host)
    assert outlines() and panel.ui.outlineLabel.text


def test_a_newer_request_replaces_an_older_one(panel, study, host, monkeypatch):
    from USLabelEfficientSegLib.slicer_side.processes.resident_worker import ResidentWorker

    asked, ask = [], ResidentWorker.ask

    def noted(worker, request, **told):
        asked.append(ask(worker, request, **told))
        return asked[-1]

    monkeypatch.setattr(ResidentWorker, "ask", noted)
    case, _ = with_labels(panel)
    name = panel.session.cases()[case]
    panel.labels.show_volume(name)
    until(host, lambda: asked)
    panel.labels.outline.ask(name)
    panel.labels.outline.ask(name)
    answered(panel, host)

    ends = [one.wait(60) for one in asked]
    assert [end and end.state for end in ends] == ["cancelled", "done"]


def test_a_killed_worker_is_started_again_and_answers(panel, study, host):
    import os
    import signal

    case, _ = with_labels(panel)
    name = panel.session.cases()[case]
    panel.labels.show_volume(name)
    answered(panel, host)
    os.kill(panel.session.resident.pid, signal.SIGKILL)
    panel.labels.outline.ask(name)
    answered(panel, host)
    assert "labelled slices" in panel.ui.outlineLabel.text and outlines()


def test_a_failure_is_told_in_the_line(panel, study, host):
    case, _ = with_labels(panel)
    name = panel.session.cases()[case]
    panel.labels.show_volume(name)
    answered(panel, host)
    (study / panel.session.study.case(name).image.file).unlink()
    panel.session.resident.end()  # it has kept the volume

    panel.labels.outline.ask(name)
    answered(panel, host)
    assert panel.ui.outlineLabel.text.startswith("No outline while you paint: ") and not outlines()


@pytest.mark.parametrize("how", ["close", "scene", "leave"])
def test_it_goes_with_the_study_the_scene_and_the_module(panel, study, host, how):
    import slicer

    case, _ = with_labels(panel)
    panel.labels.show_volume(panel.session.cases()[case])
    answered(panel, host)
    panel.labels.outline.ask(panel.session.cases()[case])
    if how == "close":
        panel.close_study()
    elif how == "scene":
        host.clear_scene()
    else:
        slicer.util.selectModule("Data")
    host.process_events(0.3)

    assert not outlines() and not panel.labels.outline.busy and panel.ui.outlineLabel.text == ""
    assert panel.ui.nextInVolumeButton.isHidden()
    assert len(child_processes()) == (1 if how == "leave" else 0)


def test_a_study_of_images_has_none(panel, host, tmp_path):
    make_study_of_images(tmp_path / "images")
    panel.data.open(tmp_path / "images")
    until(host, lambda: not panel.runner.busy)
    case = next(case.name for case in panel.session.study.cases if case.labels is not None)
    panel.labels.show_volume(case)
    answered(panel, host)
    assert not outlines() and panel.ui.outlineLabel.text == ""
