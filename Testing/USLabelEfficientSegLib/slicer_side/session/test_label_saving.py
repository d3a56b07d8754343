"""Labels are written beside the event loop: all of them, in their order, and failures are told."""

import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.slicer_side.session.label_saving import LabelSaving


@pytest.fixture
def written():
    return []


def test_it_is_written_in_another_thread_and_all_of_it_when_somebody_waits(written):
    saving = LabelSaving()
    for case in "abc":
        saving.save(case, partial(note, written, case))
    saving.settle()

    assert [case for case, _ in written] == ["a", "b", "c"] and not saving.busy
    assert threading.main_thread() not in [thread for _, thread in written]


def note(written, what):
    written.append((what, threading.current_thread()))


def names(written):
    return [what for what, _ in written]


def test_of_one_case_the_newest_labels_are_written_and_older_ones_that_wait_are_not(written):
    saving, go_on = LabelSaving(), threading.Event()

    def first():
        go_on.wait(10)
        note(written, "first of a")

    saving.save("a", first)
    while saving._waiting:  # it has not begun yet
        time.sleep(0.001)
    for what in ("first of b", "second of a", "second of b"):
        saving.save(what[-1], partial(note, written, what))
    assert saving.busy and written == []
    go_on.set()
    saving.settle()

    assert names(written) == ["first of a", "second of a", "second of b"]


def test_a_failure_is_raised_once_for_who_waits_and_keeps_nothing_else(written):
    def fails():
        raise InputError("study", "cannot be written", "make room")

    saving = LabelSaving()
    saving.save("a", fails)
    saving.save("b", partial(note, written, "b"))
    with pytest.raises(InputError, match="make room"):
        saving.settle()

    assert names(written) == ["b"]
    saving.settle()


def test_small_labels_are_written_when_it_returns(written):
    saving = LabelSaving()
    saving.save("a", partial(note, written, "a"), wait=True)
    assert names(written) == ["a"]


def test_a_process_that_ends_has_written_all(tmp_path):
    program = f"""
import time
from pathlib import Path
from USLabelEfficientSegLib.slicer_side.session.label_saving import LabelSaving
LabelSaving().save("a", lambda: (time.sleep(0.3), Path({str(tmp_path / "written")!r}).touch()))
"""
    paths = f"import sys\nsys.path[:0] = {[path for path in sys.path if path]!r}\n"
    host = "import slicer_host\nslicer_host.start()\n"
    subprocess.run([sys.executable, "-c", paths + host + program], check=True)
    assert (tmp_path / "written").exists()


def test_who_only_waits_takes_no_failure_from_who_asks_for_it():
    def fails():
        raise InputError("study", "cannot be written", "make room")

    saving = LabelSaving()
    saving.save("a", fails)
    saving.wait()
    with pytest.raises(InputError, match="make room"):
        saving.settle()
