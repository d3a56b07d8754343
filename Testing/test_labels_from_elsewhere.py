"""Labels that another program adds to an open study are shown beside the user's, and no save replaces them."""

import numpy as np
import pytest
from test_label_step import paint, painted, wait, written
from test_label_step import study as study
from test_label_step import window_size as window_size

from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.study.inbox import newest_labels
from USLabelEfficientSegLib.study.study import Study


def drawn(start, value=1):
    """Labels of a slice of axis 2."""
    labels = np.zeros((20, 18), np.uint8)
    labels[start : start + 5, 4:9] = value
    return labels


def labelled(study, case=0):
    """The labelled slices on disk, also those that wait for the end of a job, and their labels."""
    opened = Study.open(study)
    labels = newest_labels(opened, opened.cases[case].name)
    return {} if labels is None else {(s.axis, s.index): labels.of_slice(s) for s in labels.labelled_slices()}


def elsewhere(study, places, case=0, removed=()):
    """What another program does with the study: labels of slices of axis 2 by their index, and some taken back."""
    opened = Study.open(study)
    name = opened.cases[case].name
    labels = opened.read_labels(name) or SparseLabels.unlabelled(opened.read_scan(name).geometry, opened.organs)
    for index in removed:
        labels.clear_slice(2, index)
    for index, of_slice in places.items():
        labels.set_slice(2, index, of_slice)
    opened.set_labels(name, labels)


def look(panel, host):
    """The panel is brought up to date, as after anything that its user does."""
    panel.refresh()
    host.process_events(0.02)
    while panel.labels.saving._reader.busy or panel.labels.saving._runner.busy:
        host.process_events(0.02)
    written(panel, host)


def marked(panel, case=0):
    items = panel.session.labels.of(panel.session.cases()[case]).items()
    return {s.index for s in items if s.axis == 2}


def keep(panel, index, labels):
    """The user draws on a slice and keeps it."""
    panel.labels.show_slice(panel.session.cases()[0], 2, index)
    paint(panel, 2, index, labels)
    panel.ui.keepSliceButton.click()


def test_added_slices_are_shown_and_marked_at_the_next_look(panel, study, host):
    before = marked(panel)
    elsewhere(study, {9: drawn(3), 11: drawn(7, 2)})
    look(panel, host)

    assert marked(panel) == before | {9, 11}
    np.testing.assert_array_equal(painted(panel, 2, 9), drawn(3))
    np.testing.assert_array_equal(painted(panel, 2, 11), drawn(7, 2))
    name = panel.session.cases()[0]
    assert panel.ui.labelsStatus.text == (
        f"Labelled elsewhere, and shown now: {name}, axial, slice 10 of 16, axial, slice 12 of 16."
    )
    keep(panel, 3, drawn(2))
    look(panel, host)
    assert {(2, 3), (2, 9), (2, 11)} <= set(labelled(study))


def test_a_save_keeps_slices_that_nobody_has_looked_at_and_shows_them(panel, study, host):
    panel.labels.show_slice(panel.session.cases()[0], 2, 3)
    elsewhere(study, {9: drawn(3)})
    paint(panel, 2, 3, drawn(2))
    panel.ui.keepSliceButton.click()
    look(panel, host)

    np.testing.assert_array_equal(labelled(study)[2, 3], drawn(2))
    np.testing.assert_array_equal(labelled(study)[2, 9], drawn(3))
    assert {3, 9} <= marked(panel)
    np.testing.assert_array_equal(painted(panel, 2, 9), drawn(3))
    assert not (study / "set_aside").exists()


def test_a_slice_that_two_have_drawn_is_the_users_label_and_the_other_is_set_aside_and_told(panel, study, host):
    from USLabelEfficientSegLib.study.label_merging import merge_labels

    panel.labels.show_slice(panel.session.cases()[0], 2, 3)
    elsewhere(study, {3: drawn(9, 2), 9: drawn(3)})
    paint(panel, 2, 3, drawn(2))
    panel.ui.keepSliceButton.click()
    host.process_events(0.05)
    while panel.labels.saving._runner.busy:
        host.process_events(0.02)
    told = panel.ui.setAsideLabel.text
    look(panel, host)

    np.testing.assert_array_equal(labelled(study)[2, 3], drawn(2))
    assert (2, 9) in labelled(study)
    (folder,) = (study / "set_aside").iterdir()
    name = panel.session.cases()[0]
    assert f"Others have drawn the same slices of {name} meanwhile: yours are labels, theirs lie in {folder}." == told
    opened = Study.open(study)  # and it can be taken as it lies there
    with opened.lock():
        (taken,) = merge_labels(opened, folder)
    assert [(s.axis, s.index) for s in taken.replaced] == [(2, 3)] and not taken.added
    look(panel, host)
    np.testing.assert_array_equal(painted(panel, 2, 3), drawn(9, 2))


