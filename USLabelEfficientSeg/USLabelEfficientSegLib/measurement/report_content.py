"""What a report shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..imaging.volume import LabelMap, UltrasoundVolume
from ..study.events import Event
from .volumes import OrganVolume


@dataclass(frozen=True)
class Table:
    """Cells ready to be read, units in the headings; only the first `text_columns` columns are text."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: int = 1


@dataclass(frozen=True)
class ReportCase:
    """One segmented volume.

    Args:
        volume: the image; its name is the case's name, shown only on request.
        prediction: its segmentation.
        volumes: the measured volume of every organ.
        reference: the reference segmentation, where there is one.
        true_volumes_ml: the true volume by organ, as far as known.
        checksum: SHA-256 of the image file.
    """

    volume: UltrasoundVolume
    prediction: LabelMap
    volumes: Sequence[OrganVolume]
    reference: LabelMap | None = None
    true_volumes_ml: Mapping[str, float] = field(default_factory=dict)
    checksum: str | None = None


@dataclass(frozen=True)
class ReportContent:
    """All that a report shows. Its texts must not name a patient or a case: only `ReportCase` names cases.

    Args:
        title: heading of the report.
        organs: organ names, by label.
        cases: read once, one at a time: a generator keeps only one volume in memory.
        events: of the training, for its curves.
        highlights: main results by name, ready to be read ("Mean Dice": "0.91").
        metrics: agreement with references.
        settings: settings of the run by name, as text.
        provenance: versions, seed, checksums of weights and data by name, as text.
    """

    title: str
    organs: Sequence[str]
    cases: Iterable[ReportCase]
    events: Sequence[Event] = ()
    highlights: Mapping[str, str] = field(default_factory=dict)
    metrics: Table | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
