"""The rivals by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .co_training import CrossPseudoSupervision, OrthogonalCoTraining
from .consistency import InterpolationConsistency, MeanTeacher, UncertaintyAwareMeanTeacher
from .information_divergence import InformationDivergence
from .supervised import LabelsOnly, SliceLabelsOnly
from .training import Peer, Task


@dataclass(frozen=True)
class PeerEntry:
    """A rival: what tables call it, how it is made, and whether it is given all labels of all volumes."""

    title: str
    make: Callable[[Task], Peer]
    dense: bool = False


PEERS = {
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
