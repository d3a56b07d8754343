"""Nodes of Slicer's scene that are looked at often: the scene is walked again only after one of them has gone."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import compress, count
from operator import ne
from typing import Any, Generic, TypeVar

import slicer

from .newest_nodes import NewestNodes

MrmlNode = Any
Fact = TypeVar("Fact", bound=Hashable)


class HeldNodes(Generic[Fact]):
    """The nodes of a class in the order of the scene, derived classes count, and what is known of each.

    What is known is found again only for nodes that came or were modified. The nodes are held, so whoever keeps this
    lets go of them when nodes were removed: a volume takes memory.

    Args:
        class_name: of the nodes.
        find: what is to be known of a node; compared with what was known before.

    Attributes:
        nodes: as they were at the last look; nobody changes the list.
        facts: of each; another list after each change.
        changed: facts that the last look has found or dropped.
    """

    def __init__(self, class_name: str, find: Callable[[MrmlNode], Fact]) -> None:
        self._class_name, self._find = class_name, find
        self._newest = NewestNodes()
        self.nodes: list[MrmlNode] = []
        self.facts: list[Fact] = []
        self.changed: set[Fact] = set()
        self._times: list[int | None] = []

    def let_go(self) -> None:
        """Hold no node any more, until the next look."""
        self._newest.forget()
        self.nodes, self.facts, self._times = [], [], []

    def look(self) -> bool:
        """Bring nodes, facts and `changed` up to date; whether nodes came or went."""
        news = self._newest.news()
        before, self.changed = self.facts, set[Fact]()
        if news is None:
            self.nodes, self._times, self.facts = slicer.util.getNodesByClass(self._class_name), [], []
            self.changed.update(before)
        else:
            news = [node for node in news if node.IsA(self._class_name)]
            self.nodes = [*self.nodes, *news] if news else self.nodes
        times = [node.GetMTime() for node in self.nodes]
        if times != self._times:
            facts = self.facts.copy()
            for number in compress(count(), map(ne, times, self._times)):
                fact = self._find(self.nodes[number])
                if fact != facts[number]:  # else the same object, so that lists of facts are compared in no time
                    self.changed.update((facts[number], fact))
                    facts[number] = fact
            added = list(map(self._find, self.nodes[len(facts) :]))
            self.changed.update(added)
            if self.changed:
                self.facts = [*facts, *added]
            self._times = list[int | None](times)
        return news is None or bool(news)

    def forget(self, which: Callable[[Fact], bool]) -> None:
        """Find again what is known of some nodes, at the next look."""
        known = zip(self._times, self.facts, strict=True)
        self._times = [None if which(fact) else time for time, fact in known]
