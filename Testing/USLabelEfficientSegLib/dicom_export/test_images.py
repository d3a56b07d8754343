"""DICOM objects of a segmented 2-D image: areas and circumferences at its pixels, without a place in the patient."""

import dataclasses
import shutil
import subprocess

import highdicom as hd
import numpy as np
import pydicom
import pytest
from dicom_files import ULTRASOUND_FILM, ULTRASOUND_IMAGE, dicom_image, item, save
from dicom_reports import content_of, evaluations_of
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from USLabelEfficientSegLib.annotation.label_files import read_labels
from USLabelEfficientSegLib.dicom_export.export import export_case
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import write_label_map
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.measurement.planar import measure_labels
from USLabelEfficientSegLib.segmentation.segments import segment_metadata

SPACING = (0.2, 0.3)  # along columns and rows, in mm
ORGANS = ("head", "stone")


@pytest.fixture
def label_map():
    """64 columns and 48 rows with an ellipse, which is the first of two organs."""
    i, j = np.mgrid[:64, :48]
    ellipse = ((i - 30) / 20) ** 2 + ((j - 20) / 9) ** 2 <= 1
    geometry = Geometry((64, 48, 1), (*SPACING, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    return LabelMap(ellipse[..., None].astype(np.uint8), geometry, "head 7")


@pytest.fixture
def rows(label_map):
    head, stone = measure_labels(label_map, ORGANS)
    interval = (0.9 * head.area_mm2, 1.2 * head.area_mm2)
    return [dataclasses.replace(head, area_interval_mm2=interval, interval_method="Split conformal, 20 images."), stone]


@pytest.fixture
def image(tmp_path):
    return save(picture(), tmp_path / "head 7.dcm")


def picture(frames=1, sop_class=ULTRASOUND_IMAGE, colours=(3,)):
    """A colour image whose pixel size is told by its region, as ultrasound scanners do."""
    pixels = np.random.default_rng(0).integers(0, 256, (frames, 48, 64, *colours)).astype(np.uint8)
    dataset = dicom_image(pixels, sop_class, generate_uid())
    dataset.FrameOfReferenceUID = generate_uid()
    dataset.SequenceOfUltrasoundRegions = [
        item(
            RegionSpatialFormat=1, RegionDataType=1, RegionFlags=0, PhysicalUnitsXDirection=3,
            PhysicalUnitsYDirection=3, PhysicalDeltaX=SPACING[0] / 10, PhysicalDeltaY=SPACING[1] / 10,
            RegionLocationMinX0=0, RegionLocationMinY0=0, RegionLocationMaxX1=63, RegionLocationMaxY1=47,
        )
    ]  # fmt: skip
    return dataset


def test_the_segmentation_read_back_has_the_pixels_of_its_image(image, label_map, rows, tmp_path):
    files = export_case(image, label_map, rows, tmp_path / "out")

    segmentation = hd.seg.segread(files.segmentation)
    pixels = segmentation.get_pixels_by_source_instance(
        [pydicom.dcmread(image).SOPInstanceUID], combine_segments=True, ignore_spatial_locations=True
    )
    np.testing.assert_array_equal(pixels[0].T, label_map.voxels[..., 0])
    assert [segment.SegmentLabel for segment in segmentation.SegmentSequence] == list(ORGANS)
    assert "FrameOfReferenceUID" not in segmentation
    again = read_labels(files.segmentation, dimension=2)
    np.testing.assert_array_equal(again.voxels, label_map.voxels)
    assert again.geometry.spacing[:2] == pytest.approx(SPACING)
    assert files.segmentation.name == "head 7_SEG.dcm"


def test_the_report_holds_area_circumference_and_axes(image, label_map, rows, tmp_path):
    files = export_case(image, label_map, rows, tmp_path / "out")

    segmentation = pydicom.dcmread(files.segmentation)
    head, stone = content_of(files.report).get_planar_roi_measurement_groups()
    (area,) = head.get_measurements(name=codes.SCT.Area)
    (circumference,) = head.get_measurements(name=codes.SCT.Circumference)
    assert area.value == pytest.approx(rows[0].area_mm2, rel=1e-6) and area.unit.value == "mm2"
    assert circumference.value == pytest.approx(rows[0].circumference_mm, rel=1e-6)
    assert circumference.unit.value == "mm"
    (major,), (minor,) = (head.get_measurements(name=name) for name in (codes.SCT.MajorAxis, codes.SCT.MinorAxis))
    assert (major.value, minor.value) == pytest.approx(rows[0].ellipse.axes_mm, rel=1e-6)
    bounds = [
        float(part.MeasuredValueSequence[0].NumericValue) for part in area[0].ContentSequence if part.ValueType == "NUM"
    ]
    assert sorted(bounds) == pytest.approx([0.1 * rows[0].area_mm2, 0.2 * rows[0].area_mm2], rel=1e-5)
    assert [float(m.value) for m in stone.get_measurements(name=codes.SCT.Area)] == [0.0]
    assert evaluations_of(stone) == ["Empty"]
    for number, group in enumerate((head, stone), start=1):
        reference = next(part for part in group[0].ContentSequence if "ReferencedSOPSequence" in part)
        (referred,) = reference.ReferencedSOPSequence
        assert referred.ReferencedSOPInstanceUID == segmentation.SOPInstanceUID
        frame = segmentation.PerFrameFunctionalGroupsSequence[referred.ReferencedFrameNumber - 1]
        assert frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number


def test_where_probabilities_count_both_areas_are_told(image, label_map, rows, tmp_path):
    expected = dataclasses.replace(rows[0], from_probabilities=True, area_mm2=rows[0].area_mm2 + 1)
    files = export_case(image, label_map, [expected, rows[1]], tmp_path / "out")

    head, _ = content_of(files.report).get_planar_roi_measurement_groups()
    areas = [float(area.value) for area in head.get_measurements(name=codes.SCT.Area)]
    assert areas == pytest.approx([expected.area_mm2, expected.outline_area_mm2], rel=1e-6)


def test_an_image_in_which_nothing_was_found_is_exported(image, label_map, tmp_path):
    empty = LabelMap(np.zeros_like(label_map.voxels), label_map.geometry, label_map.name)

    files = export_case(image, empty, measure_labels(empty, ORGANS), tmp_path / "out")

    assert int(pydicom.dcmread(files.segmentation).NumberOfFrames) == 2
    assert len(content_of(files.report).get_planar_roi_measurement_groups()) == 2


def test_the_objects_conform(image, label_map, rows, tmp_path):
    validator = shutil.which("dciodvfy")
    if validator is None:
        pytest.skip("dciodvfy of Debian's dicom3tools is not installed")
    files = export_case(image, label_map, rows, tmp_path / "out")
    for path in (files.segmentation, files.report):
        done = subprocess.run([validator, "-new", str(path)], capture_output=True, text=True, check=False)
        assert not [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")], path


def test_another_image_is_refused_and_nothing_is_written(label_map, rows, tmp_path):
    small = save(picture(), tmp_path / "small.dcm")
    cropped = LabelMap(
        label_map.voxels[:40], dataclasses.replace(label_map.geometry, shape=(40, 48, 1)), label_map.name
    )
    with pytest.raises(InputError, match="is not the one image that was segmented"):
        export_case(small, cropped, rows, tmp_path / "out")
    stretched = LabelMap(
        label_map.voxels, dataclasses.replace(label_map.geometry, spacing=(0.2, 0.2, 1.0)), label_map.name
    )
    with pytest.raises(InputError, match="has pixels of another size than its segmentation"):
        export_case(small, stretched, rows, tmp_path / "out")
    film = save(picture(3, ULTRASOUND_FILM), tmp_path / "film.dcm")
    with pytest.raises(InputError, match="film"):
        export_case(film, label_map, rows, tmp_path / "out")
    (tmp_path / "head 7.png").write_bytes(b"\x89PNG")
    with pytest.raises(InputError):
        export_case(tmp_path / "head 7.png", label_map, rows, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_image_without_identifiers_is_refused(label_map, rows, tmp_path):
    dataset = picture()
    del dataset.StudyInstanceUID
    with pytest.raises(InputError, match="has no StudyInstanceUID, to which other objects could refer"):
        export_case(save(dataset, tmp_path / "a.dcm"), label_map, rows, tmp_path / "out")


def test_the_command_exports_images(image, label_map, tmp_path, call):
    (tmp_path / "found").mkdir()
    (tmp_path / "images").mkdir()
    image.rename(tmp_path / "images" / image.name)
    write_label_map(tmp_path / "found" / "head 7.nrrd", label_map, segment_metadata(label_map, ORGANS))

    code, out, err = call(
        "export-dicom", tmp_path / "found", "--images", tmp_path / "images", "--output", tmp_path / "dicom"
    )

    assert (code, err) == (0, "") and "send these files to the archive" in out
    head, _ = content_of(tmp_path / "dicom" / "head 7_SR.dcm").get_planar_roi_measurement_groups()
    (expected, _) = measure_labels(label_map, ORGANS)
    assert head.get_measurements(name=codes.SCT.Area)[0].value == pytest.approx(expected.area_mm2, rel=1e-6)
    assert (tmp_path / "dicom" / "head 7_SEG.dcm").exists()
