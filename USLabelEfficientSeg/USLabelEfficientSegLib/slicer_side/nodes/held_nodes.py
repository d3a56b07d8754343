"""Nodes of Slicer's scene that are looked at often: the scene is walked again only after some came or went."""

from __future__ import annotations

from typing import Any

import slicer

MrmlNode = Any
Stamp = tuple[Any, ...]


class HeldNodes:
    """The nodes of some classes in the order of the scene; derived classes count.

    They are held, so whoever keeps this lets go of them when nodes were removed: a volume takes memory.

    Args:
        class_names: of the nodes.
    """

    def __init__(self, *class_names: str) -> None:
        self._class_names = class_names
        self._held: dict[str, list[MrmlNode]] = {}
        self._walked: Stamp = ()
        self._scene: Any = None
        self._all: Any = None

    def let_go(self) -> None:
        """Hold no node any more, until they are asked for again."""
        self._held, self._walked = {}, ()

    def of_class(self, class_name: str) -> list[MrmlNode]:
        """The nodes of one of the classes; nobody changes the list."""
        self._look()
        return self._held[class_name]

    def stamp(self, class_name: str) -> Stamp:
        """Changes when any node comes or goes, or one of this class is modified."""
        # Times of modification are counted once for all objects: any change raises the highest.
        latest = max((node.GetMTime() for node in self.of_class(class_name)), default=0)
        return (*self._walked, latest)

    def _look(self) -> None:
        if self._scene is not slicer.mrmlScene:
            self._scene = slicer.mrmlScene
            self._all = self._scene.GetNodes()  # kept: letting go of it takes VTK as long as a walk
        now = (id(self._all), self._all.GetMTime())
        if now != self._walked:
            self._held = {name: slicer.util.getNodesByClass(name) for name in self._class_names}
            self._walked = now
