"""Sums over tensors that are not kept round as those of tensors that are."""

import pytest
import torch

from USLabelEfficientSegLib.anatomy.sums import SumInTurn


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 33, 100, 256, 257, 300, 513])
def test_the_sum_of_tensors_in_turn_has_the_bits_of_their_sum_at_once(count: int) -> None:
    terms = torch.randn(count, 3, 8, 4, generator=torch.Generator().manual_seed(count))

    total = SumInTurn(count)
    for term in terms:
        total.add(term)

    assert torch.equal(total.total(), terms.sum(dim=0))
    assert torch.equal(total.mean(), terms.mean(dim=0))


def test_large_and_small_terms_are_summed_as_exactly_as_those_of_torch() -> None:
    terms = torch.full((5000, 1), 1e-4)
    total = SumInTurn(len(terms))
    for term in terms:
        total.add(term)
    assert float(total.total()) == pytest.approx(0.5, rel=1e-6)


def test_a_sum_without_all_its_terms_is_refused() -> None:
    total = SumInTurn(2)
    total.add(torch.ones(3))
    with pytest.raises(ValueError, match="1 of 2 terms"):
        total.total()
