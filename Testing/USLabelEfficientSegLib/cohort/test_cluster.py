"""Tasks on the workers of dask; what does not fit is told in one sentence before anything is written."""

import sys
from pathlib import Path

import pytest
from cohort_work import Doubling, DyingOnce, make_tasks

from USLabelEfficientSegLib.cohort import cluster as module
from USLabelEfficientSegLib.cohort.cluster import Cluster
from USLabelEfficientSegLib.errors import InputError


@pytest.fixture(scope="module")
def address():
    """Of a scheduler with one worker, in this process."""
    distributed = pytest.importorskip("distributed", reason="needs the extra `cluster`")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as made:
        yield made.scheduler_address


def test_a_cluster_gives_every_outcome_and_holds_few_tasks_at_once(address, tmp_path):
    texts = {"a": "1", "b": "broken", "e": "notice", **{f"{n:02d}": str(n) for n in range(20)}}
    tasks, taken = make_tasks(tmp_path / "in", texts), []

    def one_by_one():
        for task in tasks:
            taken.append(task)
            yield task

    ahead, outcomes = [], {}
    with Cluster(address, Doubling(tmp_path / "log"), [tmp_path], tmp_path / "out") as mapper:
        for task, outcome in mapper(one_by_one()):
            outcomes[task.name] = outcome
            ahead.append(len(taken) - len(outcomes))

    assert outcomes.keys() == texts.keys() and max(ahead) <= 2
    assert outcomes["b"].failure == f"{tmp_path / 'in' / 'b.txt'}: is cut short; copy it again."
    assert outcomes["07"].rows[1] == {"case": "07", "half": "right", "twice": 14.0}
    assert outcomes["e"].notices == ((str(tmp_path / "in" / "e.txt"), "is odd"),)
    assert list(tmp_path.rglob("*.token")) == []


def refused(address, tmp_path, work=None, inputs=()):
    with pytest.raises(InputError) as raised:
        Cluster(address, work or Doubling(tmp_path / "log"), inputs, tmp_path / "out").__enter__()
    assert list(tmp_path.iterdir()) == []
    return str(raised.value)


def test_workers_of_another_version_are_refused(address, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "__version__", "99.1")

    assert "of this program, and here is 99.1; install the same version there." in refused(address, tmp_path)


def test_a_file_that_a_worker_does_not_see_as_it_is_here_is_refused(address, tmp_path, monkeypatch):
    work = Doubling(tmp_path / "log")
    (shared := tmp_path / "model").write_text("weights")
    seen = {shared: module._size(shared)}
    shared.unlink()
    assert module._look(work, seen, tmp_path / "token") == shared

    monkeypatch.setattr(module, "_look", NotSeen(shared))
    sentence = refused(address, tmp_path)
    assert f"does not see {shared} as it is here, or may not write there; put all files on a disk" in sentence


class NotSeen:
    """What a worker on another disk answers."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, *asked: object) -> Path:
        return self.path


def test_work_that_a_worker_cannot_prepare_is_refused(address, tmp_path):
    assert refused(address, tmp_path, Doubling(tmp_path / "log", refused="is gone")) == (
        "the model: is gone; train it."
    )


def test_a_worker_that_dies_while_it_is_asked_is_not_waited_for(tmp_path):
    distributed = pytest.importorskip("distributed", reason="needs the extra `cluster`")
    tasks = make_tasks(tmp_path / "in", {"a": "1"})
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as made:
        work = DyingOnce(tmp_path / "died")
        with Cluster(made.scheduler_address, work, [tmp_path], tmp_path / "out") as mapper:
            ((_, outcome),) = mapper(tasks)
    assert outcome.rows == ({"case": "a"},)


def test_a_cluster_that_is_not_there_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="needs the extra `cluster`")
    monkeypatch.setattr(module, "_SECONDS_TO_CONNECT", 1)

    assert refused("tcp://127.0.0.1:9", tmp_path).startswith("cluster tcp://127.0.0.1:9: does not answer; start `dask")
    assert refused("nonsense", tmp_path).startswith("cluster nonsense: does not answer")


def test_a_cluster_without_workers_is_refused(tmp_path):
    distributed = pytest.importorskip("distributed", reason="needs the extra `cluster`")
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None) as made:
        assert "has no workers; start some with `dask worker`" in refused(made.scheduler_address, tmp_path)


def test_without_dask_the_cluster_is_refused(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "distributed", None)

    assert refused("tcp://127.0.0.1:1", tmp_path).startswith("--cluster: needs dask.distributed; pip install")
