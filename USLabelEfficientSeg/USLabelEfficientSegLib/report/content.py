"""The content of a report of volumes or of 2-D images: segmented cases, and facts about their model."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..imaging.scan import LabelMap, Scan
from ..measurement.quantities import Measurement, Quantity
from ..segmentation.model_header import Voters
from ..study.events import Event
from .blocks import Table
from .kinds import Kind
from .visits import Visit

MOST_PICTURED = 200  # cases; a report of more is that of a cohort
TrueValues = Mapping[str, Mapping[str, float]]  # by organ and name of the quantity


@dataclass(frozen=True)
class CaseSummary:
    """A case without its voxels, once its pictures are drawn; fields as in `ReportCase`, `name` is the image's."""

    label: str
    name: str
    rows: Sequence[Measurement]
    true_values: TrueValues = field(default_factory=dict)
    dice: Mapping[str, float] = field(default_factory=dict)
    checksum: str | None = None
    has_reference: bool = False
    has_uncertainty: bool = False

    def true_value(self, row: Measurement, quantity: Quantity) -> float | None:
        """The reference of a measured quantity, where it is known."""
        return self.true_values.get(row.organ, {}).get(quantity.name)


@dataclass(frozen=True)
class ReportCase:
    """One segmented volume or 2-D image.

    Args:
        label: what the report calls it, see `case_labels`.
        scan: the volume or image.
        label_map: its segmentation.
        rows: what was measured of every organ.
        reference: the reference segmentation, where there is one.
        true_values: what the reference measures, as far as it is known.
        dice: the overlap with the reference by organ, where there is one.
        checksum: SHA-256 of the image file.
        uncertainty: (I, J, K) in [0, 1] on the grid of the scan, 1 where every class is as likely; where it is known.
    """

    label: str
    scan: Scan
    label_map: LabelMap
    rows: Sequence[Measurement]
    reference: LabelMap | None = None
    true_values: TrueValues = field(default_factory=dict)
    dice: Mapping[str, float] = field(default_factory=dict)
    checksum: str | None = None
    uncertainty: NDArray[np.floating] | None = None

    def summary(self) -> CaseSummary:
        """The case without its voxels."""
        return CaseSummary(
            self.label,
            self.scan.name,
            self.rows,
            self.true_values,
            self.dice,
            self.checksum,
            self.reference is not None,
            self.uncertainty is not None,
        )


@dataclass(frozen=True)
class ReportContent:
    """All that a report shows. Its texts must not name a patient; only labels of cases may, on request.

    Args:
        title: heading of the report.
        kind: volumes or 2-D images.
        organs: organ names, by label.
        cases: read once, one at a time: a generator keeps only one scan in memory.
        visits: which cases are repeated scans of which subject.
        show_names: tell the names of subjects.
        events: of the training, for its curves.
        metrics: summary of an evaluation against references.
        settings: settings of the run by name, as text.
        provenance: versions, seed, checksums of weights and data by name, as text.
        voters: who votes in the model; None: unknown, or a model of 2-D images.
        count: how many cases there are, as far as it is known.
        again: reads one of them once more, by its label; only then the report can be that of a cohort.
        summaries: the cases of a cohort that were read elsewhere; None: they are read now.
        failed: how many could not be read there.
    """

    title: str
    kind: Kind
    organs: Sequence[str]
    cases: Iterable[ReportCase]
    visits: Sequence[Visit] = ()
    show_names: bool = False
    events: Sequence[Event] = ()
    metrics: Table | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    voters: Voters | None = None
    count: int = 0
    again: Callable[[str], ReportCase] | None = None
    summaries: Iterable[CaseSummary] | None = None
    failed: int = 0

    @property
    def is_cohort(self) -> bool:
        """Whether there are too many cases to show pictures of each."""
        return self.again is not None and (self.summaries is not None or self.count > MOST_PICTURED)


def case_labels(names: Sequence[str], show_names: bool) -> dict[str, str]:
    """The labels of cases, by name: "Case 001", ... because file names often name patients; names only on request."""
    return {name: name if show_names else f"Case {number:03d}" for number, name in enumerate(names, start=1)}
