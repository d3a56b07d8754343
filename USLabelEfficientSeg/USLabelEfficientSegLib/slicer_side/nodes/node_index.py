"""Nodes of Slicer's scene by what this module has noted on them, found without walking through the scene each time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

import slicer

MrmlNode = Any
Key = TypeVar("Key", bound=Hashable)


class NodeIndex(Generic[Key]):
    """The nodes of a class by key, in the order of the scene.

    The scene is walked again only after nodes came or went, or were noted on (`changed`). What is found is compared
    with its nodes each time, so that a node that has lost its note, by a script or by undo, is never returned.

    Args:
        class_name: of the nodes; derived classes count.
        keys: of a node; none for a node that is not to be found.
    """

    def __init__(self, class_name: str, keys: Callable[[MrmlNode], Iterable[Key]]) -> None:
        self._class_name = class_name
        self._keys = keys
        self._found: dict[Key, list[str]] = {}  # by identifier: a removed node must not be kept alive
        self._stamp: tuple[Any, int] | None = None
        self._scene: Any = None
        self._all: Any = None

    def changed(self) -> None:
        """A node was noted on, which the scene does not tell."""
        self._stamp = None

    def nodes(self, key: Key) -> list[MrmlNode]:
        """The nodes that have a key."""
        if self._stamp != self._now():
            self._walk()
        found = self._nodes_of(key)
        if any(node is None or key not in self._keys(node) for node in found):
            self._walk()
            found = self._nodes_of(key)
        return found

    def identifiers(self) -> dict[Key, list[str]]:
        """The identifiers of the nodes by key, not compared with the nodes: quick, where `nodes` follows."""
        if self._stamp != self._now():
            self._walk()
        return self._found

    def _nodes_of(self, key: Key) -> list[MrmlNode]:
        return [slicer.mrmlScene.GetNodeByID(identifier) for identifier in self._found.get(key, [])]

    def _walk(self) -> None:
        self._stamp, self._found = self._now(), {}
        for node in slicer.util.getNodesByClass(self._class_name):
            for key in self._keys(node):
                self._found.setdefault(key, []).append(node.GetID())

    def _now(self) -> tuple[Any, int]:
        """The scene's list of nodes, the same for as long as the scene lives, and when it was changed last."""
        if self._scene is not slicer.mrmlScene:
            self._scene = slicer.mrmlScene
            self._all = self._scene.GetNodes()  # kept: letting go of it takes VTK as long as a walk
        return self._all, self._all.GetMTime()
