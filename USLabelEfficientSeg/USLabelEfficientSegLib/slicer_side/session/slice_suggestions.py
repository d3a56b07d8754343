"""Slices to label next for the panel: a dozen at a time, because choosing them takes seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SuggestedSlice:
    """A slice worth labelling, and why."""

    case: str
    axis: int
    index: int
    reason: str


class Suggestions:
    """A queue of suggested slices, most useful first."""

    def __init__(self) -> None:
        self._slices: list[SuggestedSlice] = []

    def __len__(self) -> int:
        return len(self._slices)

    def fill(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Take over the output of `uslabelseg suggest --json`."""
        self._slices = [SuggestedSlice(r["volume"], r["axis"], r["index"], r["reason"]) for r in records]

    def clear(self) -> None:
        """Forget them: a new model would suggest others."""
        self._slices = []

    def next(self, labelled: Callable[[SuggestedSlice], bool]) -> SuggestedSlice | None:
        """Take the next slice that is still not labelled; None when none is left."""
        while self._slices:
            suggested = self._slices.pop(0)
            if not labelled(suggested):
                return suggested
        return None
