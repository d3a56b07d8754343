"""Sums over many tensors that are seen one after the other, rounded as those of `torch.stack(...).sum(dim=0)`.

torch adds rows on four levels, so that sums of thousands are as exact as those of dozens: after every 2^p of its terms
a level is added to the next one and starts anew, with p = max(4, floor(ceil(log2 n) / 4)). The same order here gives
the same bits, and no row has to be kept.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LEVELS = 4


class SumInTurn:
    """A sum of so many float tensors of one shape.

    Args:
        count: of the tensors that will be added.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._power = max(4, (count - 1).bit_length() // _LEVELS)
        self._added = 0
        self._levels: list[Tensor] = []

    def add(self, term: Tensor) -> None:
        """Add the next one."""
        if not self._levels:
            self._levels = [torch.zeros_like(term) for _ in range(_LEVELS)]
        self._levels[0] += term
        self._added += 1
        step = 1 << self._power
        if self._added % step:
            return
        for level in range(1, _LEVELS):
            self._levels[level] += self._levels[level - 1]
            self._levels[level - 1] = torch.zeros_like(term)
            if self._added & ((step - 1) << (level * self._power)):
                return

    def total(self) -> Tensor:
        """The sum. Raises `ValueError` before all were added."""
        if self._added != self._count or not self._levels:
            raise ValueError(f"{self._added} of {self._count} terms were added")
        total = self._levels[0].clone()
        for level in self._levels[1:]:
            total += level
        return total

    def mean(self) -> Tensor:
        """The mean. Raises `ValueError` before all were added."""
        return self.total().div_(self._count)
