"""What the scene holds for the panel at a moment: each kind of node is looked up when it is asked for, and once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from .nodes import study_nodes
from .nodes.ultrasound_nodes import ultrasound_nodes

MrmlNode = Any


class SceneNow:
    """The nodes of the scene; it is made anew for every moment."""

    @cached_property
    def volumes(self) -> list[MrmlNode]:
        """The volumes that may be ultrasound."""
        return ultrasound_nodes()

    @cached_property
    def results(self) -> list[MrmlNode]:
        """The segmentations of this module whose volume is there."""
        return study_nodes.results()
