"""A kept slice of a large volume is written while the user goes on, and nothing that was kept is lost."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from test_label_step import labelled, paint, suggest, wait
from test_label_step import study as study
from test_label_step import window_size as window_size

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.study.study import Study


@pytest.fixture
def writing(monkeypatch):
    """Every volume counts as a large one, and labels are written when `go_on` is set."""
    from USLabelEfficientSegLib.slicer_side.session import study_labels

    write, go_on = study_labels.write_labels, threading.Event()

    def later(*arguments):
        assert threading.current_thread() is not threading.main_thread()
        assert go_on.wait(20)
        write(*arguments)

    monkeypatch.setattr(study_labels, "_LARGE", 0)
    monkeypatch.setattr(study_labels, "write_labels", later)
    yield go_on
    go_on.set()


def keep(panel, count):
    """Paint and keep the slices that are suggested; returns their labels by (axis, index)."""
    suggest(panel, [(2, 3 + number) for number in range(count)])
    panel.ui.keepSliceButton.click()
    kept = {}
    for number in range(count):
        labels = np.zeros((20, 18), np.uint8)
        labels[3:8, 4 + number : 9] = 1
        paint(panel, 2, 3 + number, labels)
        panel.ui.keepSliceButton.click()
        kept[2, 3 + number] = labels
    return kept


def test_the_panel_goes_on_while_a_kept_slice_is_written(panel, study, host, writing):
    before = labelled(study)
    (place,) = keep(panel, 1)

    assert panel.session.labels.saving.busy and place not in labelled(study) and labelled(study).keys() == before.keys()
    assert panel.session.labels.isLabelled(panel.session.cases()[0], *place)
    writing.set()
    while panel.session.labels.saving.busy:
        host.process_events(0.02)
    wait(panel, host)
    assert place in labelled(study)
    assert panel.session.study.cases[0].labels.slices  # as on disk


def go_away(panel, host, how):
    """What a user does, or Slicer, after which nothing may be lost."""
    import slicer
    from random_user import NAME

    if how == "close":
        panel.close_study()
    elif how == "scene":
        host.clear_scene()
    elif how == "leave":
        slicer.util.selectModule("Data")
    elif how == "unload":
        slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(NAME)
    elif how == "another volume":
        panel.labels.show_volume(panel.session.cases()[1])
        wait(panel, host)
    else:
        panel.signals.labels_needed.emit()


@pytest.mark.parametrize("how", ["close", "scene", "leave", "unload", "train"])
def test_all_kept_slices_are_on_disk_before_anything_else_is_done_with_the_study(panel, study, host, writing, how):
    kept = keep(panel, 3)
    threading.Timer(0.2, writing.set).start()
    go_away(panel, host, how)

    stored = labelled(study)
    for place, labels in kept.items():
        np.testing.assert_array_equal(stored[place], labels)


@pytest.mark.parametrize("how", ["close", "scene", "leave", "unload", "another volume", "train"])
def test_a_stroke_on_a_labelled_slice_is_on_disk_when_the_user_goes_away_at_once(panel, study, host, how):
    keep(panel, 1)
    wait(panel, host)
    panel.labels.show_slice(panel.session.cases()[0], 2, 3)
    corrected = np.zeros((20, 18), np.uint8)
    corrected[10:14, 2:7] = 2
    paint(panel, 2, 3, corrected)
    go_away(panel, host, how)

    np.testing.assert_array_equal(labelled(study)[2, 3], corrected)
    assert not list((study / "kept").iterdir())


def test_labels_of_one_volume_that_cannot_be_saved_keep_no_others_from_being_saved(panel, study, host, monkeypatch):
    labels, (first, second) = panel.session.labels, panel.session.cases()
    save = labels.saveBeside

    def refuses_the_first(case, busy):
        if case == first:
            raise InputError(case, "shows two organs at the same place", "erase one of them there")
        save(case, busy)

    monkeypatch.setattr(labels, "saveBeside", refuses_the_first)
    labels.of(second).setLabels(2, 5, np.ones((20, 18), np.uint8), panel.session.organs())
    for case in (first, second):
        panel.labels.saving.note(case)
    panel.labels.saving.finish()

    assert labelled(study, case=1)[2, 5].all()
    assert panel.ui.labelsStatus.text == f"{first}: shows two organs at the same place; erase one of them there."


def test_what_cannot_be_written_is_told_when_that_is_known(panel, study, host, monkeypatch):
    from USLabelEfficientSegLib.slicer_side.session import study_labels

    def fails(*arguments):
        raise InputError("study", "cannot be written", "make room on its disk")

    monkeypatch.setattr(study_labels, "_LARGE", 0)
    monkeypatch.setattr(study_labels, "write_labels", fails)
    keep(panel, 1)
    while panel.labels.saving._runner.busy:
        host.process_events(0.02)
    assert panel.ui.labelsStatus.text == "study: cannot be written; make room on its disk."


def test_who_leaves_a_study_whose_folder_is_gone_and_has_drawn_nothing_is_told_nothing(panel, study, host):
    import shutil

    import slicer

    shutil.rmtree(study)
    slicer.util.selectModule("Data")
    assert panel.ui.labelsStatus.text == ""


def test_slices_that_were_kept_before_a_kill_are_labels_when_the_study_is_opened_next(
    panel, study, host, writing, tmp_path
):
    import shutil

    kept = keep(panel, 3)
    assert not kept.keys() & labelled(study).keys()
    killed = tmp_path / "as the kill left it"
    shutil.copytree(study, killed, ignore=shutil.ignore_patterns("lock"))
    writing.set()
    panel.close_study()
    assert not list((study / "kept").iterdir())

    panel.data.open(killed)
    wait(panel, host)

    stored = labelled(killed)
    for place, labels in kept.items():
        np.testing.assert_array_equal(stored[place], labels)
    assert panel.session.labels.of(panel.session.cases()[0]).items()[-1].index == 5
    assert not list((killed / "kept").iterdir())


def test_labels_in_the_inbox_are_drawn_on_while_another_program_writes_the_study(panel, study, host):
    from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
    from USLabelEfficientSegLib.study.inbox import leave_labels
    from USLabelEfficientSegLib.study.study import Study

    opened = Study.open(study)
    case = opened.cases[1].name
    labels = SparseLabels.unlabelled(opened.read_scan(case).geometry, opened.organs)
    labels.set_slice(2, 4, np.zeros(labels.voxels.shape[:2], np.uint8))
    panel.close_study()
    host.clear_scene()
    with opened.lock():
        leave_labels(opened, case, labels)
        panel.data.open(study)
        wait(panel, host)
        assert [(s.axis, s.index) for s in panel.session.labels.of(case).items()] == [(2, 4)]


PROGRAM = """
import os, signal, sys
from pathlib import Path
import numpy as np
import slicer_host as host
host.start()
import slicer
from random_user import MODULE, NAME

