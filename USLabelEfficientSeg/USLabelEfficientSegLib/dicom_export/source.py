"""The images that a segmentation was made from, as derived objects must describe them."""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from highdicom import CoordinateSystemNames, PixelMeasuresSequence, PlaneOrientationSequence, PlanePositionSequence
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ..errors import InputError
from ..imaging.dicom import Header, is_dicom, read_headers
from ..imaging.dicom.files import images
from ..imaging.dicom.spacing import agreed_spacing
from ..imaging.geometry import Geometry

_IDENTIFIERS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
# Attributes that every image must have, but may leave empty where they are not known (type 2, PS3.3 C.7.1 and C.7.2).
_MAY_BE_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
_PLACE_TOLERANCE = 0.1  # of a voxel, as when images are read
_SIZE_TOLERANCE = 1e-3


@dataclass(frozen=True)
class SourceImages:
    """Headers of the images in the order of their slices, and the slice (k) of every frame.

    Attributes:
        datasets: one for each file.
        slices: of every frame.
        pixel_measures: of a 2-D image, whose header may tell its pixel size where derived objects cannot.
    """

    datasets: list[Dataset]
    slices: NDArray[np.intp]
    pixel_measures: PixelMeasuresSequence | None = None

    @property
    def is_planar(self) -> bool:
        """Whether it is a 2-D image, which has no place in the patient."""
        return self.pixel_measures is not None


def read_source(path: Path, geometry: Geometry) -> SourceImages:
    """The DICOM images of a volume that was read with this geometry.

    Frames of an Enhanced US Volume may be placed relative to the transducer only. Objects derived from it must
    place theirs relative to a patient; here both are the same, in the volume's own frame of reference.

    Raises:
        InputError: no DICOM, without identifiers or frame of reference, frames without a position of their own,
            or frames that are not the slices of the geometry.
    """
    _check_is_dicom(path)
    headers = read_headers(path)
    for header in headers:
        _check_identified(header.dataset, path)
    headers.sort(key=lambda header: float(geometry.physical_to_index(header.positions[0])[2]))
    index = geometry.physical_to_index(np.concatenate([header.positions for header in headers]))
    slices = np.rint(index[:, 2]).astype(np.intp)
    exact = np.abs(index - np.column_stack([np.zeros((len(index), 2)), slices])).max() < _PLACE_TOLERANCE
    if not exact or not np.array_equal(np.sort(slices), np.arange(geometry.shape[2])):
        problem = "does not have one frame for every slice of the segmentation"
        raise InputError(path, problem, "give the images that were segmented")
    return SourceImages([_described(header, geometry, path) for header in headers], slices)


def read_source_image(path: Path, geometry: Geometry) -> SourceImages:
    """The DICOM file of a 2-D image that was read with this geometry.

    Such an image has no place in the patient, and neither have objects derived from it: pixels correspond.

    Raises:
        InputError: no DICOM, without identifiers, several frames, other pixels.
    """
    _check_is_dicom(path)
    datasets = [dataset for _, dataset in images(path, pixels=False)]
    if len(datasets) != 1 or (datasets[0].Columns, datasets[0].Rows) != geometry.shape[:2]:
        raise InputError(path, "is not the one image that was segmented", "give the image that was segmented")
    _check_identified(datasets[0], path)
    told = agreed_spacing(datasets[0], 0)
    if isinstance(told, tuple) and not np.allclose(told, geometry.spacing[:2], rtol=_SIZE_TOLERANCE):
        raise InputError(path, "has pixels of another size than its segmentation", "give the image that was segmented")
    dataset = _completed(datasets[0])
    if "FrameOfReferenceUID" in dataset:  # a frame without position: nothing can be placed in it
        del dataset.FrameOfReferenceUID
    i, j, k = geometry.spacing  # k is nominal: an image has no thickness, but readers ask for one
    return SourceImages([dataset], np.zeros(1, dtype=np.intp), PixelMeasuresSequence((j, i), slice_thickness=k))


def _check_is_dicom(path: Path) -> None:
    if not is_dicom(path):
        raise InputError(path, "is no DICOM image", "export DICOM objects only for images that came as DICOM")


def _check_identified(dataset: Dataset, path: Path) -> None:
    missing = [name for name in _IDENTIFIERS if not dataset.get(name)]
    if missing:
        problem = f"has no {', '.join(missing)}, to which other objects could refer"
        raise InputError(path, problem, "export the images again from the scanner or archive")


def _completed(dataset: Dataset) -> Dataset:
    """A copy of a header with every attribute that objects derived from it must have, even if empty."""
    dataset = deepcopy(dataset)
    for name in _MAY_BE_EMPTY:
        if name not in dataset:
            setattr(dataset, name, None)
    return dataset


def _described(header: Header, geometry: Geometry, path: Path) -> Dataset:
    """A copy of the header with all that derived objects need, placed on the segmented grid."""
    dataset = _completed(header.dataset)
    _place(dataset, header, geometry, path)
    if not dataset.get("FrameOfReferenceUID"):
        problem = "has no Frame of Reference UID, so that nothing derived from it has a place in the patient"
        raise InputError(path, problem, "export the images again from the scanner or archive")
    return dataset


def _place(dataset: Dataset, header: Header, geometry: Geometry, path: Path) -> None:
    """Write the geometry where readers look for it: into an image, or into the functional groups of its frames."""
    i, j, k = geometry.spacing
    measures = PixelMeasuresSequence(pixel_spacing=(j, i), slice_thickness=k, spacing_between_slices=k)
    turn = PlaneOrientationSequence(CoordinateSystemNames.PATIENT, geometry.direction[:, :2].T.ravel().tolist())
    if "NumberOfFrames" not in dataset:
        dataset.PixelSpacing, dataset.SliceThickness = measures[0].PixelSpacing, measures[0].SliceThickness
        dataset.ImageOrientationPatient = turn[0].ImageOrientationPatient
        return
    frames = dataset.get("PerFrameFunctionalGroupsSequence")
    if not frames:
        problem = "is a film whose frames have no position of their own"
        raise InputError(path, problem, "export the volume as Enhanced US Volume")
    if not any("PlanePositionSequence" in frame for frame in frames):
        dataset.FrameOfReferenceUID = dataset.get("VolumeFrameOfReferenceUID")
    for frame, position in zip(frames, header.positions, strict=True):
        frame.PlanePositionSequence = PlanePositionSequence(CoordinateSystemNames.PATIENT, position.tolist())
    shared = dataset.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = measures, turn
