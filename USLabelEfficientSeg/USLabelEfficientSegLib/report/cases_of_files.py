"""The report of segmentations in files with their images, by any program."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import __version__
from ..disk.failures import Failures
from ..disk.files import sha256_of
from ..errors import InputError
from ..imaging.file_formats.segmentation import fitted
from ..imaging.pixel_sizes import PixelSizes
from ..imaging.scan import LabelMap
from ..imaging.scan_files import dimension_of_files, read_scan
from ..measurement.measuring import measure_files
from ..measurement.record import read_record_of
from ..measurement.segmentation_files import find_segmentations, images_of, organs_of_files, read_segmentation
from ..measurement.taken_over import check_model
from ..measurement.uncertainty_maps import read_uncertainty
from ..segmentation.image_statistics import ImageStatistics
from ..segmentation.loading import load_model
from ..segmentation.protocols import Model
from ..segmentation.training_statistics import TrainingStatistics
from ..study.study import Study
from ..text.counting import counted
from .cases_of_study import with_training
from .content import ReportCase, ReportContent, TrueValues, case_labels
from .kinds import KINDS, Kind
from .references import find_references, overlaps, spelt, true_values
from .visits import Visit, check_visits, read_visits


@dataclass(frozen=True)
class SegmentationFiles:
    """Segmentations in files, and all that is reported with them.

    Args:
        kind: of volumes or of 2-D images.
        segmentations: files by the name of their image.
        images: files or DICOM folders by name; those without segmentation are passed over.
        organs: names, by label.
        reference_maps: label maps of an expert, by name.
        reference_values: of another measurement, by case, organ and quantity; they count more than those of maps.
        visits: which cases are repeated scans of which subject.
        model_sha256: of the model that is said to have made the segmentations, see `model_digest`.
        statistics: of the scans that this model learnt from.
    """

    kind: Kind
    segmentations: Mapping[str, Path]
    images: Mapping[str, Path]
    organs: Sequence[str]
    reference_maps: Mapping[str, Path] = field(default_factory=dict)
    reference_values: Mapping[str, TrueValues] = field(default_factory=dict)
    visits: Sequence[Visit] = ()
    model_sha256: str | None = None
    statistics: TrainingStatistics | ImageStatistics | None = None


def content_of_files(
    segmentations: Path,
    images: Path,
    *,
    organs: Sequence[str] | None = None,
    references: Path | None = None,
    visits: Path | None = None,
    study: Path | None = None,
    show_names: bool = False,
    failures: Failures | None = None,
) -> ReportContent:
    """What a report of segmentations in files shows; see `open_segmentations`.

    Args:
        study: that of the model which has made them: its training, settings and checksums are told, too.
        show_names: tell the names of cases and subjects.
    """
    opened = None if study is None else Study.open(study)
    files = open_segmentations(
        segmentations, images, organs=organs, references=references, visits=visits, study=study, failures=failures
    )
    content = content_of(files, files.kind.of_files, show_names=show_names, failures=failures)
    return content if opened is None else with_training(content, opened)


def content_of(
    files: SegmentationFiles, title: str, *, show_names: bool, failures: Failures | None = None
) -> ReportContent:
    """What a report of the opened files shows under a title."""
    labels = case_labels(list(files.segmentations), show_names)
    names = {label: name for name, label in labels.items()}

    def again(label: str) -> ReportCase:
        return _case(files, names[label], files.segmentations[names[label]], label)

    return ReportContent(
        title,
        files.kind,
        files.organs,
        cases_of_files(files, labels, failures),
        files.visits,
        show_names,
        provenance={"library version": __version__},
        count=len(files.segmentations),
        again=again,
    )


def open_segmentations(
    segmentations: Path,
    images: Path,
    *,
    organs: Sequence[str] | None = None,
    references: Path | None = None,
    visits: Path | None = None,
    study: Path | None = None,
    failures: Failures | None = None,
    of_cohort: bool = False,
) -> SegmentationFiles:
    """Find the files of a report.

    Args:
        segmentations: folder of label maps; what was measured when they were made is used, see `measure_files`.
        images: folder of the images of the same names.
        organs: names of the organs, by default those of the study's model or in the files.
        references: folder of label maps, or CSV of volumes (see `read_reference_volumes`).
        visits: CSV of repeated scans (see `read_visits`).
        study: that of the model which has made them.
        failures: takes up the fault of one segmentation, so that the others are reported.
        of_cohort: the segmentations are not read: the first one that can be read tells the organs of all.

    Raises:
        InputError: no segmentations, one without an image, different organs, no reference of any case, a visit of
            an unknown one, a study whose model has made none of them, or a file that cannot be read.
    """
    kind = KINDS[dimension_of_files([segmentations])]
    found = find_segmentations(segmentations)
    if failures is not None:
        failures.of = len(found)
        found = _readable(found, failures)
    of_name = images_of(found, images)
    maps, values = ({}, {}) if references is None else find_references(references, kind, found)
    scans = read_visits(visits) if visits else []
    check_visits(scans, found)
    model = None if study is None else _model(study, kind)
    of_model = None if model is None else model.organs
    names = list(organs or of_model or _organs(found, maps, of_cohort))
    files = SegmentationFiles(kind, found, of_name, names, maps, visits=scans)
    if references is not None:
        files = replace(files, reference_values=spelt(values, names, references))
    if model is None or study is None:
        return files
    digest = model.digest()
    if not of_cohort:  # of which each is flagged
        check_model((read_record_of(path) for path in found.values()), digest, study)
    return replace(files, model_sha256=digest, statistics=model.statistics)


def cases_of_files(
    files: SegmentationFiles, labels: Mapping[str, str], failures: Failures | None = None
) -> Iterator[ReportCase]:
    """The cases under their labels, read one at a time.

    Raises:
        InputError: unless `failures` takes it up, a file cannot be read, does not fit its image, or has changed since
            it was measured.
    """
    failures = failures or Failures()
    for name, path in counted(files.segmentations.items(), "cases for the report"):
        with failures.of_one(path):
            case = _case(files, name, path, labels[name])
        if not failures.last_failed:
            yield case


def _case(files: SegmentationFiles, name: str, path: Path, label: str) -> ReportCase:
    label_map = read_segmentation(path, files.organs)
    # An image that does not tell its pixel size has that of its segmentation.
    sizes = PixelSizes({name: label_map.geometry.spacing[:2]}, source=path)
    scan = read_scan(files.images[name], files.kind.dimension, sizes)
    label_map = fitted(label_map, scan.geometry)
    if not label_map.geometry.same_grid(scan.geometry):
        difference = label_map.geometry.difference(scan.geometry)
        problem = f"has another geometry than its image {files.images[name].name}: it {difference}"
        raise InputError(path, problem, "give the image that was segmented")
    reference = _reference(files, name, label_map)
    true = files.reference_values.get(name, {})
    dice: Mapping[str, float] = {}
    if reference is not None:
        of_map = true_values(reference, files.organs)
        true = {organ: {**of_map.get(organ, {}), **true.get(organ, {})} for organ in {**of_map, **true}}
        dice = overlaps(label_map, reference, files.organs)
    rows = measure_files(
        [path], files.organs, images={name: scan}, statistics=files.statistics, model_sha256=files.model_sha256
    )
    unsure = read_uncertainty(path, label_map)
    return ReportCase(label, scan, label_map, rows, reference, true, dice, _checksum(files.images[name]), unsure)


def _reference(files: SegmentationFiles, name: str, label_map: LabelMap) -> LabelMap | None:
    """The reference map of a case, if there is one, on the grid of its segmentation."""
    path = files.reference_maps.get(name)
    if path is None:
        return None
    reference = fitted(read_segmentation(path, files.organs, geometry=label_map.geometry), label_map.geometry)
    if not reference.geometry.same_grid(label_map.geometry):
        difference = reference.geometry.difference(label_map.geometry)
        problem = f"has another geometry than the segmentation of {name}: it {difference}"
        raise InputError(path, problem, "give both on the grid of the same image")
    return reference


def _checksum(image: Path) -> str:
    """SHA-256 of a file, or of those of a folder's files in the order of their names."""
    if image.is_file():
        return sha256_of(image)
    checksums = "".join(sha256_of(file) for file in sorted(image.iterdir()) if file.is_file())
    return hashlib.sha256(checksums.encode()).hexdigest()


def _organs(segmentations: Mapping[str, Path], references: Mapping[str, Path], of_cohort: bool) -> list[str]:
    """The organs of all segmentations; of a cohort those of the first one that can be read.

    Raises:
        InputError: they differ; of a cohort the error of the last one if none can be read.
    """
    if not of_cohort:
        return organs_of_files(
            segmentations.values(), [references[name] for name in segmentations if name in references]
        )
    last: InputError | None = None
    for path in segmentations.values():
        try:
            return organs_of_files([path])
        except InputError as error:
            last = error
    assert last is not None
    raise last


def _readable(segmentations: Mapping[str, Path], failures: Failures) -> dict[str, Path]:
    """The segmentations that can be read; `failures` takes up the others."""
    found = {}
    for name, path in counted(segmentations.items(), "reading"):
        with failures.of_one(path):
            read_segmentation(path)
            found[name] = path
    return found


def _model(study: Path, kind: Kind) -> Model:
    """The model that is said to have made segmentations of this kind."""
    model = load_model(study)
    if model.dimension != kind.dimension:
        problem = f"has a model of {KINDS[model.dimension].scans}, and the segmentations are of {kind.scans}"
        raise InputError(study, problem, "give the study that they were segmented with")
    return model
