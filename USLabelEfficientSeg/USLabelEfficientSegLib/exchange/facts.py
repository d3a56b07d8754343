"""What is known of a model: who votes, what it has learnt from, how good it was, when to be careful.

Nothing here names a subject or a file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..calibration.shares import Shares
from ..segmentation.image_model import ImageModel
from ..segmentation.loading import TrainedModel
from ..study.provenance import images_added, labels_changed
from ..study.study import Study

_OTHER_HOSPITALS = "Its Dice is that on labelled slices of the same study, not on scans of other hospitals."


@dataclass(frozen=True)
class Expected:
    """A Dice that was measured, and on what.

    Attributes:
        dice: mean over organs.
        of: who was measured.
        on: which slices.
    """

    dice: float
    of: str
    on: str


@dataclass(frozen=True)
class Facts:
    """What is known of a model; None where nobody knows.

    Attributes:
        scans: what its scans are called: "volumes" or "images".
        networks: what votes, a clause each.
        learnt_from: sentences on its training data.
        expected: the Dice to expect.
        shares: what decides, a sentence.
        intervals: how its intervals are calibrated, a sentence.
        usual: what its training scans were like, a clause each.
        cautions: when not to trust it, a sentence each.
    """

    scans: str
    networks: tuple[str, ...]
    learnt_from: tuple[str, ...]
    expected: tuple[Expected, ...]
    shares: str | None
    intervals: str
    usual: tuple[str, ...]
    cautions: tuple[str, ...]


def facts_of(model: TrainedModel, study: Study | None = None) -> Facts:
    """What is known of a model, and of the study that it was trained on, if that is at hand."""
    planar = isinstance(model, ImageModel)
    scans = "images" if planar else "volumes"
    shares = None if planar else _shares(model.provenance)
    expected = () if shares is None else _expected(shares)
    return Facts(
        scans=scans,
        networks=_networks(model),
        learnt_from=_learnt_from(model.provenance, scans, study),
        expected=expected,
        shares=None if shares is None else f"{shares.told()}.",
        intervals=f"It gives no intervals: `uslabelseg calibrate` makes them from labelled {scans} held out."
        if model.calibration is None
        else model.calibration.method,
        usual=_usual(model),
        cautions=_cautions(scans, model.provenance, expected),
    )


def _shares(provenance: dict[str, Any]) -> Shares | None:
    try:
        return Shares.of_record(provenance["votes"])
    except (KeyError, TypeError, ValueError):
        return None


def _expected(shares: Shares) -> tuple[Expected, ...]:
    if shares.dice is None:
        return ()
    on = f"{_counted(shares.held_out, 'labelled slice')} of the training study, left out in turn (cross-fitting)"
    of_networks, of_prior = shares.dice
    known = [Expected(of_networks, "2-D networks on slices alone", on)] if shares.slices else []
    if shares.location_helps:
        known.append(Expected(of_prior, "the place of the organs alone", on))
    return tuple(known)


def _networks(model: TrainedModel) -> tuple[str, ...]:
    if isinstance(model, ImageModel):
        return ("one 2-D network (UNeXt)",)
    parts = []
    if model.slices is not None:
        axes = ", ".join(str(voter.axis) for voter in model.slices.voters)
        parts.append(f"{_counted(len(model.slices.voters), '2-D network')} on slices, along array axis {axes}")
    if model.networks:
        parts.append(f"{_counted(len(model.networks), '3-D network')} ({model.design.network})")
    if model.prior is not None:
        parts.append("the place of the organs, a quadratic function of the position")
    return tuple(parts)


def _learnt_from(provenance: dict[str, Any], scans: str, study: Study | None) -> tuple[str, ...]:
    told = []
    images, labels = provenance.get("images"), provenance.get("labels")
    if isinstance(images, Collection) and isinstance(labels, Collection):
        told.append(f"It has learnt from {len(images)} ultrasound {scans}, of which {len(labels)} have labels.")
    if study is not None and not (labels_changed(study) or images_added(study)):
        slices = sum(len(case.labels.slices) for case in study.cases if case.labels is not None)
        of_all = 100 * study.label_fraction()
        if not study.is_planar:
            told.append(f"Labelled: {_counted(slices, 'slice')}, {of_all:.2g} % of all along the labelled axis.")
    settings = _section(provenance, "settings")
    if "preset" in settings:
        told.append(f"Settings: preset {settings['preset']}, method {settings.get('method', 'cross-dimensional')}.")
    if "continued_from" in provenance:
        told.append("Its training continued from an earlier model of the same study.")
    return tuple(told) or ("What it has learnt from is not recorded.",)


def _usual(model: TrainedModel) -> tuple[str, ...]:
    if isinstance(model, ImageModel):
        return () if model.statistics is None else (f"pixels of {_ranges([model.statistics.pixel_mm])} mm",)
    statistics = model.statistics
    if statistics is None:
        return ()
    known = [
        f"spacing of {_ranges(statistics.spacing_mm)} mm along the three array axes",
        f"extent of {_ranges(statistics.extent_mm)} mm",
    ]
    for organ, (low, high) in zip(model.organs, statistics.volumes_ml, strict=True):
        known.append(f"{organ}: {_ranges([(low, high)])} ml, as the model measures them")
    if model.orientation == "as-stored" and statistics.axes:
        known.append(
            f"array axes towards {' or '.join(statistics.axes)} of the patient; others are segmented less well"
        )
    return tuple(known)


def _ranges(values: Sequence[tuple[float, float]]) -> str:
    ends = [(f"{low:.3g}", f"{high:.3g}") for low, high in values]
    return ", ".join(low if low == high else f"{low} to {high}" for low, high in ends)


def _cautions(scans: str, provenance: dict[str, Any], expected: Sequence[Expected]) -> tuple[str, ...]:
    sure = _section(_section(provenance, "settings"), "slice_network").get("presence") not in (None, 0)
    everywhere = ("It expects every organ in every scan, and may invent one that is not there.",) if sure else ()
    return (
        "It is for research, and no medical device. Look at every outline before you use a number.",
        f"It knows the scanners, probes, protocols and subjects of its training {scans}. Of others nothing is "
        f"promised: "
        "compare with labels of your own first (`uslabelseg evaluate`).",
        *everywhere,
        *((_OTHER_HOSPITALS,) if expected else ()),
    )


def _section(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of a record; nothing where there is none: the model may come from anybody."""
    part = record.get(name)
    return part if isinstance(part, Mapping) else {}


def _counted(count: int, noun: str) -> str:
    return f"one {noun}" if count == 1 else f"{count} {noun}s"
