"""What goes into a report: segmented cases and what is known about them and their model."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..imaging.scan import LabelMap, Scan
from ..measurement.organ import OrganMeasurement
from ..study.events import Event
from .blocks import Section, Table


@dataclass(frozen=True)
class ReportCase:
    """One segmented volume.

    Args:
        label: what the report calls it, see `case_labels`.
        volume: the image.
        prediction: its segmentation.
        rows: what was measured of every organ.
        reference: the reference segmentation, where there is one.
        true_volumes_ml: the reference volume by organ, as far as known.
        dice: the overlap with the reference by organ, where there is one.
        checksum: SHA-256 of the image file.
        uncertainty: (I, J, K) in [0, 1] on the grid of the volume, 1 where every class is as likely; where it is known.
    """

    label: str
    volume: Scan
    prediction: LabelMap
    rows: Sequence[OrganMeasurement]
    reference: LabelMap | None = None
    true_volumes_ml: Mapping[str, float] = field(default_factory=dict)
    dice: Mapping[str, float] = field(default_factory=dict)
    checksum: str | None = None
    uncertainty: NDArray[np.floating] | None = None


@dataclass(frozen=True)
class CaseSummary:
    """What remains of a case once its pictures are drawn; fields as in `ReportCase`, `name` that of the image."""

    label: str
    name: str
    rows: Sequence[OrganMeasurement]
    true_volumes_ml: Mapping[str, float]
    dice: Mapping[str, float]
    checksum: str | None


@dataclass(frozen=True)
class ReportContent:
    """All that a report shows. Its texts must not name a patient: only labels of cases may, if asked to.

    Args:
        title: heading of the report.
        organs: organ names, by label.
        cases: read once, one at a time: a generator keeps only one volume in memory.
        comparisons: makes the sections that need all cases: agreement with references, repeated scans.
        events: of the training, for its curves.
        highlights: further main results by name, ready to be read ("Mean Dice": "0.91").
        metrics: summary of an evaluation against references.
        settings: settings of the run by name, as text.
        provenance: versions, seed, checksums of weights and data by name, as text.
    """

    title: str
    organs: Sequence[str]
    cases: Iterable[ReportCase]
    comparisons: Callable[[Sequence[CaseSummary]], Sequence[Section]] = lambda cases: ()
    events: Sequence[Event] = ()
    highlights: Mapping[str, str] = field(default_factory=dict)
    metrics: Table | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)


def case_labels(names: Sequence[str], show_names: bool) -> dict[str, str]:
    """What a report calls cases, by name: "Case 001", ..., since file names often name patients, unless asked for."""
    return {name: name if show_names else f"Case {number:03d}" for number, name in enumerate(names, start=1)}