def test_a_drawing_that_is_not_kept_stays_on_a_slice_that_was_labelled_elsewhere(panel, study, host):
    panel.labels.show_slice(panel.session.cases()[0], 2, 9)
    paint(panel, 2, 9, drawn(2))
    elsewhere(study, {9: drawn(8, 2)})
    host.process_events(1.2)  # what was drawn is looked at first
    look(panel, host)

    np.testing.assert_array_equal(painted(panel, 2, 9), drawn(2))
    assert 9 not in marked(panel) and "under what you have drawn and not kept" in panel.ui.labelsStatus.text
    keep(panel, 3, drawn(4))
    look(panel, host)
    np.testing.assert_array_equal(labelled(study)[2, 9], drawn(8, 2))
    np.testing.assert_array_equal(painted(panel, 2, 9), drawn(2))


def test_a_slice_that_was_corrected_or_taken_back_elsewhere_is_so_here(panel, study, host):
    keep(panel, 3, drawn(2))
    keep(panel, 5, drawn(2))
    look(panel, host)
    elsewhere(study, {3: drawn(6, 2)}, removed=[5])
    look(panel, host)

    np.testing.assert_array_equal(painted(panel, 2, 3), drawn(6, 2))
    assert 3 in marked(panel) and 5 not in marked(panel)
    keep(panel, 7, drawn(1))
    look(panel, host)
    assert (2, 5) not in labelled(study)
    np.testing.assert_array_equal(labelled(study)[2, 3], drawn(6, 2))


def test_a_slice_that_the_user_takes_back_is_gone_and_what_was_added_elsewhere_stays(panel, study, host):
    keep(panel, 3, drawn(2))
    look(panel, host)
    elsewhere(study, {9: drawn(3)})
    panel.ui.undoSliceButton.click()
    look(panel, host)

    assert (2, 3) not in labelled(study) and (2, 9) in labelled(study)
    assert 3 not in marked(panel) and 9 in marked(panel)


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_scene_that_is_older_than_its_study_does_not_bring_old_labels_back(panel, study, host, forgotten):
    from USLabelEfficientSegLib.slicer_side.session.held_labels import STORED

    keep(panel, 3, drawn(2))
    look(panel, host)
    name = panel.session.cases()[0]
    node = panel.session.labels.of(name).segmentationNode
    panel.close_study()
    elsewhere(study, {3: drawn(6, 2), 9: drawn(3)})
    if forgotten:  # a scene that an earlier version has saved
        node.SetAttribute(STORED, None)
    panel.data.open(study)
    wait(panel, host)
    look(panel, host)
    keep(panel, 7, drawn(1))
    look(panel, host)

    assert panel.session.labels.of(name).segmentationNode is node and {3, 7, 9} <= marked(panel)
    assert {(2, 3), (2, 7), (2, 9)} <= set(labelled(study))
    np.testing.assert_array_equal(labelled(study)[2, 3], drawn(2) if forgotten else drawn(6, 2))
    assert (study / "set_aside").exists() == forgotten


def test_what_was_drawn_in_a_scene_without_the_panel_becomes_a_label_when_the_study_is_opened(panel, study, host):
    name = panel.session.cases()[0]
    node = panel.session.labels.of(name).segmentationNode
    labelling, organs = panel.session.labels.of(name), panel.session.organs()
    panel.close_study()
    labelling.setLabels(2, 6, drawn(5), organs)
    elsewhere(study, {9: drawn(3)})
    panel.data.open(study)
    wait(panel, host)
    look(panel, host)
    host.process_events(1.2)
    look(panel, host)

    assert panel.session.labels.of(name).segmentationNode is node
    np.testing.assert_array_equal(labelled(study)[2, 6], drawn(5))
    np.testing.assert_array_equal(labelled(study)[2, 9], drawn(3))


def test_labels_that_were_added_during_a_training_and_after_it_are_all_there(panel, study, host):
    """The panel's inbox is taken later than `study label` adds a slice."""
    from USLabelEfficientSegLib.slicer_side.session.study_session import StudySession

    name = panel.session.cases()[0]
    panel.session.labels.of(name).setLabels(2, 3, drawn(2), panel.session.organs())
    panel.session.labels.save(name, studyIsBusy=True)
    assert Study.open(study).read_labels(name) is None and list((study / "new_labels").iterdir())
    elsewhere(study, {9: drawn(3)})
    StudySession(study).labels.takeLeft()

    assert {(2, 3), (2, 9)} <= set(labelled(study)) and not list((study / "new_labels").iterdir())
    look(panel, host)
    assert {3, 9} <= marked(panel)


