"""The report of a trained study: its own cases, segmented now, and its training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch

from ..disk.failures import Failures
from ..disk.files import sha256_of
from ..disk.study_layout import MODEL_NAME
from ..errors import InputError
from ..imaging.scan import LabelMap
from ..measurement.segmenting import measure_prediction
from ..method.image_time import trained_image_settings
from ..method.time_plan import trained_settings
from ..segmentation.loading import load_model
from ..segmentation.model_header import read_voters
from ..segmentation.protocols import Model
from ..study.coverage import in_percent, share_in_words
from ..study.events import read_events, training_seconds
from ..study.manifest import Case
from ..study.provenance import read_settings, read_starts
from ..study.settings_used import settings_used
from ..study.study import Study
from ..text.counting import counted
from ..text.durations import duration
from ..training.memory import tune_memory
from .content import ReportCase, ReportContent, case_labels
from .kinds import KINDS
from .references import overlaps, true_values
from .visits import check_visits, read_visits


def content_of_study(
    folder: Path,
    device: torch.device,
    *,
    visits: Path | None = None,
    show_names: bool = False,
    failures: Failures | None = None,
) -> ReportContent:
    """What a report of a trained study shows: all its cases, segmented now; their labels are the references.

    Args:
        folder: of the study.
        device: where to segment.
        visits: CSV of repeated scans (see `read_visits`).
        show_names: tell the names of cases and subjects.
        failures: takes up the fault of one case, so that the others are reported.

    Raises:
        InputError: no study, or one that is not trained to the end; a visit of an unknown case.
    """
    study, model = Study.open(folder), load_model(folder)
    scans, names = read_visits(visits) if visits else [], [case.name for case in study.cases]
    check_visits(scans, names)
    tune_memory()
    kind = KINDS[study.dimension]
    labels = case_labels(names, show_names)
    of_label = {labels[case.name]: case for case in study.cases}
    content = ReportContent(
        kind.of_study,
        kind,
        study.organs,
        _cases(study, model, device, labels, failures or Failures()),
        scans,
        show_names,
        count=len(names),
        again=lambda label: _case(study, of_label[label], model, device, label),
    )
    return with_training(content, study)


def with_training(content: ReportContent, study: Study) -> ReportContent:
    """The report with labels, training, settings and provenance of the study that its model is from."""
    events, settings, starts = read_events(study.events.path), read_settings(study), read_starts(study)
    last = starts[-1] if starts else {"versions": {}}
    voters = read_voters(study.run_folder / MODEL_NAME)
    students = voters is None or voters.students > 0
    used = {}
    if settings is not None:
        planar = study.dimension == 2
        made_with = (
            trained_image_settings(study, settings) if planar else trained_settings(study, settings, students=students)
        )
        used = settings_used(made_with, study.dimension, students)
    given = {} if settings is None or settings.minutes is None else {"training time given": f"{settings.minutes:g} min"}
    return replace(
        content,
        events=events,
        voters=voters,
        settings=used,
        provenance={
            **_labelled(study),
            "training time": duration(training_seconds(events)),
            **given,
            **{name: str(last[name]) for name in ("time", "device", "platform", "cpus") if name in last},
            **{f"{name} version": str(version) for name, version in last["versions"].items()},
            "weights (SHA-256)": sha256_of(study.run_folder / MODEL_NAME),
        },
    )


def _labelled(study: Study) -> dict[str, str]:
    """The labelled part of a study: slices of volumes, or whole images."""
    summary = study.summary()
    if study.dimension == 2:
        share = in_percent(study.label_fraction())
        return {"labelled images": f"{summary['labelled_volumes']} of {summary['volumes']} ({share})"}
    return {"labelled slices": f"{summary['labelled_slices']} ({share_in_words(study)})"}


def _cases(
    study: Study, model: Model, device: torch.device, labels: Mapping[str, str], failures: Failures
) -> Iterator[ReportCase]:
    """Every case of the study, segmented and measured."""
    failures.of = len(study.cases)
    for case in counted(study.cases, "segmenting"):
        with failures.of_one(Path(case.image.file)):
            made = _case(study, case, model, device, labels[case.name])
        if not failures.last_failed:
            yield made


def _case(study: Study, case: Case, model: Model, device: torch.device, label: str) -> ReportCase:
    """A case; a complete label is its reference."""
    file = study.folder / case.image.file
    if sha256_of(file) != case.image.sha256:
        problem = "has changed since it was added to the study"
        raise InputError(file, problem, "put the file back, or add it under another name")
    scan, annotation = study.read_scan(case.name), study.read_labels(case.name)
    prediction = model.predict(scan, device)
    label_map = prediction.labels()
    rows = measure_prediction(model, prediction, label_map)
    unsure = prediction.uncertainty()
    made = ReportCase(label, scan, label_map, rows, checksum=case.image.sha256, uncertainty=unsure)
    if annotation is None or not annotation.is_dense:
        return made
    reference = LabelMap(annotation.voxels, scan.geometry, case.name)
    true, dice = true_values(reference, model.organs), overlaps(label_map, reference, model.organs)
    return replace(made, reference=reference, true_values=true, dice=dice)
