"""DICOM files of tests, made by code: enhanced volumes, series of single frames, and what they are made of."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.utils import pack_bits
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from USLabelEfficientSegLib.imaging.geometry import Geometry

ULTRASOUND_IMAGE = "1.2.840.10008.5.1.4.1.1.6.1"
ULTRASOUND_FILM = "1.2.840.10008.5.1.4.1.1.3.1"
ENHANCED_VOLUME = "1.2.840.10008.5.1.4.1.1.6.2"
SEGMENTATION, LABEL_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"
NAMES = {1: "Bladder", 2: "Prostate"}
COMPREHENSIVE_REPORT = "1.2.840.10008.5.1.4.1.1.88.33"


def oblique() -> Geometry:
    """Oblique and anisotropic; right-handed, since DICOM slices are sorted along their normal."""
    a, b = 0.4, -0.7
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return Geometry((7, 6, 5), (0.4, 0.55, 1.3), (-35.2, 81.75, -12.125), about_z @ about_x)


def dicom_image(frames: np.ndarray, sop_class: str, series: str) -> Dataset:
    """A DICOM image of frames (K, J, I) or (K, J, I, 3) without any geometry."""
    colours = frames.shape[3] if frames.ndim == 4 else 1
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = UID(sop_class)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID = series, generate_uid()
    dataset.Modality, dataset.PatientName, dataset.InstanceNumber = "US", "Nobody", 1
    if len(frames) > 1:
        dataset.NumberOfFrames = len(frames)
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = frames.shape[1], frames.shape[2], colours
    dataset.PhotometricInterpretation = "MONOCHROME2" if colours == 1 else "RGB"
    if colours > 1:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = 8 * frames.itemsize
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, 0
    dataset.PixelData = frames.tobytes()
    dataset["PixelData"].VR = "OB" if frames.itemsize == 1 else "OW"
    return dataset


def decimals(values: Iterable[float]) -> list[str]:
    return [f"{value:.10g}" for value in values]


def orientation(geometry: Geometry) -> list[float]:
    return [float(x) for x in geometry.direction[:, :2].T.ravel()]


def item(**elements: object) -> Dataset:
    dataset = Dataset()
    for name, value in elements.items():
        setattr(dataset, name, value)
    return dataset


def enhanced(voxels: np.ndarray, geometry: Geometry, place: str = "Volume", times: int = 1) -> Dataset:
    """An Enhanced US Volume; over time it repeats the volume at 1/2, 1/3, ... of its brightness."""
    frames = np.stack([np.swapaxes(voxels, 0, 2) // (1 + time) for time in range(times)])
    dataset = dicom_image(frames.reshape(-1, *frames.shape[2:]), ENHANCED_VOLUME, generate_uid())
    j_and_i = decimals(np.array(geometry.spacing)[[1, 0]])
    turned = item(**{f"ImageOrientation{place}": orientation(geometry)})
    shared = item(PixelMeasuresSequence=[item(PixelSpacing=j_and_i)])
    suffix = "" if place == "Patient" else "Volume"
    setattr(shared, f"PlaneOrientation{suffix}Sequence", [turned])
    dataset.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for time in range(times):
        for k in range(geometry.shape[2]):
            position = [float(x) for x in geometry.index_to_physical((0, 0, k))]
            group = item(FrameContentSequence=[item(TemporalPositionIndex=time + 1)])
            setattr(group, f"PlanePosition{suffix}Sequence", [item(**{f"ImagePosition{place}": position})])
            groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    return dataset


def save(dataset: Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def series_of(voxels: np.ndarray, geometry: Geometry) -> list[Dataset]:
    series = generate_uid()
    slices = []
    for k in range(geometry.shape[2]):
        dataset = dicom_image(np.swapaxes(voxels, 0, 2)[k : k + 1], ULTRASOUND_IMAGE, series)
        dataset.InstanceNumber = k + 1
        dataset.ImagePositionPatient = decimals(geometry.index_to_physical((0, 0, k)))
        dataset.ImageOrientationPatient = decimals(orientation(geometry))
        dataset.PixelSpacing = decimals(np.array(geometry.spacing)[[1, 0]])
        slices.append(dataset)
    return slices


def save_series(slices: list[Dataset], folder: Path) -> Path:
    # Names without order: only the positions tell where a slice belongs.
    for number, dataset in enumerate(slices):
        save(dataset, folder / f"{(number * 7) % 1009:03d}")
    return folder


def two_organs() -> np.ndarray:
    """Labels on the grid of `oblique`: 1 in its first slices, 2 in its last ones."""
    labels = np.zeros(oblique().shape, np.uint8)
    labels[1:4, 1:4, 0:3] = 1
    labels[5:7, 2:6, 2:5] = 2
    return labels


def segmentation_of(
    labels: np.ndarray | None = None,
    kind: str = "BINARY",
    order: list[int] | None = None,
    step: str | None = "1.3",
    names: Mapping[int, str] = NAMES,
    frames: list[tuple[int, int]] | None = None,
) -> Dataset:
    """A segmentation of a frame for each segment and slice where it is, as dcmqi and highdicom write them."""
    grid, labels = oblique(), two_organs() if labels is None else labels
    if frames is None:
        frames = [(n, k) for n in names for k in range(labels.shape[2]) if (labels[:, :, k] == n).any()]
    frames = frames if order is None else [frames[index] for index in order]
    masks = np.stack([(labels[:, :, k] == n).T for n, k in frames]).astype(np.uint8)
    if kind == "LABELMAP":
        frames = [(0, k) for k in sorted({k for _, k in frames})]
        masks = np.stack([labels[:, :, k].T for _, k in frames])
    sop_class = LABEL_SEGMENTATION if kind == "LABELMAP" else SEGMENTATION
    dataset = dicom_image(masks * (200 if kind == "FRACTIONAL" else 1), sop_class, generate_uid())
    dataset.Modality, dataset.SegmentationType, dataset.NumberOfFrames = "SEG", kind, len(frames)
    if kind == "BINARY":
        dataset.BitsAllocated = dataset.BitsStored = 1
        dataset.HighBit, dataset.PixelData = 0, pack_bits(masks.ravel())
    if kind == "FRACTIONAL":
        dataset.MaximumFractionalValue = 255
    dataset.SegmentSequence = [item(SegmentNumber=number, SegmentLabel=name) for number, name in names.items()]
    turned = item(ImageOrientationPatient=[float(x) for x in grid.direction[:, :2].T.ravel()])
    measures = item(PixelSpacing=[grid.spacing[1], grid.spacing[0]], SliceThickness="1.3")
    if step:
        measures.SpacingBetweenSlices = step
    shared = item(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[turned])
    dataset.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=decimals(grid.index_to_physical((0, 0, k))))],
            **({"SegmentIdentificationSequence": [item(ReferencedSegmentNumber=n)]} if n else {}),
        )
        for n, k in frames
    ]
    if len(names) == 1 and kind != "LABELMAP":  # as highdicom stores a single segment
        shared.SegmentIdentificationSequence = [item(ReferencedSegmentNumber=next(iter(names)))]
        for group in dataset.PerFrameFunctionalGroupsSequence:
            del group.SegmentIdentificationSequence
    dataset.SharedFunctionalGroupsSequence = [shared]
    return dataset
