"""Nodes of Slicer's scene by what this module has noted on them, found without walking through the scene each time."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

import slicer

from .newest_nodes import NewestNodes

MrmlNode = Any
Key = TypeVar("Key", bound=Hashable)


class NodeIndex(Generic[Key]):
    """The nodes of a class by key, in the order of the scene.

    The scene is walked again only after nodes went; those that came or were noted on (`noted`) are added. What is found
    is compared with its nodes each time, so that a node that has lost its note, by a script or by undo, is never
    returned.

    Args:
        class_name: of the nodes; derived classes count.
        keys: of a node; none for a node that is not to be found.
    """

    def __init__(self, class_name: str, keys: Callable[[MrmlNode], Iterable[Key]]) -> None:
        self._class_name = class_name
        self._keys = keys
        self._newest = NewestNodes()
        self._places: dict[str, int] = {}  # in the scene, by identifier: a removed node must not be kept alive
        self._known: dict[str, list[Key]] = {}
        self._found: dict[Key, list[str]] = {}

    def noted(self, node: MrmlNode) -> None:
        """A node was noted on, which the scene does not tell."""
        self._look()
        identifier = node.GetID()
        if identifier not in self._places:  # in another scene, or in none
            return
        for key in self._known.pop(identifier, []):
            self._found[key].remove(identifier)
            if not self._found[key]:
                del self._found[key]
        self._known[identifier] = list(self._keys(node))
        for key in self._known[identifier]:
            insort(self._found.setdefault(key, []), identifier, key=self._places.__getitem__)

    def nodes(self, key: Key) -> list[MrmlNode]:
        """The nodes that have a key."""
        self._look()
        found = self._nodes_of(key)
        if any(node is None or key not in self._keys(node) for node in found):
            self._newest.forget()
            self._look()
            found = self._nodes_of(key)
        return found

    def identifiers(self) -> dict[Key, list[str]]:
        """The identifiers of the nodes by key, not compared with the nodes: quick, where `nodes` follows."""
        self._look()
        return self._found

    def _nodes_of(self, key: Key) -> list[MrmlNode]:
        return [slicer.mrmlScene.GetNodeByID(identifier) for identifier in self._found.get(key, [])]

    def _look(self) -> None:
        news = self._newest.news()
        if news is None:
            self._places, self._known, self._found = {}, {}, {}
            news = slicer.util.getNodesByClass(self._class_name)
        for node in news:
            if node.IsA(self._class_name):
                identifier = node.GetID()
                self._places[identifier] = len(self._places)
                self._known[identifier] = list(self._keys(node))
                for key in self._known[identifier]:
                    self._found.setdefault(key, []).append(identifier)