def test_strokes_in_a_slice_that_is_not_labelled_stay_in_the_study_whatever_is_kept(panel, study, host):
    opened = Study.open(study)
    name = opened.cases[0].name
    labels = opened.read_labels(name) or SparseLabels.unlabelled(opened.read_scan(name).geometry, opened.organs)
    labels.set_slice(2, 9, drawn(3))
    labels.voxels[5, 5, 12] = 2
    opened.set_labels(name, labels)
    look(panel, host)
    for index in (3, 5):
        keep(panel, index, drawn(2))
        look(panel, host)

    stored = newest_labels(Study.open(study), name)
    assert stored is not None and stored.voxels[5, 5, 12] == 2 and {(2, 3), (2, 5), (2, 9)} <= set(labelled(study))


def conflict_while_closed(panel, study, kept=False):
    """The study is closed, and a slice that waits for it was drawn otherwise by another program; returns the case."""
    from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice
    from USLabelEfficientSegLib.study.inbox import Held, leave_labels
    from USLabelEfficientSegLib.study.kept_slices import KeptSlices

    panel.close_study()
    opened = Study.open(study)
    name = opened.cases[0].name
    if kept:
        KeptSlices().write(opened, name, {LabelledSlice(2, 3): drawn(2)}, {})
    else:
        labels = SparseLabels.unlabelled(opened.read_scan(name).geometry, opened.organs)
        labels.set_slice(2, 3, drawn(2))
        leave_labels(opened, name, labels, Held())
    elsewhere(study, {3: drawn(9, 2)})
    return name


def told(panel, study, name):
    """Whether the panel tells of a conflict and where the other drawing lies."""
    (folder,) = (study / "set_aside").iterdir()
    sentence = f"Others have drawn the same slices of {name} meanwhile: yours are labels, theirs lie in {folder}."
    row = panel.ui.setAsideRow
    return panel.ui.setAsideLabel.text == sentence and not row.isHidden()


@pytest.mark.parametrize("kept", [False, True])
def test_a_conflict_that_is_found_when_a_study_is_opened_is_told_until_it_was_read(panel, study, host, kept):
    assert panel.ui.setAsideRow.isHidden()
    name = conflict_while_closed(panel, study, kept)
    panel.data.open(study)
    wait(panel, host)
    look(panel, host)
    assert told(panel, study, name)

    panel.labels.show_slice(name, 2, 5)
    panel.ui.keepSliceButton.click()
    look(panel, host)
    assert told(panel, study, name)
    panel.ui.setAsideButton.click()
    look(panel, host)
    assert panel.ui.setAsideLabel.text == "" and panel.ui.setAsideRow.isHidden()


def test_a_conflict_of_kept_slices_is_told_also_while_another_program_writes_the_study(panel, study, host):
    name = conflict_while_closed(panel, study, kept=True)
    with Study.open(study).lock():
        panel.data.open(study)
        wait(panel, host)
        assert told(panel, study, name) and not list((study / "kept").iterdir())
    np.testing.assert_array_equal(labelled(study)[2, 3], drawn(2))


def test_a_conflict_is_told_while_the_next_slice_is_one_of_another_volume(panel, study, host):
    panel.labels.show_slice(panel.session.cases()[0], 2, 3)
    elsewhere(study, {3: drawn(9, 2)})
    paint(panel, 2, 3, drawn(2))
    panel.session.suggestions.fill([{"volume": panel.session.cases()[1], "axis": 2, "index": 4, "reason": ""}])
    panel.ui.keepSliceButton.click()
    look(panel, host)

    assert panel.labels.case == panel.session.cases()[1] and told(panel, study, panel.session.cases()[0])


def test_a_conflict_that_is_found_at_the_start_of_a_training_is_told_while_it_runs(panel, study, host, monkeypatch):
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job

    go_on: list[bool] = []

    def work(self, arguments, *_more, **_how):
        while arguments[0] == "train" and not go_on:
            yield

    monkeypatch.setattr(Job, "work", work)
    name = panel.session.cases()[0]
    panel.session.labels.of(name).setLabels(2, 3, drawn(2), panel.session.organs())
    panel.session.labels.save(name, studyIsBusy=True)
    elsewhere(study, {3: drawn(9, 2)})
    panel.ui.trainButton.click()
    host.process_events(0.3)

    assert panel.runner.busy and told(panel, study, name)
    go_on.append(True)
    wait(panel, host)
    assert told(panel, study, name)


def test_a_kept_file_that_fits_no_volume_is_told_when_the_study_is_opened(panel, study, host):
    panel.close_study()
    file = study / "kept" / "gone.nrrd.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text('{"case": "gone", "slices": []}')
    panel.data.open(study)
    wait(panel, host)

    assert panel.ui.setAsideLabel.text == (
        f"{file}: holds slices of gone, which is not in this study; label its slices again, then remove the file."
    )
    panel.close_study()
    assert panel.ui.setAsideLabel.text == ""
