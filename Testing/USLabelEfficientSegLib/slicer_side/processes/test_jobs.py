"""Jobs do small steps, end in every way with a sentence, and one runs at a time."""

import threading
from typing import Any

import pytest

from USLabelEfficientSegLib.errors import Cancelled, InputError


@pytest.fixture
def jobs(host):
    from USLabelEfficientSegLib.slicer_side.processes import jobs

    return jobs


@pytest.fixture
def runner(host):
    from USLabelEfficientSegLib.slicer_side.processes.job_runner import JobRunner

    return JobRunner()


def counting(to, closed=None):
    def steps(job):
        try:
            for number in range(to):
                job.progress = number / to
                yield
            return to
        finally:
            if closed is not None:
                closed.append(job.title)

    return steps


def test_a_job_goes_on_step_by_step_and_gives_its_result(jobs):
    job = jobs.Job("Counting", counting(3))

    assert [job.step() for _ in range(5)] == [True, True, True, False, False]
    assert (job.state, job.result) == ("done", 3)


def test_a_job_without_worker_is_cancelled_at_its_next_step(jobs):
    closed: list[str] = []
    job = jobs.Job("Counting", counting(100, closed))
    job.step()
    job.cancel()
    assert job.cancelling

    with pytest.raises(Cancelled):
        job.wait()
    assert job.state == "cancelled" and closed == ["Counting"]


def test_a_refusal_becomes_a_sentence_and_a_bug_is_not_hidden(jobs):
    def refused(job):
        yield
        raise InputError("volume a", "is empty", "load it again")

    def broken(job):
        yield
        raise KeyError("a bug")

    job = jobs.Job("Refused", refused)
    with pytest.raises(InputError, match="volume a: is empty; load it again"):
        job.wait()
    job = jobs.Job("Segmentation", broken)
    with pytest.raises(KeyError):
        job.wait()
    assert job.state == "failed"
    assert job.sentence.startswith("Segmentation failed by an error in the program (KeyError: 'a bug'). Details: ")
    assert job.sentence.endswith("Slicer.log")


def test_the_runner_does_one_job_at_a_time_and_tells_its_end_once(jobs, runner, host):
    ended: list[Any] = []
    steps: list[float] = []
    runner.listeners.append(lambda: steps.append(runner.job.progress))
    runner.start(jobs.Job("Counting", counting(3)), ended.append)
    with pytest.raises(InputError, match="Counting: is still running; wait for its end or cancel it"):
        runner.start(jobs.Job("Another", counting(3)))
    assert runner.busy

    host.process_events(0.5)

    assert [job.title for job in ended] == ["Counting"] and not runner.busy
    assert len(steps) >= 4
    assert runner.run(jobs.Job("A script", counting(2))) == 2


def test_a_job_of_the_runner_that_fails_by_a_bug_ends_it(jobs, runner, host):
    def broken(job):
        yield
        raise KeyError("a bug")

    ended: list[Any] = []
    runner.start(jobs.Job("Broken", broken), ended.append)
    host.process_events(0.3)

    assert not runner.busy and [job.state for job in ended] == ["failed"]
    assert len(host.errors) == 1 and "a bug" in host.errors.pop()


def test_stopping_the_runner_ends_job_and_worker_at_once(jobs, runner, host, tmp_path, quick_model):
    def steps(job):
        yield from job.work(["segment", str(quick_model), str(tmp_path / "none")], tmp_path / "logs")

    ended: list[Any] = []
    runner.start(jobs.Job("Segmentation", steps), ended.append)
    host.process_events(0.1)
    runner.stop()

    assert not runner.busy and [job.state for job in ended] == ["cancelled"]


def test_a_cancelled_job_steps_on_until_its_thread_has_ended(jobs, host):
    from USLabelEfficientSegLib.slicer_side.processes.aside import aside

    may_end, done = threading.Event(), []

    def work():
        may_end.wait()
        done.append("whole")

    job = jobs.Job("Writing", lambda job: aside(work))
    job.step()
    assert job.waiting
    job.cancel()
    for _ in range(3):
        assert job.step() and job.cancelling
    may_end.set()
    while job.step():
        pass

    assert job.state == "cancelled" and done == ["whole"]


def test_a_job_waits_for_its_worker_once_when_slicer_closes(jobs, host, monkeypatch, tmp_path):
    """For less than two seconds, also for a training on another computer, which has more time to save."""
    waits: list[float] = []

    class Stubborn:
        log, progress = tmp_path / "log", None

        def __init__(self, *arguments, **how):
            """It is told what to do, and never ends."""

        def poll(self):
            return None

        def cancel(self):
            """It goes on."""

        def wait(self, seconds):
            waits.append(seconds)

    monkeypatch.setattr(jobs, "Worker", Stubborn)
    job = jobs.Job("Training", lambda job: job.work(["train"], tmp_path))
    job.step()
    job.end()

    assert job.state == "cancelled" and len(waits) == 1 and waits[0] < 2


def test_a_step_that_waits_for_a_thread_gives_slicer_its_turn(jobs, runner, host):
    from USLabelEfficientSegLib.slicer_side.processes.aside import aside

    may_end = threading.Event()
    job = jobs.Job("Reading", lambda job: aside(may_end.wait))
    steps: list[bool] = []
    step = job.step

    def counted():
        steps.append(step())
        return steps[-1]

    job.step = counted
    runner._some_steps(job)

    assert steps == [True]
    may_end.set()
    while job.step():
        pass
