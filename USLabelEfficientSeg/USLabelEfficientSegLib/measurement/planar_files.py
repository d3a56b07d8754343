"""Measurements of 2-D images as files: `areas.csv` for people, JSON for programs; and what is measured of files.

The JSON files are those of `record`, with the fields of `PlanarMeasurement`.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from ..annotation.label_files import read_planar_labels
from ..annotation.segments import LabelFile, numbered_organs
from ..disk.failures import Failures
from ..disk.files import atomic_write_csv
from ..errors import InputError
from ..imaging.files import read_map
from ..imaging.geometry import Geometry
from ..imaging.pixel_sizes import UNKNOWN_PIXEL_SIZES, PixelSizes
from ..imaging.scan import LabelMap, Scan
from ..text.counting import counted
from ..text.numbers import for_programs
from .own_outlines import own_outlines
from .planar import PlanarMeasurement, measure_planar
from .record import UNKNOWN, Maker, RecordKind, read_record_of, record_of, write_record, write_record_of
from .segmentation_files import (
    PROBABILITY_REMEDY,
    check_one_a_case,
    find_segmentations,
    given_files,
    in_order,
    named_segmentation,
    organs_of_labels,
    probability_file,
)
from .taken_over import TakenOver, model_flagged, names_of, taken_over

CSV_HEADINGS = (
    "case", "organ", "pixel_count", "area_mm2", "outline_area_mm2", "area_interval_low_mm2",
    "area_interval_high_mm2", "perimeter_mm", "ellipse_major_axis_mm", "ellipse_minor_axis_mm", "circumference_mm",
    "circumference_interval_low_mm", "circumference_interval_high_mm", "ellipse_centre_i_mm", "ellipse_centre_j_mm",
    "ellipse_angle_degrees", "flags",
)  # fmt: skip
KIND = RecordKind(
    TypeAdapter(list[PlanarMeasurement]), "holds no measurements of a 2-D image", "segment the image again"
)
_NONE = (None, None)


def find_image_segmentations(folder: Path) -> dict[str, Path]:
    """Segmentations of 2-D images in a folder by the name of their image. Raises as `find_segmentations` does."""
    return find_segmentations(folder, pictures=True)


def read_image_segmentation(
    path: Path,
    geometry: Geometry | None = None,
    sizes: PixelSizes = UNKNOWN_PIXEL_SIZES,
    organs: Sequence[str] | None = None,
) -> LabelMap:
    """A segmentation under the name of its image. Raises `InputError` as `read_planar_labels` does."""
    return named_segmentation(path, read_planar_labels(path, geometry=geometry, sizes=sizes), organs)


def measure_image_files(
    paths: Iterable[Path],
    organs: Sequence[str] | None = None,
    sizes: PixelSizes = UNKNOWN_PIXEL_SIZES,
    failures: Failures | None = None,
    images: Mapping[str, Scan] | None = None,
    model_sha256: str | None = None,
) -> list[PlanarMeasurement]:
    """Measure segmentations of 2-D images, files and all those in folders, as `measure_files` does volumes.

    Args:
        paths: files and folders.
        organs: names of the organs.
        sizes: tells the pixel sizes of masks in formats without one.
        failures: takes up what is wrong with one file, so that the others are measured.
        images: what was segmented, by name, where it is at hand.
        model_sha256: of the model that is said to have made them, see `model_digest`: others are flagged.

    Raises:
        InputError: a file cannot be read or measured, is no segmentation of a 2-D image, or is of one that another
            file is of; its image has changed since it was segmented.
    """
    files = given_files(paths, find_image_segmentations)
    check_one_a_case(files)
    failures = failures or Failures()
    failures.of = len(files)
    read: dict[Path, LabelMap] = {}
    for file in counted(files, "reading"):
        with failures.of_one(file):
            read[file] = read_image_segmentation(file, sizes=sizes)
    highest = max((int(labels.voxels.max()) for labels in read.values() if not names_of(labels)), default=1)
    rows: list[PlanarMeasurement] = []
    for file, labels in counted(read.items(), "measuring"):
        with failures.of_one(file):
            found = taken_over(file, labels, read_record_of(file, KIND), organs)
            if images is not None and labels.name in images:
                found.check_image(file, images[labels.name])
            measured = _measured(file, found, organs is not None, highest)
            rows += model_flagged(measured, found.maker, model_sha256)
    return rows


def _measured(
    file: Path, found: TakenOver[PlanarMeasurement], organs_given: bool, highest: int
) -> list[PlanarMeasurement]:
    if found.complete:
        return found.all
    names = found.organs or list(numbered_organs(max(highest, 1)))
    probabilities = None if found.known else read_image_probabilities(file, found.label_map.name)
    if probabilities is not None and organs_given:
        probabilities = in_order(probabilities, found.labels, len(names))
    counted = None if probabilities is None else own_outlines(found.label_map.voxels, probabilities)
    return found.joined(measure_labels(found.label_map, names, probabilities, counted))


def organs_of_images(segmentations: Mapping[str, Path], references: Mapping[str, Path]) -> list[str]:
    """The organs of segmentations of 2-D images, see `organs_of_files`; a reference is at the pixels of its image."""
    found = {name: read_image_segmentation(path) for name, path in segmentations.items()}
    referred = [
        LabelFile.of(path, read_image_segmentation(path, found[name].geometry))
        for name, path in references.items()
        if name in found
    ]
    return organs_of_labels([LabelFile.of(segmentations[name], labels) for name, labels in found.items()], referred)


def measure_labels(
    labels: LabelMap,
    organs: Sequence[str],
    probabilities: NDArray[np.floating] | None = None,
    counted: Container[int] | None = None,
) -> list[PlanarMeasurement]:
    """`measure_planar` of the labels of an image; probabilities are (C, I, J, 1)."""
    across = None if probabilities is None else probabilities[..., 0]
    return measure_planar(labels.name, labels.voxels[..., 0], labels.geometry.spacing[:2], organs, across, counted)


def read_image_probabilities(segmentation: Path, name: str) -> NDArray[np.floating] | None:
    """Class probabilities (C, I, J, 1) that lie beside the segmentation of the 2-D image `name`, if any.

    Raises:
        InputError: the file cannot be read or holds no floating-point class probabilities.
    """
    path = probability_file(segmentation, name)
    if not path.exists() or record_of(path).exists():  # a segmentation of an image with such a name
        return None
    probabilities, geometry = read_map(path)
    if geometry.shape[2] != 1 or len(probabilities) < 2 or not np.issubdtype(probabilities.dtype, np.floating):
        raise InputError(path, "holds no class probabilities of a 2-D image", PROBABILITY_REMEDY)
    return probabilities


def write_areas_csv(path: Path, rows: Sequence[PlanarMeasurement]) -> None:
    """Write the rows as CSV (UTF-8), units in the headings; what is not known is an empty cell."""
    lines: list[list[object]] = []
    for row in rows:
        ellipse = row.ellipse
        numbers = [
            row.area_mm2, row.outline_area_mm2, *(row.area_interval_mm2 or _NONE), row.perimeter_mm,
            *(_NONE if ellipse is None else ellipse.axes_mm), row.circumference_mm,
            *(row.circumference_interval_mm or _NONE), *(_NONE if ellipse is None else ellipse.centre_mm),
            None if ellipse is None else ellipse.angle_degrees,
        ]  # fmt: skip
        cells = [for_programs(value) for value in numbers]
        lines.append([row.case, row.organ, row.pixel_count, *cells, " ".join(row.flags)])
    atomic_write_csv(path, [CSV_HEADINGS, *lines])


def write_planar_measurements(path: Path, rows: Sequence[PlanarMeasurement]) -> None:
    """Write measurements as JSON, atomically. Raises `InputError` as `write_record` does."""
    write_record(path, _fields(rows))


def write_measurements_of(
    segmentation: Path,
    rows: Sequence[PlanarMeasurement],
    labels: LabelMap | None = None,
    maker: Maker = UNKNOWN,
) -> None:
    """Write the measurements of a segmentation file, which holds `labels`, beside it."""
    known = read_image_segmentation(segmentation) if labels is None else labels
    write_record_of(segmentation, _fields(rows), known, maker)


def read_measurements_of(segmentation: Path) -> list[PlanarMeasurement] | None:
    """What was measured when the file was segmented; None if nothing was, or any organ was edited since."""
    record = read_record_of(segmentation, KIND)
    if record is None:
        return None
    found = taken_over(segmentation, read_image_segmentation(segmentation), record, None)
    return found.all if found.complete else None


def _fields(rows: Sequence[PlanarMeasurement]) -> list[dict[str, Any]]:
    return [asdict(row) | {"circumference_mm": row.circumference_mm} for row in rows]
