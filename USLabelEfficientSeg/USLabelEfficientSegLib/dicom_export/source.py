"""The images that a segmentation was made from, as the objects derived from them must describe them."""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from highdicom import CoordinateSystemNames, PixelMeasuresSequence, PlaneOrientationSequence, PlanePositionSequence
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ..errors import InputError
from ..imaging.dicom import Header, is_dicom, read_headers
from ..imaging.geometry import Geometry

_IDENTIFIERS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
# Attributes that every image must have, but may leave empty where they are not known (type 2, PS3.3 C.7.1 and C.7.2).
_MAY_BE_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
_PLACE_TOLERANCE = 0.1  # of a voxel, as when images are read


@dataclass(frozen=True)
class SourceImages:
    """Headers of the images in the order of their slices, and the slice (k) of every frame."""

    datasets: list[Dataset]
    slices: NDArray[np.intp]


def read_source(path: Path, geometry: Geometry) -> SourceImages:
    """The DICOM images of a volume that was read with this geometry.

    Frames of an Enhanced US Volume may be placed relative to the transducer only. Objects derived from it must
    place theirs relative to a patient; here both are the same, in the volume's own frame of reference.

    Raises:
        InputError: no DICOM, without identifiers or frame of reference, frames without a position of their own,
            or frames that are not the slices of the geometry.
    """
    if not is_dicom(path):
        raise InputError(path, "is no DICOM image", "export DICOM objects only for volumes that came as DICOM")
    headers = read_headers(path)
    for header in headers:
        missing = [name for name in _IDENTIFIERS if not header.dataset.get(name)]
        if missing:
            problem = f"has no {', '.join(missing)}, to which other objects could refer"
            raise InputError(path, problem, "export the images again from the scanner or archive")
    headers.sort(key=lambda header: float(geometry.physical_to_index(header.positions[0])[2]))
    index = geometry.physical_to_index(np.concatenate([header.positions for header in headers]))
    slices = np.rint(index[:, 2]).astype(np.intp)
    exact = np.abs(index - np.column_stack([np.zeros((len(index), 2)), slices])).max() < _PLACE_TOLERANCE
    if not exact or not np.array_equal(np.sort(slices), np.arange(geometry.shape[2])):
        problem = "does not have one frame for every slice of the segmentation"
        raise InputError(path, problem, "give the images that were segmented")
    return SourceImages([_described(header, geometry, path) for header in headers], slices)


def _described(header: Header, geometry: Geometry, path: Path) -> Dataset:
    """A copy of the header with what objects derived from it need, placed on the grid that was segmented."""
    dataset = deepcopy(header.dataset)
    for name in _MAY_BE_EMPTY:
        if name not in dataset:
            setattr(dataset, name, None)
    _place(dataset, header, geometry, path)
    if not dataset.get("FrameOfReferenceUID"):
        problem = "has no Frame of Reference UID, so that nothing derived from it has a place in the patient"
        raise InputError(path, problem, "export the images again from the scanner or archive")
    return dataset


def _place(dataset: Dataset, header: Header, geometry: Geometry, path: Path) -> None:
    """Write the geometry where it is looked for: into an image, or into the functional groups of its frames."""
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
