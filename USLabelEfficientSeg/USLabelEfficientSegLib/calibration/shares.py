"""What the candidates of a model weigh, and the words for it.

Imports nothing heavy: `study show` tells it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BEATEN = 0.25  # a candidate with a smaller share of the votes is not used
LED = 0.5  # share of the 2-D networks, from which on no 3-D students are trained
# Share of the 2-D networks where one volume shows organs: it cannot tell where others have them, but where it has them
# itself.
ONE_OF_SEVERAL, ONLY_VOLUME = 1.0, 0.5


@dataclass(frozen=True)
class Shares:
    """What the candidates weigh.

    Attributes:
        slices: share of the 2-D networks in all votes; the location prior, and what starts from it, has the rest.
        held_out: how many slices tell so; 0: it is not measured.
        dice: of the 2-D networks and of the prior alone on these slices; None where an earlier release has measured.
        by_settings: whether the settings want no location prior, so that there is nothing to measure.
        ends: share of the promptable network's vote on where organs end, see `segmentation.organ_ends`.
    """

    slices: float = 0.0
    held_out: int = 0
    dice: tuple[float, float] | None = None
    by_settings: bool = False
    ends: float = 0.0

    @property
    def location_helps(self) -> bool:
        """Whether the location prior is used at all."""
        return self.slices < 1 - BEATEN

    @property
    def students_help(self) -> bool:
        """Whether 3-D students are trained, which start from the location prior."""
        return self.slices < LED

    def told(self) -> str:
        """What decides, and why, in one sentence for people."""
        if not self.ends:
            return self._told_of_candidates()
        asked = f"where organs end, the network that knows organs has {100 * self.ends:.0f} % of the say"
        return f"{self._told_of_candidates()}; {asked}"

    def _told_of_candidates(self) -> str:
        share = f"2-D networks on slices have {100 * self.slices:.0f} % of the votes"
        if self.held_out:
            left_out = f"({self.held_out} labelled slice{'s' * (self.held_out > 1)} left out)"
            if not self.slices:
                return f"Where organs lie tells more here than 2-D networks on slices do: these are not used {left_out}"
            if self.location_helps:
                return f"Where organs lie helps here: {share} {left_out}"
            return f"Where organs lie says little here: 2-D networks on slices decide alone {left_out}"
        if self.by_settings:
            return "2-D networks on slices decide alone, as the settings have it"
        if not self.slices:
            return "3-D networks and the place of the organs decide"
        if self.location_helps:
            return f"The only volume leaves none to measure on what works: {share}"
        return (
            "One volume with labelled organs cannot tell where they lie in others: 2-D networks on slices decide alone"
        )

    def record(self) -> dict[str, Any]:
        """As the provenance of a model holds it."""
        names = ("slice_networks", "location_prior")
        dice = None if self.dice is None else dict(zip(names, self.dice, strict=True))
        return {
            "slice_networks": self.slices,
            "held_out_slices": self.held_out,
            "held_out_dice": dice,
            "by_settings": self.by_settings,
            **({"ends": self.ends} if self.ends else {}),
        }

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Shares:
        """What `record` has made. Raises `KeyError`, `TypeError` or `ValueError` for anything else."""
        dice = record.get("held_out_dice")
        return cls(
            float(record["slice_networks"]),
            int(record["held_out_slices"]),
            None if dice is None else (float(dice["slice_networks"]), float(dice["location_prior"])),
            bool(record["by_settings"]),
            float(record.get("ends", 0.0)),
        )
