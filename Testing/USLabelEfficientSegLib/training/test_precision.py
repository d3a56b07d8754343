from __future__ import annotations

from types import MappingProxyType

import pytest
import torch

from USLabelEfficientSegLib.training.precision import cpu_has_bfloat16, half_precision

CPU = torch.device("cpu")


def product_type(*, on_cpu: bool) -> torch.dtype:
    matrix = torch.eye(2)
    with half_precision(CPU, on_cpu=on_cpu):
        return (matrix @ matrix).dtype


def pretend(monkeypatch: pytest.MonkeyPatch, **capabilities: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: MappingProxyType(capabilities))


def test_a_cpu_computes_in_single_precision_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, avx512_bf16=True)
    assert product_type(on_cpu=False) == torch.float32
    assert product_type(on_cpu=True) == torch.bfloat16


@pytest.mark.parametrize("capabilities", [{}, {"avx512_f": True, "avx512_bf16": False}])
def test_a_cpu_without_its_instructions_never_computes_in_half_precision(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool]
) -> None:
    pretend(monkeypatch, **capabilities)
    assert not cpu_has_bfloat16()
    assert product_type(on_cpu=True) == torch.float32


def test_a_torch_that_cannot_tell_what_the_cpu_has_computes_in_single_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert product_type(on_cpu=True) == torch.float32
