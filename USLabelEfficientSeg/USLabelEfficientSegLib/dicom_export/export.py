"""DICOM files of a segmented volume or 2-D image: NAME_SEG.dcm and NAME_SR.dcm."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import highdicom
from pydicom.dataset import Dataset

from ..disk.files import atomic_write_bytes
from ..errors import InputError
from ..imaging.dicom import is_dicom, is_loose_frame
from ..imaging.files import read_volume
from ..imaging.scan import LabelMap
from ..measurement.record import AnyMeasurement
from .objects import measurement_report, segmentation_object
from .source import read_source, read_source_image

_OLDEST = (0, 28)


@dataclass(frozen=True)
class DicomFiles:
    """The files of one case."""

    segmentation: Path
    report: Path


def export_case(image: Path, label_map: LabelMap, rows: Sequence[AnyMeasurement], folder: Path) -> DicomFiles:
    """Write segmentation and measurement report of a DICOM image; patient and study are those of the image.

    Args:
        image: the DICOM file, or the folder of the series, that was segmented; a volume or a 2-D image.
        label_map: its segmentation.
        rows: what was measured of every organ, in the order of their labels.
        folder: of the files, made if need be.

    Raises:
        InputError: a highdicom that is too old, no DICOM,
            attributes missing or invalid, a segmentation of another image, no room to write.

    Examples:
        >>> from USLabelEfficientSegLib.imaging.files import read_label_map
        >>> from USLabelEfficientSegLib.measurement.volumetric import measure_case
        >>> label_map = read_label_map("labels/simulated_0000.nrrd")
        >>> rows = measure_case(label_map, ["solid", "fluid"])
        >>> files = export_case(Path("dicom/simulated_0000"), label_map, rows, Path("exported"))
        >>> files.segmentation.name, files.report.name
        ('simulated_0000_SEG.dcm', 'simulated_0000_SR.dcm')
    """
    _check_version()
    planar = is_dicom(image) and is_loose_frame(image)
    # What a header tells of the pixel size of a 2-D image is told to whoever segments it, or by a table.
    geometry = label_map.geometry if planar else read_volume(image).geometry
    if not geometry.same_grid(label_map.geometry):
        difference = geometry.difference(label_map.geometry)
        problem = f"has another geometry than the segmentation {label_map.name}: it {difference}"
        raise InputError(image, problem, "give the image that was segmented")
    source = read_source_image(image, geometry) if planar else read_source(image, geometry)
    try:
        with warnings.catch_warnings(action="ignore"):  # of highdicom, for programmers
            segmentation = segmentation_object(source, label_map, rows)
        report = measurement_report(source, segmentation, rows)
        contents = [_file_content(dataset) for dataset in (segmentation, report)]
    except InputError:
        raise
    except ValueError as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        problem = f"has attributes that cannot be taken over ({reason})"
        raise InputError(image, problem, "export the images again from the scanner or archive") from error
    files = DicomFiles(folder / f"{label_map.name}_SEG.dcm", folder / f"{label_map.name}_SR.dcm")
    for path, content in zip((files.segmentation, files.report), contents, strict=True):
        atomic_write_bytes(path, content)
    return files


def _check_version() -> None:
    """Earlier versions cannot write these objects: colours and character sets came with this one."""
    if tuple(map(int, highdicom.__version__.split(".")[:2])) < _OLDEST:
        problem = f"needs highdicom {'.'.join(map(str, _OLDEST))} or newer, not {highdicom.__version__}"
        raise InputError(
            "DICOM export",
            problem,
            "pip install --upgrade us-label-efficient-seg[dicom]",
            in_panel="press Update in the section Environment",
        )


def _file_content(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
