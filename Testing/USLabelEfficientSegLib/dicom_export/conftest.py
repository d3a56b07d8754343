"""A DICOM study of one patient: the same volume as an Enhanced US Volume and as a series of single frames."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.measurement.organ import OrganMeasurement

ULTRASOUND_IMAGE = "1.2.840.10008.5.1.4.1.1.6.1"
ENHANCED_VOLUME = "1.2.840.10008.5.1.4.1.1.6.2"


@dataclass(frozen=True)
class LabelledScan:
    """A volume, its segmentation, and how to save it."""

    voxels: np.ndarray
    label_map: LabelMap

    def header(self, sop_class: str, frame_count: int) -> Dataset:
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = UID(sop_class)
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
        dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Doe^Jané", "4711", "19800102"
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.PatientSex, dataset.StudyDate, dataset.StudyTime = "F", "20240229", "101500"
        dataset.StudyID, dataset.AccessionNumber, dataset.Modality = "7", "A12", "US"
        dataset.ReferringPhysicianName = ""
        dataset.Rows, dataset.Columns = self.label_map.geometry.shape[1], self.label_map.geometry.shape[0]
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.PixelRepresentation = 7, 0
        if frame_count > 1:
            dataset.NumberOfFrames = frame_count
        return dataset

    def save_series(self, folder: Path, **changes: object) -> Path:
        """Single frames, named so that their order tells nothing."""
        geometry, series, study, place = self.label_map.geometry, generate_uid(), generate_uid(), generate_uid()
        folder.mkdir(parents=True)
        for k in range(geometry.shape[2]):
            dataset = self.header(ULTRASOUND_IMAGE, 1)
            dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study, series, place
            dataset.InstanceNumber = k + 1
            dataset.ImagePositionPatient = [f"{x:.10g}" for x in geometry.index_to_physical((0, 0, k))]
            dataset.ImageOrientationPatient = [f"{x:.10g}" for x in geometry.direction[:, :2].T.ravel()]
            dataset.PixelSpacing = [geometry.spacing[1], geometry.spacing[0]]
            dataset.PixelData = self.voxels[:, :, k].T.tobytes()
            _change(dataset, changes)
            dataset.save_as(folder / f"{(k * 5) % 13:02d}.dcm", enforce_file_format=True)
        return folder

    def save_enhanced(self, path: Path, place: str = "Volume", **changes: object) -> Path:
        """An Enhanced US Volume whose frames run backwards, placed relative to the patient or the transducer."""
        geometry, suffix = self.label_map.geometry, "" if place == "Patient" else "Volume"
        order = range(geometry.shape[2])[::-1]
        dataset = self.header(ENHANCED_VOLUME, len(order))
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
        setattr(dataset, "FrameOfReferenceUID" if place == "Patient" else "VolumeFrameOfReferenceUID", generate_uid())
        orientation = _item(**{f"ImageOrientation{place}": [float(x) for x in geometry.direction[:, :2].T.ravel()]})
        measures = _item(PixelSpacing=[geometry.spacing[1], geometry.spacing[0]], SliceThickness=geometry.spacing[2])
        dataset.SharedFunctionalGroupsSequence = [
            _item(PixelMeasuresSequence=[measures], **{f"PlaneOrientation{suffix}Sequence": [orientation]})
        ]
        positions = [[float(x) for x in geometry.index_to_physical((0, 0, k))] for k in order]
        dataset.PerFrameFunctionalGroupsSequence = [
            _item(**{f"PlanePosition{suffix}Sequence": [_item(**{f"ImagePosition{place}": position})]})
            for position in positions
        ]
        dataset.PixelData = self.voxels[:, :, order].T.tobytes()
        _change(dataset, changes)
        dataset.save_as(path, enforce_file_format=True)
        return path


@pytest.fixture
def scan() -> LabelledScan:
    """Oblique and anisotropic, with two organs of which neither looks the same backwards."""
    a, b = 0.4, -0.7
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    geometry = Geometry((12, 10, 8), (0.5, 0.75, 1.5), (-35.25, 81.75, -12.125), about_z @ about_x)
    labels = np.zeros(geometry.shape, dtype=np.uint8)
    labels[2:7, 3:6, 1:5] = 1
    labels[8:11, 2:9, 2:4] = 2
    voxels = np.random.default_rng(0).integers(1, 256, geometry.shape).astype(np.uint8)
    return LabelledScan(voxels, LabelMap(labels, geometry, "pröstate 7"))


@pytest.fixture
def rows(scan: LabelledScan) -> list[OrganMeasurement]:
    """Two organs that were measured and a third one that is absent."""
    prostate = organ_row(scan, 1, "Prostate", interval_ml=(0.02, 0.05), interval_method="Split conformal, 20 volumes.")
    cyst = organ_row(scan, 2, "Zyste, groß", from_probabilities=False, flags=(Flag.CUT_BY_EDGE, Flag.HOLES))
    cyst = dataclasses.replace(cyst, volume_ml=cyst.outline_volume_ml)
    return [prostate, cyst, organ_row(scan, 3, "stone", volume_ml=0.0, flags=(Flag.EMPTY,))]


@pytest.fixture(name="organ_row")
def organ_row_fixture():
    return organ_row


def organ_row(scan: LabelledScan, label: int, organ: str, **changes: object) -> OrganMeasurement:
    count = int(np.count_nonzero(scan.label_map.voxels == label))
    values = {
        "case": scan.label_map.name,
        "organ": organ,
        "voxel_count": count,
        "volume_ml": 0.033,
        "outline_volume_ml": count * scan.label_map.geometry.voxel_volume_ml,
        "from_probabilities": True,
        "label": label,
        "surface_volume_ml": 0.031 if count else 0.0,
        "surface_area_mm2": 70.5,
        "axes_mm": (6.0, 3.0, 2.5),
        "extents_ras_mm": (5.0, 4.0, 3.0),
        "max_diameter_mm": 7.1,
        "centroid_ras_mm": (1.0, 2.0, 3.0) if count else None,
        "ellipsoid_volume_ml": 0.024,
        **changes,
    }
    return OrganMeasurement(**values)  # type: ignore[arg-type]


def _item(**elements: object) -> Dataset:
    dataset = Dataset()
    _change(dataset, elements)
    return dataset


def _change(dataset: Dataset, changes: dict[str, object]) -> None:
    """Set attributes; None removes one."""
    for name, value in changes.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
