"""What a killed run has done is known, and nothing else counts as done."""

import os
from pathlib import Path

import pytest
from cohort_work import make_tasks

from USLabelEfficientSegLib.cohort.journal import Journal
from USLabelEfficientSegLib.cohort.tasks import Outcome
from USLabelEfficientSegLib.errors import InputError

HOW = {"command": "double", "factor": 2}
DONE = Outcome(({"case": "a", "twice": 2.0, "note": None},))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "out" / "table.csv"


def test_what_was_done_is_found_again(table, tmp_path):
    first, second, third = make_tasks(tmp_path / "in", {"a": "1", "b": "x", "c": "3"})
    with Journal(table, HOW) as journal:
        journal.append(first, DONE)
        journal.append(second, Outcome(failure="b: is broken; mend it."))

    with Journal(table, HOW) as journal:
        assert [journal.is_done(task) for task in (first, second, third)] == [True, False, False]
        assert [(entry.name, entry.rows, entry.failure) for entry in journal.entries()] == [
            ("a", [{"case": "a", "twice": 2.0, "note": None}], None),
            ("b", [], "b: is broken; mend it."),
        ]


@pytest.mark.parametrize("bytes_left", [1, 20, 60])
def test_half_a_line_is_cut_off_and_its_task_is_done_again(table, tmp_path, bytes_left):
    first, second = make_tasks(tmp_path / "in", {"a": "1", "b": "2"})
    with Journal(table, HOW) as journal:
        journal.append(first, DONE)
        whole = journal.path.stat().st_size
        journal.append(second, DONE)
    os.truncate(journal.path, whole + bytes_left)

    with Journal(table, HOW) as journal:
        assert journal.is_done(first) and not journal.is_done(second)
        assert journal.path.stat().st_size == whole
        journal.append(second, DONE)
    with Journal(table, HOW) as journal:
        assert [entry.name for entry in journal.entries()] == ["a", "b"]


def test_the_last_line_on_a_task_counts(table, tmp_path):
    (task,) = make_tasks(tmp_path / "in", {"a": "1"})
    with Journal(table, HOW) as journal:
        journal.append(task, Outcome(failure="a: is broken; mend it."))
        journal.append(task, DONE)

        assert journal.is_done(task)
        assert [entry.failure for entry in journal.entries()] == [None]


def test_a_changed_file_and_a_result_that_is_gone_are_done_again(table, tmp_path):
    from dataclasses import replace

    first, second = make_tasks(tmp_path / "in", {"a": "1", "b": "2"})
    second = replace(second, results=(tmp_path / "b.out",))
    second.results[0].touch()
    with Journal(table, HOW) as journal:
        journal.append(first, DONE)
        journal.append(second, DONE)
        assert journal.is_done(first) and journal.is_done(second)

        first.file.write_text("1000")
        second.results[0].unlink()

        assert not journal.is_done(first) and not journal.is_done(second)


def test_a_journal_without_tasks_is_not_left(table, tmp_path):
    with Journal(table, HOW):
        assert table.parent.exists()

    assert list(tmp_path.iterdir()) == []


def test_rows_of_other_options_are_not_mixed(table, tmp_path):
    (task,) = make_tasks(tmp_path / "in", {"a": "1"})
    with Journal(table, HOW) as journal:
        journal.append(task, DONE)

    with pytest.raises(InputError, match=r"table\.csv: has rows of a run with another factor; .* remove .*\.journal"):
        Journal(table, {**HOW, "factor": 3}).__enter__()


def test_two_writers_are_one_too_many(table):
    with Journal(table, HOW), pytest.raises(InputError, match="is being written by another command"):
        Journal(table, HOW).__enter__()


def test_a_file_of_somebody_else_stays(table):
    table.parent.mkdir()
    other = table.with_name("table.csv.journal")
    other.write_text("Dear diary,\n")

    with pytest.raises(InputError, match="is no journal of this program"):
        Journal(table, HOW).__enter__()
    assert other.read_text() == "Dear diary,\n"
