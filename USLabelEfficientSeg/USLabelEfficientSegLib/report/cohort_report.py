"""The report of a cohort: segmentations in files with their images, whoever made them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import __version__
from ..annotation.organ_names import folded
from ..disk.failures import Failures
from ..disk.files import sha256_of
from ..errors import InputError
from ..evaluation.metrics import dice
from ..evaluation.reference_volumes import read_reference_volumes
from ..imaging.file_formats.segmentation import fitted
from ..imaging.files import read_volume
from ..imaging.scan import LabelMap
from ..measurement.measuring import measure_files, of_kind
from ..measurement.organ import OrganMeasurement
from ..measurement.segmentation_files import (
    find_segmentations,
    images_of,
    organs_of_files,
    read_segmentation,
)
from ..measurement.uncertainty_maps import read_uncertainty
from ..measurement.volumes import organ_volumes
from ..segmentation.training_statistics import TrainingStatistics
from ..text.counting import counted
from .agreement_section import agreement_section
from .blocks import Section
from .content import CaseSummary, ReportCase, ReportContent, case_labels
from .repeats_section import repeats_section
from .visits import Visit, changes, check_visits, read_visits


@dataclass(frozen=True)
class Cohort:
    """What a report of segmentation files is made from.

    Args:
        segmentations: files by the name of their image.
        images: files or DICOM folders by name; those without segmentation are passed over.
        organs: names, by label.
        statistics: of the volumes that the model learnt from, where they are known.
        reference_maps: label maps of an expert, by name.
        reference_volumes_ml: volumes of another measurement, by case and organ; they count more than those of maps.
        visits: which cases are repeated scans of which subject.
        model_sha256: of the model that is said to have made the segmentations, see `model_digest`.
    """

    segmentations: Mapping[str, Path]
    images: Mapping[str, Path]
    organs: Sequence[str]
    statistics: TrainingStatistics | None = None
    reference_maps: Mapping[str, Path] = field(default_factory=dict)
    reference_volumes_ml: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    visits: Sequence[Visit] = ()
    model_sha256: str | None = None


def open_cohort(
    segmentations: Path,
    images: Path,
    *,
    organs: Sequence[str] | None = None,
    statistics: TrainingStatistics | None = None,
    references: Path | None = None,
    visits: Path | None = None,
    failures: Failures | None = None,
) -> Cohort:
    """Find the files of a cohort.

    Args:
        segmentations: folder of label maps; what was measured when they were made is used, see `measure_files`.
        images: folder of the images of the same names.
        organs: names of the organs, by default those in the files.
        statistics: of the volumes that the model learnt from.
        references: folder of label maps, or CSV of volumes (see `read_reference_volumes`).
        visits: CSV of repeated scans (see `read_visits`).
        failures: takes up what is wrong with one segmentation, so that the others are reported.

    Raises:
        InputError: no segmentations, one without an image, different organs, no reference of any case, a visit of
            an unknown one, or a file that cannot be read.
    """
    found = find_segmentations(segmentations)
    if failures is not None:
        failures.of = len(found)
        found = readable(found, failures)
    of_name = images_of(found, images)
    maps: Mapping[str, Path] = {}
    volumes_ml: Mapping[str, Mapping[str, float]] = {}
    if references is not None:
        if references.is_dir():
            maps = find_segmentations(references)
        else:
            volumes_ml = read_reference_volumes(references)
        if not found.keys() & {*maps, *volumes_ml}:
            problem = "has no reference of any of these segmentations"
            raise InputError(references, problem, "give references of the same names")
    scans = read_visits(visits) if visits else []
    check_visits(scans, found)
    names = list(organs or organs_of_files(found.values(), [maps[name] for name in found if name in maps]))
    spelt = {folded(organ): organ for organ in names}
    volumes_ml = {
        case: {spelt.get(folded(organ), organ): ml for organ, ml in of_case.items()}
        for case, of_case in volumes_ml.items()
    }
    if volumes_ml and not any(set(names) & of_case.keys() for of_case in volumes_ml.values()):
        raise InputError(references or "references", f"has no volume of {', '.join(names)}", "use the same organ names")
    return Cohort(
        found,
        of_name,
        names,
        statistics,
        maps,
        volumes_ml,
        scans,
    )


def cohort_content(cohort: Cohort, title: str, *, show_names: bool, failures: Failures | None = None) -> ReportContent:
    """What a report of the cohort shows; names of cases and subjects only if asked for."""
    labels = case_labels(list(cohort.segmentations), show_names)

    def comparisons(cases: Sequence[CaseSummary]) -> list[Section]:
        return comparison_sections(cases, cohort.organs, cohort.visits, show_names=show_names)

    return ReportContent(
        title,
        cohort.organs,
        cohort_cases(cohort, labels, failures),
        comparisons,
        provenance={"library version": __version__},
    )


def comparison_sections(
    cases: Sequence[CaseSummary], organs: Sequence[str], visits: Sequence[Visit], *, show_names: bool
) -> list[Section]:
    """Repeated scans and agreement with references, as far as there are any."""
    found = changes([row for case in cases for row in case.rows], visits)
    labels = {case.name: case.label for case in cases}
    return [repeats_section(found, labels, show_names=show_names), agreement_section(cases, organs)]


def readable(segmentations: Mapping[str, Path], failures: Failures) -> dict[str, Path]:
    """The segmentations that can be read; `failures` takes up the others."""
    found = {}
    for name, path in counted(segmentations.items(), "reading"):
        with failures.of_one(path):
            read_segmentation(path)
            found[name] = path
    return found


def cohort_cases(cohort: Cohort, labels: Mapping[str, str], failures: Failures | None = None) -> Iterator[ReportCase]:
    """The cases under their labels, read one at a time.

    Raises:
        InputError: unless `failures` takes it up, a file cannot be read, does not fit its image, or has changed since
            it was measured.
    """
    failures = failures or Failures()
    for name, path in counted(cohort.segmentations.items(), "cases for the report"):
        with failures.of_one(path):
            case = _case(cohort, name, path, labels[name])
        if not failures.last_failed:
            yield case


def _case(cohort: Cohort, name: str, path: Path, label: str) -> ReportCase:
    image = cohort.images[name]
    volume, label_map = read_volume(image), read_segmentation(path, cohort.organs)
    label_map = fitted(label_map, volume.geometry)
    if not label_map.geometry.same_grid(volume.geometry):
        difference = label_map.geometry.difference(volume.geometry)
        problem = f"has another geometry than its image {image.name}: it {difference}"
        raise InputError(path, problem, "give the image that was segmented")
    reference, true_ml, overlap = _reference(cohort, name, label_map)
    rows = measure_files(
        [path],
        cohort.organs,
        images={name: volume},
        statistics=cohort.statistics,
        model_sha256=cohort.model_sha256,
    )
    unsure = read_uncertainty(path, label_map)
    return ReportCase(
        label, volume, label_map, of_kind(rows, OrganMeasurement), reference, true_ml, overlap, _checksum(image), unsure
    )


def _reference(
    cohort: Cohort, name: str, label_map: LabelMap
) -> tuple[LabelMap | None, dict[str, float], dict[str, float]]:
    """The reference map of a case, its volumes and its overlap by organ, as far as there are any."""
    volumes_ml = dict(cohort.reference_volumes_ml.get(name, {}))
    if name not in cohort.reference_maps:
        return None, volumes_ml, {}
    reference = fitted(read_segmentation(cohort.reference_maps[name], cohort.organs), label_map.geometry)
    if not reference.geometry.same_grid(label_map.geometry):
        difference = reference.geometry.difference(label_map.geometry)
        problem = f"has another geometry than the segmentation of {name}: it {difference}"
        raise InputError(cohort.reference_maps[name], problem, "give both on the grid of the same image")
    of_map = {row.organ: row.volume_ml for row in organ_volumes(reference, cohort.organs)}
    return reference, {**of_map, **volumes_ml}, overlaps(label_map, reference, cohort.organs)


def overlaps(prediction: LabelMap, reference: LabelMap, organs: Sequence[str]) -> dict[str, float]:
    """Dice of every organ."""
    return {
        organ: dice(prediction.voxels == label, reference.voxels == label)
        for label, organ in enumerate(organs, start=1)
    }


def _checksum(image: Path) -> str:
    """SHA-256 of a file, or of those of a folder's files in the order of their names."""
    if image.is_file():
        return sha256_of(image)
    checksums = "".join(sha256_of(file) for file in sorted(image.iterdir()) if file.is_file())
    return hashlib.sha256(checksums.encode()).hexdigest()
