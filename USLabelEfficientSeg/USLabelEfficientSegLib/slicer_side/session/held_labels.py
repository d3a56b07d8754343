"""What the label nodes of a study hold as its files do: so it is known who has drawn what, when both have changed.

Checksums of the slices are an attribute of the node. They are saved with the scene, and a scene that is opened a week
later still tells which of its slices were drawn since, and which are only older than those of the study.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ...annotation.sparse_labels import LabelledSlice

if TYPE_CHECKING:
    from ...study.inbox import Held
    from ...study.joining import Checksums

MrmlNode = Any
STORED = "USLabelEfficientSeg.Stored"  # attribute of a label node: axis, index, checksum of slices


class HeldLabels:
    """What is known of the labels on disk, by case; also used by the thread that writes them."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str | None, Held]] = {}

    def of(self, case: str, node: MrmlNode) -> Held:
        """Of the labels of a case, which the node shows."""
        from ...study.inbox import Held

        text = node.GetAttribute(STORED)
        if case not in self._known or self._known[case][0] != text:
            self._known[case] = (text, Held(_read(text)))
        return self._known[case][1]

    def latest(self, case: str) -> Held:
        """The same for labels that are being written, whatever has become of their node meanwhile."""
        return self._known[case][1]

    def learn(self, case: str, held: Held) -> None:
        """More is known of the labels of a case; the node is told with `note`, in Slicer's main thread."""
        self._known[case] = (self._known[case][0], held)

    def note(self, case: str, node: MrmlNode, held: Held | None = None) -> None:
        """Write on a node what is known of its labels, or what is known from now on."""
        held = self.latest(case) if held is None else held
        text = json.dumps([[place.axis, place.index, known] for place, known in sorted(held.agreed.items())])
        self._known[case] = (text, held)
        if node.GetAttribute(STORED) != text:
            node.SetAttribute(STORED, text)

    def known(self) -> dict[str, Held]:
        """All that is known, by case."""
        return {case: held for case, (_text, held) in self._known.items()}


def _read(text: str | None) -> Checksums:
    """What an attribute tells; a damaged one, or none, tells nothing: then no slice of either side is dropped."""
    try:
        return {LabelledSlice(axis, index): known for axis, index, known in json.loads(text or "[]")}
    except (ValueError, TypeError):
        return {}
