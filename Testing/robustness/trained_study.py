"""What every command needs: a study that was simulated and trained in seconds, results, drawn labels, DICOM files."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.imaging.files import write_label_map, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.imaging.scan_files import images_by_name
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.imaging.simulator.files import simulate_files
from USLabelEfficientSegLib.measurement.segmenting import segment_and_measure
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.study.settings import Settings, changed
from USLabelEfficientSegLib.study.study import Study

PREPARED = (".nrrd", ".csv", "study.json", MODEL_NAME, "_measurements.json")  # the same bytes from run to run
ORGANS = ("solid", "fluid")
SHAPE, SPACING, HELD_OUT = (24, 24, 16), (3.3, 3.3, 4.0), 9
TINY = {
    "working_grid.max_voxels": 32, "teacher.slice_size": 32, "teacher.steps": 3, "teacher.batch_size": 2,
    "teacher.local_crops": 1, "slice_head.steps": 3, "slice_head.views": 1, "pseudo_labels.views": 1,
    "slice_network.steps": 2, "slice_network.widths": [4, 8], "slice_network.starter": False,
    "student.window": 32, "student.widths": [8, 8, 8], "student.steps": 3, "student.label_steps": 3,
    "student.label_steps_from": 1, "student.members": 1, "student.rounds": 1,
}  # fmt: skip


def commands() -> dict[str, tuple[str, ...]]:
    """Every command that writes, by name, for the prepared folder."""
    settings = [f"--set={name}={str(value).replace(' ', '')}" for name, value in TINY.items()]
    return {
        "create": ("study", "create", "made", "--images=images", "--labels=labels", "--label-fraction=0.2"),
        "add": ("study", "add", "study", "--images=more"),
        "label": ("study", "label", "study", "--labels=drawn"),
        "suggest": ("suggest", "study", "--count=2", "--write=to-label"),
        "train": ("train", "new-study", *settings),
        "segment": ("segment", "other.safetensors", "images", "--output=segmentations", "--probability", "--overwrite"),
        "measure": ("measure", "segmentations", "--output=volumes.csv"),
        "report": ("report", "study", "--output=report.html"),
        "evaluate": ("evaluate", "segmentations", "labels", "--output=metrics.csv"),
        "calibrate": ("calibrate", "study", "held-out/images", "held-out/labels"),
        "export-dicom": ("export-dicom", "dicom-segmentations", "--images=dicom", "--output=exported"),
    }


def prepare(folder: Path) -> None:
    """Make everything in a new folder."""
    simulate_files(folder, range(3), shape=SHAPE, spacing=SPACING)
    simulate_files(folder / "held-out", range(4, 4 + HELD_OUT), shape=SHAPE, spacing=SPACING)
    more = simulate_volume(3, shape=SHAPE, spacing=SPACING)
    for name in ("more", "drawn"):
        (folder / name).mkdir()
    write_volume(folder / "more" / "new.nrrd", more.volume)
    study = Study.create(folder / "study", folder / "images", folder / "labels", organs=ORGANS, label_fraction=0.2)
    shutil.copy(next((folder / "labels").iterdir()), folder / "drawn")
    shutil.copytree(study.folder, folder / "new-study")
    cpu = torch.device("cpu")
    train(study, changed(Settings(), TINY), cpu)
    model = SegmentationModel.load(study.run_folder / MODEL_NAME)
    for _ in segment_and_measure(
        model, images_by_name([folder / "images"]), folder / "segmentations", cpu, probability=True
    ):
        pass
    assert model.scaling is not None
    other = model.scaling.model_copy(
        update={"offsets": tuple(offset + 1.5 * (n > 0) for n, offset in enumerate(model.scaling.offsets))}
    )
    replace(model, scaling=other).save(folder / "other.safetensors")
    _save_dicom(folder)


def _save_dicom(folder: Path) -> None:
    """A DICOM series of a volume, and a segmentation on its grid."""
    shape = (12, 10, 6)
    geometry = Geometry(shape, (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), np.eye(3))
    voxels = np.random.default_rng(0).integers(1, 255, shape).astype(np.uint8)
    labels = np.zeros(shape, dtype=np.uint8)
    labels[3:8, 2:7, 1:4] = 1
    (folder / "dicom" / "scan").mkdir(parents=True)
    (folder / "dicom-segmentations").mkdir()
    write_label_map(folder / "dicom-segmentations" / "scan.nrrd", LabelMap(labels, geometry, "scan"))
    study, series, place = generate_uid(), generate_uid(), generate_uid()
    for k in range(shape[2]):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.6.1")
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study, series, place
        dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Doe^Jane", "4711", "19800102"
        dataset.PatientSex, dataset.StudyDate, dataset.StudyTime = "F", "20240229", "101500"
        dataset.StudyID, dataset.AccessionNumber, dataset.Modality = "7", "A12", "US"
        dataset.ReferringPhysicianName, dataset.InstanceNumber = "", k + 1
        dataset.Rows, dataset.Columns = shape[1], shape[0]
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.PixelRepresentation = 7, 0
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 2 * k], [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing = [1, 1]
        dataset.PixelData = voxels[:, :, k].T.tobytes()
        dataset.save_as(folder / "dicom" / "scan" / f"{k}.dcm", enforce_file_format=True)
