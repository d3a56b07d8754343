"""Colours and terminology of a study's organs, in a file of its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...disk.study_layout import APPEARANCE_NAME
from ..nodes.segmentation_nodes import Organ, organsNamed


class OrganAppearance:
    """Reads the file once, until `forget`.

    Args:
        folder: of the study.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / APPEARANCE_NAME
        self._known: dict[str, Any] | None = None

    def forget(self) -> None:
        """The file may have changed."""
        self._known = None

    def organs(self, names: Sequence[str]) -> list[Organ]:
        """Organs as they were kept; those that were not, or whose entry is damaged, as new ones."""
        looks = self._looks()
        return [
            Organ(organ.name, tuple(looks[organ.name]["colour"]), looks[organ.name]["terminology"])
            if organ.name in looks
            else organ
            for organ in organsNamed(names)
        ]

    def keep(self, organs: Sequence[Organ]) -> None:
        """Write colours and terminology of organs."""
        from ...disk.files import atomic_write_json

        looks = {organ.name: {"colour": list(organ.colour), "terminology": organ.terminology} for organ in organs}
        atomic_write_json(self._file, looks)
        self.forget()

    def _looks(self) -> dict[str, Any]:
        """Colours and terminology by organ, as far as they were kept and the file is not damaged."""
        from ...disk.json_files import read_json

        if self._known is None:
            try:
                self._known = {name: look for name, look in read_json(self._file).items() if _is_look(look)}
            except (OSError, ValueError, AttributeError):
                self._known = {}
        return self._known


def _is_look(look: Any) -> bool:
    """Whether a value from a file is a colour and a terminology."""
    if not isinstance(look, dict) or not isinstance(look.get("terminology"), str):
        return False
    colour = look.get("colour")
    return isinstance(colour, list) and len(colour) == 3 and all(isinstance(part, (int, float)) for part in colour)
