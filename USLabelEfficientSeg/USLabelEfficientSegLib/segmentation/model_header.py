"""Who votes in a model of volumes, read from the header of its file: without the networks, and without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..calibration.shares import Shares
from ..errors import InputError
from ..training.checkpoint_header import read_metadata


@dataclass(frozen=True)
class Voters:
    """Who votes in a model.

    Attributes:
        students: how many 3-D networks; none where 2-D networks on slices decide alone.
        members: of the students, how many are distilled; all others are supervised.
        shares: what 2-D networks weigh, and how that is known; None: there are no such networks.
    """

    students: int
    members: int
    shares: Shares | None = None

    @property
    def supervised(self) -> bool:
        """Whether there are supervised students."""
        return self.students > self.members


def read_voters(path: Path) -> Voters | None:
    """Who votes in the model in a file; None for a model of 2-D images.

    Raises:
        InputError: missing, damaged, or not a model.
    """
    metadata = read_metadata(path)
    if "image_model" in metadata:
        return None
    try:
        model = metadata["model"]
        provenance = model["provenance"]
        votes = provenance.get("votes")
        members = provenance.get("settings", {}).get("student", {}).get("members", 1)
        return Voters(int(model["networks"]), int(members), None if votes is None else Shares.of_record(votes))
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        problem = "is not a segmentation model of this program"
        raise InputError(path, problem, "train a study or give a model that was exported from one") from error
