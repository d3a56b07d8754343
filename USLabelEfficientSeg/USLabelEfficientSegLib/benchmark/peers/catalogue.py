"""The rivals by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .co_training import CrossPseudoSupervision, OrthogonalCoTraining
from .consistency import InterpolationConsistency, MeanTeacher, UncertaintyAwareMeanTeacher
from .information_divergence import InformationDivergence
from .location import LocationAlone
from .plain_slices import PlainSlices
from .supervised import LabelsOnly, SliceLabelsOnly
from .training import Rival, Task


@dataclass(frozen=True)
class PeerEntry:
    """A rival.

    Attributes:
        title: in tables.
        make: how it is made.
        dense: whether it is given all labels of all volumes.
        own_resolution: whether it sees the labelled volumes as they are, not on the working grid.
        mirrors: whether mirror images tell it more than the image itself.
    """

    title: str
    make: Callable[[Task], Rival]
    dense: bool = False
    own_resolution: bool = False
    mirrors: bool = True


PEERS = {
    "unet-2d": PeerEntry("2-D U-Net, own resolution", PlainSlices, own_resolution=True),
    "location-prior": PeerEntry("Location prior alone", LocationAlone, mirrors=False),
    "labels-2d": PeerEntry("2-D U-Net, labels only", SliceLabelsOnly),
    "labels-3d": PeerEntry("3-D U-Net, labels only", LabelsOnly),
    "mean-teacher": PeerEntry("Mean teacher", MeanTeacher),
    "ua-mt": PeerEntry("UA-MT", UncertaintyAwareMeanTeacher),
    "cps": PeerEntry("Cross pseudo supervision", CrossPseudoSupervision),
    "ict": PeerEntry("Interpolation consistency", InterpolationConsistency),
    "idl": PeerEntry("IDL", InformationDivergence),
    "orthogonal": PeerEntry("Orthogonal-slice co-training (after DeSCO)", OrthogonalCoTraining),
    "full-3d": PeerEntry("3-D U-Net, every slice labelled", LabelsOnly, dense=True),
}
