"""What the scene holds for the panel: found once, and found again only after a node or the study has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .node_facts import SegmentationFacts, VolumeFacts, facts_of_segmentation, facts_of_volume
from .nodes.held_nodes import HeldNodes
from .nodes.study_nodes import LABELS, RESULT
from .nodes.ultrasound_nodes import VOLUME_CLASS
from .remembered import Remembered

MrmlNode = Any
T = TypeVar("T")
SEGMENTATION_CLASS, SEQUENCE_CLASS = "vtkMRMLSegmentationNode", "vtkMRMLSequenceNode"


class SceneNow:
    """The volumes, segmentations and sequences of the scene, and whatever follows from them.

    A refresh of the panel looks first; nothing is shown that was found before a change. Of thousands of nodes only
    those are asked that came or were modified since; what follows compares lists of what is known of them.
    """

    def __init__(self) -> None:
        self._volumes = HeldNodes(VOLUME_CLASS, facts_of_volume)
        self._segmentations = HeldNodes(SEGMENTATION_CLASS, facts_of_segmentation)
        self._sequences = HeldNodes(SEQUENCE_CLASS, lambda node: (node.GetID(), node.GetMTime()))
        self._remembered, self._of_volumes = Remembered(), Remembered()
        self._of_roles: dict[str | None, Remembered] = {}

    def look(self) -> None:
        """Forget what was found, if a node came, went or was modified since."""
        if self._volumes.look():  # whose volume was not there, but is perhaps now
            self._segmentations.forget(lambda facts: facts.volume is None)
        self._segmentations.look()
        self._sequences.look()
        if any(known.is_offered or known.case is not None for known in self._volumes.changed):
            self._of_volumes.forget()
        for known in self._segmentations.changed:
            self._of_roles.pop(known.role, None)
        if self._volumes.changed or self._segmentations.changed or self._sequences.changed:
            self._remembered.forget()

    def let_go(self) -> None:
        """Nodes were removed, or nobody looks for a while: none is kept alive from here."""
        for held in (self._volumes, self._segmentations, self._sequences):
            held.let_go()
        self._remembered.forget()
        self._of_volumes.forget()
        self._of_roles = {}

    @property
    def volumes_stamp(self) -> list[VolumeFacts]:
        """Another one after each change that `look` has seen of volumes that are offered, or of a study."""
        return self.once_of_volumes(
            "stamp", lambda: [known for known in self._volumes.facts if known.is_offered or known.case is not None]
        )

    @property
    def sequences_stamp(self) -> list[Any]:
        """Another one after each change of a sequence."""
        return self._sequences.facts

    def once(self, what: str, find: Callable[[], T], *depends: Any) -> T:
        """What is found, or what was found before, if neither the nodes nor `depends` have changed since.

        Args:
            what: name of what is found.
            find: finds it; it depends on what is known of volumes, segmentations and sequences alone
                (`node_facts`), and on `depends`.
            depends: compared with what they were.
        """
        return self._remembered.once(what, find, *depends)

    def once_of_volumes(self, what: str, find: Callable[[], T], *depends: Any) -> T:
        """The same of what depends on volumes alone, and on `depends`: no stroke on a segmentation changes it."""
        return self._of_volumes.once(what, find, *depends)

    @property
    def volumes(self) -> list[MrmlNode]:
        """The volumes that may be ultrasound."""
        held = self._volumes
        return self.once_of_volumes(
            "volumes", lambda: [node for node, known in zip(held.nodes, held.facts, strict=True) if known.is_offered]
        )

    def cases_of(self, study: str) -> dict[str, str]:
        """The volumes in the scene that show cases of a study, by case: the identifier of the first of each.

        Args:
            study: the time of its creation.
        """
        return {one.case: one.identifier for one in self.volumes_stamp[::-1] if one.study == study and one.case}

    @property
    def results(self) -> list[MrmlNode]:
        """The segmentations of this module whose volume is there."""
        return self.once_of(RESULT, "nodes", lambda: self._nodes_of(RESULT))

    @property
    def result_facts(self) -> list[SegmentationFacts]:
        """What is known of them."""
        return self.once_of(RESULT, "facts", lambda: self._facts_of(RESULT))

    @property
    def results_are_images(self) -> bool:
        """Whether all are of 2-D images."""
        known = self.once_of_volumes("images", lambda: {one.identifier for one in self.volumes_stamp if one.is_image})
        return all(one.volume in known for one in self.result_facts)

    @property
    def results_came_as_dicom(self) -> bool:
        """Whether a volume of them did."""
        ours = self.volumes_stamp
        known = self.once_of_volumes("of DICOM", lambda: {one.identifier for one in ours if one.came_as_dicom})
        return bool(known) and any(one.volume in known for one in self.result_facts)

    def result_named(self, name: str) -> MrmlNode | None:
        """The first result of a name, None where there is none."""
        named = self.once_of(
            RESULT,
            "by name",
            lambda: {one.name: node for one, node in zip(self.result_facts[::-1], self.results[::-1], strict=True)},
        )
        return named.get(name)

    @property
    def references(self) -> list[MrmlNode]:
        """Segmentations that may be an expert's: drawn on a volume, and not by this module."""
        return self.once_of(None, "nodes", lambda: self._nodes_of(None))

    @property
    def references_stamp(self) -> list[SegmentationFacts]:
        """Another one after each change of them."""
        return self.once_of(None, "facts", lambda: self._facts_of(None))

    def labels_of(self, study: str) -> dict[str, SegmentationFacts]:
        """What is known of the labels of a study, by identifier of their volumes: the first of each.

        Args:
            study: the time of its creation.
        """
        ours = (None, study)  # without an attribute: of an earlier version
        facts = self.once_of(LABELS, "facts", lambda: self._facts_of(LABELS))
        return {one.volume: one for one in facts[::-1] if one.volume is not None and one.study in ours}

    def once_of(self, role: str | None, what: str, find: Callable[[], T], *depends: Any) -> T:
        """Like `once`, of what depends on segmentations in a role alone, and on `depends`."""
        return self._of_roles.setdefault(role, Remembered()).once(what, find, *depends)

    def _facts_of(self, role: str | None) -> list[SegmentationFacts]:
        facts = self._segmentations.facts
        return [one for one in facts if one.role == role and one.volume and (role or not one.is_hidden)]

    def _nodes_of(self, role: str | None) -> list[MrmlNode]:
        known = zip(self._segmentations.nodes, self._segmentations.facts, strict=True)
        return [node for node, one in known if one.role == role and one.volume and (role or not one.is_hidden)]

    @property
    def sequences(self) -> list[MrmlNode]:
        """All sequences."""
        return self._sequences.nodes