study = Path(sys.argv[1])
panel = host.load_module(MODULE).panel
slicer.util.selectModule(NAME)
panel.data.open(study)

def wait(until):
    for _ in range(1000):
        if until():
            return
        host.process_events(0.02)
    os._exit(1)

wait(lambda: not panel.runner.busy)
case, organs = panel.session.cases()[0], panel.session.organs()
panel.labels.saving._timer.setInterval(10**6)  # it is killed before
panel.labels.show_slice(case, 2, 3)
panel.session.labels.of(case).setLabels(2, 3, np.zeros((20, 18), np.uint8), organs)
panel.session.labels.save(case, False)
host.process_events(0.1)
wait(lambda: not list((study / "kept").glob("*.json")))
shown, (axis, index) = eval(sys.argv[2])
panel.labels.show_slice(case, *shown)
drawn = np.zeros(np.delete((20, 18, 16), axis), np.uint8)
drawn[3:8, 2:9] = 2
panel.session.labels.of(case).paint(axis, index, drawn, organs)
wait(lambda: list((study / "kept").glob("*.json")))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
@pytest.mark.parametrize("shown", [(2, 3), (0, 5)], ids=["in the view for labelling", "in another view"])
@pytest.mark.parametrize("painted", [(2, 3), (0, 5)], ids=["on a labelled slice", "on one that it crosses"])
def test_a_stroke_that_changes_a_labelled_slice_is_not_lost_by_a_kill_a_moment_later(tmp_path, shown, painted):
    from random_user import make_study

    from USLabelEfficientSegLib.study.waiting_labels import take_waiting

    study = tmp_path / "study"
    make_study(study)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [str(study), repr((shown, painted))]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], env=environment, timeout=120)

    drawn = np.zeros((20, 18), np.uint8)
    if painted == (2, 3):
        drawn[3:8, 2:9] = 2
    else:
        drawn[5, 3:8] = 2
    assert done.returncode == -signal.SIGKILL
    assert not labelled(study)[2, 3].any()
    take_waiting(Study.open(study))
    np.testing.assert_array_equal(labelled(study)[2, 3], drawn)


def test_a_stroke_beside_labelled_slices_writes_nothing_more(panel, study, host):
    keep(panel, 1)
    wait(panel, host)
    kept = []
    panel.session.labels._keeping.save = lambda case, write: kept.append(case)
    paint(panel, 2, 9, np.ones((20, 18), np.uint8))
    host.process_events(0.2)
    assert kept == []
    panel.labels.show_slice(panel.session.cases()[0], 2, 3)
    paint(panel, 2, 3, np.ones((20, 18), np.uint8))
    host.process_events(0.2)
    assert kept == [panel.session.cases()[0]]


@pytest.mark.parametrize("few", [0, 40])
def test_a_stroke_is_kept_also_where_labelled_slices_cross_the_one_that_is_drawn(panel, study, host, monkeypatch, few):
    from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice
    from USLabelEfficientSegLib.slicer_side.session import study_labels

    monkeypatch.setattr(study_labels, "_FEW", few)
    case, organs = panel.session.cases()[0], panel.session.organs()
    labelling = panel.session.labels.of(case)
    for axis, index in ((2, 3), (2, 8), (0, 5), (1, 6)):
        labelling.mark(axis, index)
    panel.session.labels.save(case, False)
    drawn = np.zeros((20, 18), np.uint8)
    drawn[2:9, 3:9] = 1
    for axis, index, labels in ((2, 3, drawn), (0, 5, drawn[:18, :16]), (1, 6, drawn[:, :16]), (0, 9, drawn[:18, :16])):
        labelling.paint(axis, index, labels, organs)
        panel.session.labels.keepDrawn(case, [LabelledSlice(axis, index), LabelledSlice(1, 2)])

        expected, kept = labelling.sliceLabels(organs), panel.session.labels._latest[case]
        assert kept.keys() == expected.keys()
        for place, of_slice in expected.items():
            np.testing.assert_array_equal(kept[place], of_slice)
