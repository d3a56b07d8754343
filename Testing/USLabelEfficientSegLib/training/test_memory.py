from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from USLabelEfficientSegLib.training.memory import computing_alike, flushes_denormals, tune_memory


@pytest.fixture(autouse=True)
def as_before():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


def test_denormal_numbers_become_zero():
    if not torch.set_flush_denormal(False):
        pytest.skip("this processor cannot flush denormal numbers to zero")
    tiny = torch.tensor([1e-30])
    assert float(tiny * 1e-10) > 0
    assert not flushes_denormals()
    tune_memory()
    assert float(tiny * 1e-10) == 0
    assert flushes_denormals()


def test_torch_computes_with_one_thread_and_so_do_threads_that_are_started_then(monkeypatch):
    """The threads of OpenMP stand still beside another program, for they wait by spinning."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(2)

    tune_memory()

    assert torch.get_num_threads() == 1
    with ThreadPoolExecutor(1) as another:
        assert another.submit(torch.get_num_threads).result() == 1


@pytest.mark.parametrize(("asked", "threads"), [("2", 2), ("0", 1), ("", 1), ("many", 1)])
def test_who_asks_for_threads_gets_them(monkeypatch, asked, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)

    tune_memory()

    assert torch.get_num_threads() == threads


def test_a_training_that_a_program_calls_computes_as_the_command_does_and_leaves_the_program_as_it_was(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(2)
    torch.set_flush_denormal(False)

    with computing_alike():
        assert torch.get_num_threads() == 1 and flushes_denormals()

    assert torch.get_num_threads() == 2 and not flushes_denormals()
