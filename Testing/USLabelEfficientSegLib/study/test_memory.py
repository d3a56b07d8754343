import pytest
import torch

from USLabelEfficientSegLib.study.memory import tune_memory


def test_denormal_numbers_become_zero():
    if not torch.set_flush_denormal(False):
        pytest.skip("this processor cannot flush denormal numbers to zero")
    tiny = torch.tensor([1e-30])
    assert float(tiny * 1e-10) > 0
    try:
        tune_memory()
        assert float(tiny * 1e-10) == 0
    finally:
        torch.set_flush_denormal(False)
