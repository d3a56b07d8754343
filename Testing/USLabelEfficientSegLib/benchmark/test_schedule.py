import importlib
import sys
import time
from operator import attrgetter

import pytest

from USLabelEfficientSegLib.benchmark.results import Job
from USLabelEfficientSegLib.benchmark.schedule import in_processes, in_turn, on_cluster
from USLabelEfficientSegLib.errors import Cancelled, InputError

JOBS = [Job("ours", 0.1, "random", seed) for seed in range(4)]
RUNS = """
import os, time
from USLabelEfficientSegLib.errors import InputError

def refuse(job):
    raise InputError(f"run {job.seed}", "is refused", "try another")

def die(job):
    os._exit(7)

def sleep(job):
    time.sleep(60)
"""


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Functions that a new process can import."""
    (tmp_path / "benchmark_test_runs.py").write_text(RUNS)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("benchmark_test_runs")
    del sys.modules["benchmark_test_runs"]


def never():
    return False


def test_jobs_run_in_turn_until_cancelled():
    done: list[tuple[int, int]] = []
    with pytest.raises(Cancelled, match="the same command continues"):
        for job, seed in in_turn(JOBS, attrgetter("seed"), lambda: len(done) == 2):
            done.append((job.seed, seed))
    assert done == [(0, 0), (1, 1)]


def test_processes_give_every_result():
    results = dict(in_processes(JOBS, attrgetter("seed"), workers=2, cancelled=never))
    assert results == {job: job.seed for job in JOBS}


def test_what_a_process_refuses_is_raised(runs):
    with pytest.raises(InputError, match="run 0: is refused; try another"):
        list(in_processes(JOBS, runs.refuse, workers=1, cancelled=never))


def test_a_process_that_dies_is_noticed(runs):
    with pytest.raises(InputError, match="ended with code 7"):
        list(in_processes(JOBS[:1], runs.die, workers=1, cancelled=never))


def test_cancelling_ends_the_processes(runs):
    started = time.monotonic()
    with pytest.raises(Cancelled):
        list(in_processes(JOBS, runs.sleep, 2, cancelled=lambda: time.monotonic() - started > 1))
    assert time.monotonic() - started < 30


def test_a_cluster_gives_every_result():
    distributed = pytest.importorskip("distributed", reason="needs the extra `cluster`")
    with distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster:
        results = dict(on_cluster(JOBS, attrgetter("seed"), cluster.scheduler_address, never))
    assert results == {job: job.seed for job in JOBS}


def test_without_dask_the_cluster_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"needs dask.distributed; pip install"):
        list(on_cluster(JOBS, attrgetter("seed"), "tcp://127.0.0.1:1", never))
