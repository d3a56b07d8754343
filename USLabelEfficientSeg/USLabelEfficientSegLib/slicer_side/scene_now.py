"""What the scene holds for the panel: found once, and found again only after a node or the study has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .nodes import study_nodes
from .nodes.held_nodes import HeldNodes, Stamp
from .nodes.study_nodes import RESULT, ROLE
from .nodes.ultrasound_nodes import VOLUME_CLASS, ultrasound_nodes_of
from .remembered import Remembered

MrmlNode = Any
T = TypeVar("T")
SEGMENTATION_CLASS, SEQUENCE_CLASS = "vtkMRMLSegmentationNode", "vtkMRMLSequenceNode"
_CLASSES = (VOLUME_CLASS, SEGMENTATION_CLASS, SEQUENCE_CLASS)


class SceneNow:
    """The volumes, segmentations and sequences of the scene, and whatever follows from them.

    A refresh of the panel looks first; nothing is shown that was found before a change.
    """

    def __init__(self) -> None:
        self._nodes = HeldNodes(*_CLASSES)
        self._stamps: dict[str, Stamp] = {}
        self._remembered, self._of_volumes = Remembered(), Remembered()

    def look(self) -> None:
        """Forget what was found, if a node came, went or was modified since."""
        stamps = {name: self._nodes.stamp(name) for name in _CLASSES}
        if stamps != self._stamps:
            self._remembered.forget()
            if stamps[VOLUME_CLASS] != self.volumes_stamp:
                self._of_volumes.forget()
        self._stamps = stamps

    def let_go(self) -> None:
        """Nodes were removed, or nobody looks for a while: none is kept alive from here."""
        self._nodes.let_go()
        self._stamps = {}
        self._remembered.forget()
        self._of_volumes.forget()

    @property
    def volumes_stamp(self) -> Stamp:
        """Another one after each change of the volumes that `look` has seen."""
        return self._stamps.get(VOLUME_CLASS, ())

    @property
    def sequences_stamp(self) -> Stamp:
        """The same of sequences."""
        return self._stamps.get(SEQUENCE_CLASS, ())

    @property
    def stamp(self) -> tuple[Stamp, ...]:
        """Another one after each change that `look` has seen."""
        return tuple(self._stamps.values())

    def once(self, what: str, find: Callable[[], T], *depends: Any) -> T:
        """What is found, or what was found before, if neither the nodes nor `depends` have changed since.

        Args:
            what: name of what is found.
            find: finds it; it depends on volumes, segmentations and sequences alone, and on `depends`.
            depends: compared with what they were.
        """
        return self._remembered.once(what, find, *depends)

    def once_of_volumes(self, what: str, find: Callable[[], T], *depends: Any) -> T:
        """The same of what depends on volumes alone, and on `depends`: no stroke on a segmentation changes it."""
        return self._of_volumes.once(what, find, *depends)

    @property
    def volumes(self) -> list[MrmlNode]:
        """The volumes that may be ultrasound."""
        return self.once_of_volumes("volumes", lambda: ultrasound_nodes_of(self._nodes.of_class(VOLUME_CLASS)))

    @property
    def results(self) -> list[MrmlNode]:
        """The segmentations of this module whose volume is there."""
        return self.once(
            "results",
            lambda: [
                node
                for node in self.segmentations
                if node.GetAttribute(ROLE) == RESULT and study_nodes.volumeOf(node) is not None
            ],
        )

    def result_named(self, name: str) -> MrmlNode | None:
        """The first result of a name, None where there is none."""
        named = self.once("results by name", lambda: {node.GetName(): node for node in reversed(self.results)})
        return named.get(name)

    @property
    def segmentations(self) -> list[MrmlNode]:
        """All segmentations."""
        return self._nodes.of_class(SEGMENTATION_CLASS)

    @property
    def sequences(self) -> list[MrmlNode]:
        """All sequences."""
        return self._nodes.of_class(SEQUENCE_CLASS)
