"""The report of a trained study: what is known about its training, and its segmented cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch

from ..disk.failures import Failures
from ..disk.files import sha256_of
from ..disk.study_layout import MODEL_NAME
from ..errors import InputError
from ..imaging.scan import LabelMap
from ..measurement.measuring import of_kind
from ..measurement.organ import OrganMeasurement
from ..measurement.segmenting import measure_prediction
from ..measurement.volumes import organ_volumes
from ..segmentation.protocols import Model
from ..study.coverage import share_in_words
from ..study.events import read_events
from ..study.events import training_seconds as training_seconds
from ..study.manifest import Case
from ..study.provenance import read_settings, read_starts
from ..study.settings_used import settings_used
from ..study.study import Study
from ..text.counting import counted
from ..text.durations import duration
from .blocks import Section, Table
from .cohort_report import overlaps
from .content import CaseSummary, ReportCase, ReportContent


def segmented_cases(
    study: Study,
    model: Model,
    device: torch.device,
    labels: Mapping[str, str],
    failures: Failures | None = None,
) -> Iterator[ReportCase]:
    """Every volume of the study, segmented and measured; its label is the reference where it is complete."""
    failures = failures or Failures()
    failures.of = len(study.cases)
    for case in counted(study.cases, "segmenting"):
        with failures.of_one(Path(case.image.file)):
            made = _segmented(study, case, model, device, labels[case.name])
        if not failures.last_failed:
            yield made


def _segmented(study: Study, case: Case, model: Model, device: torch.device, label: str) -> ReportCase:
    check_unchanged(study, case)
    volume, annotation = study.read_scan(case.name), study.read_labels(case.name)
    prediction = model.predict(volume, device)
    label_map, reference = prediction.labels(), None
    true_ml: dict[str, float] = {}
    overlap: dict[str, float] = {}
    if annotation is not None and annotation.is_dense:
        reference = LabelMap(annotation.voxels, volume.geometry, case.name)
        true_ml = {row.organ: row.volume_ml for row in organ_volumes(reference, model.organs)}
        overlap = overlaps(label_map, reference, model.organs)
    rows = of_kind(measure_prediction(model, prediction, label_map), OrganMeasurement)
    unsure = prediction.uncertainty()
    return ReportCase(label, volume, label_map, rows, reference, true_ml, overlap, case.image.sha256, unsure)


def check_unchanged(study: Study, case: Case) -> None:
    """Raise `InputError` when the image of a case is no longer the file that the study was made with."""
    file = study.folder / case.image.file
    if sha256_of(file) != case.image.sha256:
        problem = "has changed since it was added to the study"
        raise InputError(file, problem, "put the file back, or add it under another name")


def report_content(
    study: Study,
    title: str,
    cases: Iterable[ReportCase],
    comparisons: Callable[[Sequence[CaseSummary]], Sequence[Section]] = lambda cases: (),
    highlights: Mapping[str, str] | None = None,
    metrics: Table | None = None,
) -> ReportContent:
    """What a report of a trained study shows: labels, training, settings and provenance besides the `cases`."""
    events = read_events(study.events.path)
    summary = study.summary()
    return ReportContent(
        title=title,
        organs=study.organs,
        cases=cases,
        comparisons=comparisons,
        events=events,
        highlights=highlights or {},
        metrics=metrics,
        settings=settings_of(study),
        provenance={
            "labelled slices": f"{summary['labelled_slices']} ({share_in_words(study)})",
            "training time": duration(training_seconds(events)),
            **provenance_of(study),
        },
    )


def settings_of(study: Study) -> dict[str, str]:
    """Settings of the study's run that shaped its model, by their dotted names, as text."""
    settings = read_settings(study)
    return settings_used(settings, study.dimension) if settings else {}


def provenance_of(study: Study) -> dict[str, str]:
    """When, where and with what software the study was trained, and the checksum of its model, as text."""
    starts = read_starts(study)
    last = starts[-1] if starts else {"versions": {}}
    return {
        **{name: str(last[name]) for name in ("time", "device", "platform", "cpus") if name in last},
        **{f"{name} version": str(version) for name, version in last["versions"].items()},
        "weights (SHA-256)": sha256_of(study.run_folder / MODEL_NAME),
    }
