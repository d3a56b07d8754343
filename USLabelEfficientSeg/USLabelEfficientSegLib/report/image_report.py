"""The report of 2-D images: those of a trained study, or segmentations in files with their images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from .. import __version__
from ..disk.failures import Failures
from ..disk.files import sha256_of
from ..errors import InputError
from ..imaging.image_files import read_image
from ..imaging.pixel_sizes import PixelSizes
from ..imaging.scan import LabelMap
from ..measurement.measuring import measure_files, of_kind
from ..measurement.planar import PlanarMeasurement, measure_labels
from ..measurement.record import read_record_of
from ..measurement.segmentation_files import find_segmentations, images_of, organs_of_files, read_segmentation
from ..measurement.segmenting import measure_prediction
from ..measurement.taken_over import check_model
from ..measurement.uncertainty_maps import read_uncertainty
from ..segmentation.protocols import Model
from ..study.coverage import in_percent
from ..study.events import read_events
from ..study.manifest import Case
from ..study.study import Study
from ..text.counting import counted
from ..text.durations import duration
from .blocks import Section
from .cohort_report import overlaps
from .content import case_labels
from .planar_agreement_section import planar_agreement_section
from .planar_report import ImageCase, ImageReport, ImageSummary
from .study_report import check_unchanged, provenance_of, settings_of, training_seconds

TITLE = "Areas and circumferences"


def study_content(
    study: Study, model: Model, device: torch.device, *, show_names: bool, failures: Failures | None = None
) -> ImageReport:
    """What a report of a trained study shows: all its images, segmented now; their labels are the references."""
    labels = case_labels([case.name for case in study.cases], show_names)
    cases = _study_cases(study, model, device, labels, failures or Failures())
    content = ImageReport("Segmentation study of 2-D images", study.organs, cases, _comparisons(study.organs))
    return with_training(content, study)


def with_training(content: ImageReport, study: Study) -> ImageReport:
    """The report with labels, training, settings and provenance of the study that its model is from."""
    events, summary = read_events(study.events.path), study.summary()
    labelled = f"{summary['labelled_volumes']} of {summary['volumes']} ({in_percent(study.label_fraction())})"
    minutes = duration(training_seconds(events))
    return replace(
        content,
        events=events,
        settings=settings_of(study),
        provenance={"labelled images": labelled, "training time": minutes, **provenance_of(study)},
    )


def cohort_content(
    segmentations: Path,
    images: Path,
    *,
    references: Path | None,
    organs: Sequence[str] | None,
    show_names: bool,
    failures: Failures | None = None,
    model_sha256: str | None = None,
    study: Path | None = None,
) -> ImageReport:
    """What a report of segmentations in files shows; what `segment` has measured is taken over.

    Args:
        segmentations: folder; its files tell the pixel sizes where the images do not.
        images: folder of the images of the same names.
        references: folder of labels by an expert, by name.
        organs: names of the organs, by default those in the first file.
        show_names: tell the names of the cases.
        failures: takes up what is wrong with one segmentation, so that the others are reported.
        model_sha256: of the model that is said to have made them, see `model_digest`; `study` is where it is from.

    Raises:
        InputError: no segmentations, one without an image, no reference of any of them, or another model made them all.
    """
    found = find_segmentations(segmentations)
    if failures is not None:
        failures.of = len(found)
        found = _readable(found, failures)
    if model_sha256 is not None and study is not None:
        check_model((read_record_of(path) for path in found.values()), model_sha256, study)
    of_name = images_of(found, images)
    referred = {} if references is None else find_segmentations(references)
    if references is not None and not found.keys() & referred.keys():
        problem = "has no reference of any of these segmentations"
        raise InputError(references, problem, "give references of the same names")
    names = list(organs or organs_of_files(found.values(), [referred[name] for name in found if name in referred]))
    labels = case_labels(list(found), show_names)
    cases = _cohort_cases(found, of_name, referred, names, labels, failures or Failures(), model_sha256)
    return ImageReport(TITLE, names, cases, _comparisons(names), provenance={"library version": __version__})


def _comparisons(organs: Sequence[str]) -> Callable[[Sequence[ImageSummary]], Sequence[Section]]:
    return lambda cases: [planar_agreement_section(cases, organs)]


def _study_cases(
    study: Study, model: Model, device: torch.device, labels: Mapping[str, str], failures: Failures
) -> Iterator[ImageCase]:
    failures.of = len(study.cases)
    for case in counted(study.cases, "segmenting"):
        with failures.of_one(Path(case.image.file)):
            made = _study_case(study, case, model, device, labels[case.name])
        if not failures.last_failed:
            yield made


def _study_case(study: Study, case: Case, model: Model, device: torch.device, label: str) -> ImageCase:
    check_unchanged(study, case)
    image, annotation = study.read_scan(case.name), study.read_labels(case.name)
    prediction = model.predict(image, device)
    found = prediction.labels()
    rows = of_kind(measure_prediction(model, prediction, found), PlanarMeasurement)
    unsure = prediction.uncertainty()
    made = ImageCase(label, image, found, rows, checksum=case.image.sha256, uncertainty=unsure)
    if annotation is not None:
        made = _compared(made, LabelMap(annotation.voxels, image.geometry, case.name), study.organs)
    return made


def _cohort_cases(
    segmentations: Mapping[str, Path],
    images: Mapping[str, Path],
    references: Mapping[str, Path],
    organs: Sequence[str],
    labels: Mapping[str, str],
    failures: Failures,
    model_sha256: str | None,
) -> Iterator[ImageCase]:
    for name, path in counted(segmentations.items(), "cases for the report"):
        with failures.of_one(path):
            made = _cohort_case(name, path, images, references, organs, labels[name], model_sha256)
        if not failures.last_failed:
            yield made


def _readable(segmentations: Mapping[str, Path], failures: Failures) -> dict[str, Path]:
    found = {}
    for name, path in counted(segmentations.items(), "reading"):
        with failures.of_one(path):
            read_segmentation(path)
            found[name] = path
    return found


def _cohort_case(
    name: str,
    path: Path,
    images: Mapping[str, Path],
    references: Mapping[str, Path],
    organs: Sequence[str],
    label: str,
    model_sha256: str | None,
) -> ImageCase:
    found = read_segmentation(path, organs=organs)
    image = read_image(images[name], PixelSizes({name: found.geometry.spacing[:2]}, source=path))
    if not image.geometry.same_grid(found.geometry):
        difference = found.geometry.difference(image.geometry)
        problem = f"has other pixels than its image {images[name].name}: it {difference}"
        raise InputError(path, problem, "give the image that was segmented")
    rows = of_kind(measure_files([path], organs, images={name: image}, model_sha256=model_sha256), PlanarMeasurement)
    checksum = sha256_of(images[name]) if images[name].is_file() else None
    unsure = read_uncertainty(path, found)
    made = ImageCase(label, image, found, rows, checksum=checksum, uncertainty=unsure)
    if name in references:
        made = _compared(made, read_segmentation(references[name], organs, geometry=found.geometry), organs)
    return made


def _compared(case: ImageCase, reference: LabelMap, organs: Sequence[str]) -> ImageCase:
    true_rows = measure_labels(reference, organs)
    return replace(case, reference=reference, true_rows=true_rows, dice=overlaps(case.prediction, reference, organs))
