"""Measuring segmentations of volumes and 2-D images, with the measurements from when they were made."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..annotation.segments import numbered_organs
from ..annotation.sparse_labels import UNLABELLED
from ..disk.failures import Failures
from ..disk.suffixes import PICTURE_SUFFIXES, suffix_of
from ..errors import InputError
from ..imaging.pixel_sizes import UNKNOWN_PIXEL_SIZES, PixelSizes
from ..imaging.scan import LabelMap, Scan
from ..imaging.scan_files import dimension_of, read_scan
from ..segmentation.image_statistics import ImageStatistics
from ..segmentation.intensity_features import image_features
from ..segmentation.training_statistics import TrainingStatistics
from ..text.counting import counted as shown
from .organ import OrganMeasurement
from .own_outlines import own_outlines
from .planar import PlanarMeasurement, measure_labels
from .quantities import Measurement, Quantity
from .record import UNKNOWN, AnyMeasurement, Maker, read_record_of, write_record_of
from .segmentation_files import case_of, given_files, in_order, read_probabilities, read_segmentation
from .taken_over import model_flagged, taken_over
from .volumes import organ_volumes
from .volumetric import measure_case

Row = TypeVar("Row", OrganMeasurement, PlanarMeasurement)


def measure(
    label_map: LabelMap,
    organs: Sequence[str],
    probabilities: NDArray[np.floating] | None = None,
    *,
    image: Scan | None = None,
    statistics: TrainingStatistics | ImageStatistics | None = None,
    counted: Container[int] | None = None,
) -> Sequence[AnyMeasurement]:
    """Measure every organ of a segmentation; arguments and errors are those of `measure_case` and `measure_labels`.

    Raises:
        InputError: also where the statistics are those of a model of another kind of images.
    """
    if label_map.is_planar:
        if isinstance(statistics, TrainingStatistics):
            raise InputError(label_map.name, "is a 2-D image, and the model is of volumes", "give a model of images")
        if image is not None and not label_map.geometry.same_grid(image.geometry):
            problem = f"has other pixels than its image: it {label_map.geometry.difference(image.geometry)}"
            raise InputError(label_map.name, problem, "give the image that was segmented")
        features = None if image is None else image_features(image)
        return measure_labels(
            label_map, organs, probabilities, statistics=statistics, features=features, counted=counted
        )
    if statistics is not None and not isinstance(statistics, TrainingStatistics):
        raise InputError(label_map.name, "is a volume, and the model is of 2-D images", "give a model of volumes")
    return measure_case(label_map, organs, probabilities, image=image, statistics=statistics, counted=counted)


def outline_quantities(label_map: LabelMap, organs: Sequence[str]) -> list[tuple[Quantity, ...]]:
    """The quantities to report of every organ's outline, without the shapes of volumes, which take longer.

    Raises:
        InputError: a label without a name, unlabelled voxels.
    """
    measured = measure_labels if label_map.is_planar else organ_volumes
    return [row.headline for row in measured(label_map, organs)]


def measure_files(
    paths: Iterable[Path],
    organs: Sequence[str] | None = None,
    *,
    images: Mapping[str, Path | Scan] | None = None,
    statistics: TrainingStatistics | ImageStatistics | None = None,
    sizes: PixelSizes = UNKNOWN_PIXEL_SIZES,
    model_sha256: str | None = None,
    failures: Failures | None = None,
) -> list[AnyMeasurement]:
    """Measure segmentation files and all segmentations in folders.

    The measurements from when a file was segmented, with intervals, are taken over for every organ that was not edited
    since; for edited organs the outline counts. If nothing was measured then, probabilities beside the segmentation
    count for the organs that they outline. Without `organs` the names come from each file; files without names have the
    rows `organ 1`, `organ 2`, ... up to the highest label of all. An organ that a segmentation lacks has 0 ml.

    Args:
        paths: files and folders.
        organs: names of the organs.
        images: the segmented images by name, if they are at hand: see `measure_case`.
        statistics: of the images that the model learnt from.
        sizes: tells the pixel sizes of 2-D images where neither file nor image does.
        model_sha256: of the model that should have made them, see `model_digest`: others are flagged.
        failures: takes up the fault of one file, so that the others are measured.

    Raises:
        InputError: a file cannot be read or measured, its image has changed since it was segmented, two
            segmentations are of images of the same name, or one is of a volume and another of a 2-D image.

    Examples:
        >>> rows = measure_files([Path("labels")], ["solid", "fluid"])
        >>> [(row.case, row.organ) for row in rows[:2]]
        [('simulated_0000', 'solid'), ('simulated_0000', 'fluid')]
    """
    files = given_files(paths)
    failures = failures or Failures()
    failures.of = len(files)
    named: dict[Path, list[AnyMeasurement]] = {}
    unnamed: dict[Path, list[AnyMeasurement]] = {}
    for file in shown(files, "measuring"):
        with failures.of_one(file):
            names, rows = _measured(file, organs, images or {}, statistics, sizes, model_sha256)
            _check_kind(file, rows, next(iter((named | unnamed).items()), None))
            (named if names else unnamed)[file] = rows
    present = [n for rows in unnamed.values() for n, row in enumerate(rows, 1) if row.is_found]
    kept = {file: rows[: max(present, default=1)] for file, rows in unnamed.items()}
    return [row for file in files for row in (*named.get(file, []), *kept.get(file, []))]


def of_kind(rows: Iterable[Measurement], kind: type[Row]) -> list[Row]:
    """Measurements that are all of organs in volumes, or all in 2-D images. Raises `InputError` when they are not."""
    found = []
    for row in rows:
        if not isinstance(row, kind):
            wanted = "volumes" if kind is OrganMeasurement else "2-D images"
            raise InputError(row.case, f"is not one of the {wanted} that are needed here", f"give {wanted}")
        found.append(row)
    return found


def write_measurements_of(
    segmentation: Path, rows: Sequence[AnyMeasurement], label_map: LabelMap | None = None, maker: Maker = UNKNOWN
) -> None:
    """Write the measurements of a segmentation file, which holds `label_map`, beside it."""
    write_record_of(segmentation, rows, read_segmentation(segmentation) if label_map is None else label_map, maker)


def read_measurements_of(segmentation: Path) -> list[AnyMeasurement] | None:
    """The measurements from when the file was segmented; None without any, or if an organ was edited since."""
    record = read_record_of(segmentation)
    if record is None:
        return None
    found = taken_over(segmentation, read_segmentation(segmentation), record, None)
    return found.all if found.complete else None


def _measured(
    file: Path,
    organs: Sequence[str] | None,
    images: Mapping[str, Path | Scan],
    statistics: TrainingStatistics | ImageStatistics | None,
    sizes: PixelSizes,
    model_sha256: str | None,
) -> tuple[bool, list[AnyMeasurement]]:
    """Whether a file names its organs, or somebody does, and the measurements of them or of all labels."""
    label_map, image = _read(file, images, sizes)
    found = taken_over(file, label_map, read_record_of(file), organs)
    label_map, names = found.label_map, found.organs
    if image is not None:
        found.check_image(file, image)
    if found.complete:
        return True, model_flagged(found.all, found.maker, model_sha256)
    probabilities = None if found.known else read_probabilities(file, label_map.name, label_map.geometry.shape)
    if probabilities is not None and organs is not None:
        probabilities = in_order(probabilities, found.labels, len(organs))
    count = UNLABELLED - 1 if probabilities is None else len(probabilities) - 1
    rows = measure(
        label_map,
        names or list(numbered_organs(count)),
        probabilities,
        image=image,
        statistics=statistics,
        counted=None if probabilities is None else own_outlines(label_map.voxels, probabilities),
    )
    return bool(names), model_flagged(found.joined(rows), found.maker, model_sha256)


def _read(file: Path, images: Mapping[str, Path | Scan], sizes: PixelSizes) -> tuple[LabelMap, Scan | None]:
    """A segmentation and its image, if it is at hand; for 2-D images either may tell the pixel size of both."""
    image = images.get(case_of(file))
    if isinstance(image, Path) and (suffix_of(file) in PICTURE_SUFFIXES or dimension_of(file) == 3):
        image = read_scan(image, dimension_of(file), sizes)
    known = None if image is None or isinstance(image, Path) else image.geometry
    label_map = read_segmentation(file, geometry=known, sizes=sizes)
    if isinstance(image, Path):
        image = read_scan(image, 2, PixelSizes({label_map.name: label_map.geometry.spacing[:2]}, source=file))
    return label_map, image


def _check_kind(
    file: Path, rows: Sequence[AnyMeasurement], other: tuple[Path, Sequence[AnyMeasurement]] | None
) -> None:
    """Areas and volumes are no columns of one table."""
    if other is not None and rows and other[1] and type(rows[0]) is not type(other[1][0]):
        kinds = ("a volume", "a 2-D image")
        own, others = kinds if isinstance(rows[0], OrganMeasurement) else kinds[::-1]
        raise InputError(file, f"is of {own}, and {other[0]} of {others}", "measure them in two runs")
