"""Whoever does the tasks, the tables are the same; failures are rows, and nothing is done twice."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cohort_work import Doubling, make_tasks

from USLabelEfficientSegLib.cohort.journal import Journal
from USLabelEfficientSegLib.cohort.running import Where, missing_of, run_tasks
from USLabelEfficientSegLib.cohort.tables import Tables
from USLabelEfficientSegLib.cohort.tasks import Outcome
from USLabelEfficientSegLib.disk.outputs import Outputs
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.text.counting import heard

TESTING = Path(__file__).parents[2]
TEXTS = {"c": "3", "a": "1", "b": "broken", "d": "fault", "e": "notice"}


def run(tasks, where, folder, work=None):
    """Do what is missing; returns the outcomes by name."""
    work = work or Doubling(folder / "log")
    outcomes: dict[str, Outcome] = {}
    with where.opened(work, [], folder) as mapper, Journal(folder / "table.csv", {"command": "double"}) as journal:
        tables = Tables(folder / "table.csv", Outputs())
        missing = missing_of(tasks, journal)
        told = outcomes.__setitem__
        failed = run_tasks(missing, mapper, journal, tables, doing="doubling", tell=lambda t, o: told(t.name, o))
    assert failed == sum(outcome.failure is not None for outcome in outcomes.values())
    return outcomes


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("workers", [1, 2])
def test_rows_are_in_the_order_of_names_and_failures_in_a_table_of_their_own(tmp_path, workers):
    tasks = make_tasks(tmp_path / "in", TEXTS)

    outcomes = run(tasks, Where(workers), tmp_path)

    assert rows_of(tmp_path / "table.csv") == [
        ["case", "half", "twice"],
        ["a", "left", "2"], ["a", "right", "2"], ["c", "left", "6"], ["c", "right", "6"],
        ["e", "left", "0"], ["e", "right", "0"],
    ]  # fmt: skip
    broken, fault = tmp_path / "in" / "b.txt", tmp_path / "in" / "d.txt"
    assert rows_of(tmp_path / "table_failures.csv") == [
        ["case", "file", "problem"],
        ["b", str(broken), f"{broken}: is cut short; copy it again."],
        ["d", str(fault), f"{fault}: made this program fail (ZeroDivisionError: a fault); report it with the log."],
    ]
    assert outcomes["b"].fault is None and "Traceback" in outcomes["d"].fault
    assert outcomes["e"].notices == ((str(tmp_path / "in" / "e.txt"), "is odd"),)


def test_the_table_is_written_as_parquet_with_numbers_as_numbers(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra `cluster`")

    run(make_tasks(tmp_path / "in", {"a": "1", "b": "2"}), Where(), tmp_path)

    table = parquet.read_table(tmp_path / "table.parquet").to_pydict()
    assert table == {"case": ["a", "a", "b", "b"], "half": ["left", "right"] * 2, "twice": [2.0, 2.0, 4.0, 4.0]}


def test_a_second_start_does_what_failed_and_what_is_new(tmp_path):
    run(make_tasks(tmp_path / "in", {"a": "1", "b": "broken"}), Where(), tmp_path)
    (tmp_path / "log").unlink()

    (tmp_path / "in" / "b.txt").write_text("2")
    run(make_tasks(tmp_path / "in", {"c": "3"}) + make_tasks(tmp_path / "in", {"b": "2"}), Where(), tmp_path)

    assert (tmp_path / "log").read_text().split() == ["c", "b"]
    assert [row[0] for row in rows_of(tmp_path / "table.csv")[1:]] == ["a", "a", "b", "b", "c", "c"]
    assert rows_of(tmp_path / "table_failures.csv") == [["case", "file", "problem"]]


def test_a_task_that_ends_its_worker_is_a_failure_and_the_others_are_done(tmp_path):
    tasks = make_tasks(tmp_path / "in", {"a": "1", "b": "die", "c": "3"})

    outcomes = run(tasks, Where(2), tmp_path)

    assert "made its worker end 3 times" in outcomes["b"].failure
    assert (tmp_path / "log").read_text().split().count("b") == 3
    assert [row[0] for row in rows_of(tmp_path / "table.csv")[1:]] == ["a", "a", "c", "c"]


@pytest.mark.parametrize("workers", [1, 2])
def test_work_that_cannot_be_prepared_is_refused_before_anything_is_written(tmp_path, workers):
    tasks = make_tasks(tmp_path / "in", {"a": "1"})

    with pytest.raises(InputError, match="the model: is not trained; train it"):
        run(tasks, Where(workers), tmp_path, Doubling(tmp_path / "log", refused="is not trained"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_tasks_are_taken_as_workers_become_free(tmp_path):
    """However many there are, the client holds a few."""
    tasks = make_tasks(tmp_path / "in", {f"{n:02d}": "1" for n in range(20)})
    taken = []

    def one_by_one():
        for task in tasks:
            taken.append(task)
            yield task

    with Where(2).opened(Doubling(tmp_path / "log"), [], tmp_path) as mapper:
        ahead = [len(taken) - done for done, _ in enumerate(mapper(one_by_one()), start=1)]
    assert len(ahead) == 20 and max(ahead) <= 2


def test_the_number_of_failures_is_told_with_the_progress(tmp_path):
    told = []
    with heard(lambda doing, done, of, message=None: told.append((done, of, message))):
        run(make_tasks(tmp_path / "in", {"a": "broken", "b": "2"}), Where(), tmp_path)

    assert told == [(0, 2, None), (1, 2, "1 failed"), (2, 2, "1 failed")]


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_was_ended_at_any_moment_is_completed_by_the_next(tmp_path, stop):
    texts = {f"{n:02d}": str(n) for n in range(12)}
    tasks = make_tasks(tmp_path / "in", texts)
    program = f"""
import sys
from pathlib import Path
sys.path[:0] = [{str(TESTING)!r}]
from cohort_work import Doubling, make_tasks
from USLabelEfficientSegLib.cohort.journal import Journal
from USLabelEfficientSegLib.cohort.running import Where, run_tasks
from USLabelEfficientSegLib.cohort.tables import Tables
from USLabelEfficientSegLib.command_line.interruption import stopped_by_signals
from USLabelEfficientSegLib.cohort.tasks import Outcome
from USLabelEfficientSegLib.disk.outputs import Outputs

if __name__ == "__main__":
    folder = Path({str(tmp_path)!r})
    tasks = make_tasks(folder / "in", {texts!r})
    with stopped_by_signals(), Where(2).opened(Doubling(folder / "log", seconds=0.3), [], folder) as mapper:
        with Journal(folder / "table.csv", {{"command": "double"}}) as journal:
            run_tasks(tasks, mapper, journal, Tables(folder / "table.csv", Outputs()), doing="doubling")
"""
    script = tmp_path / "program.py"
    script.write_text(program)
    process = subprocess.Popen([sys.executable, script], stderr=subprocess.DEVNULL)
    journal = tmp_path / "table.csv.journal"
    until = time.monotonic() + 120
    while not journal.exists() or journal.read_bytes().count(b"\n") < 4:
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.02)
    process.send_signal(stop)
    assert process.wait(timeout=60) != 0
    done = journal.read_bytes().count(b"\n") - 1
    assert (tmp_path / "table.csv").exists() == (stop == signal.SIGTERM)

    outcomes = run(tasks, Where(), tmp_path)

    assert len(outcomes) == 12 - done
    assert [row[0] for row in rows_of(tmp_path / "table.csv")[1:]] == [name for name in texts for _ in range(2)]
