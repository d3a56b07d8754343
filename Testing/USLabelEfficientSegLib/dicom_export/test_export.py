import shutil
import subprocess
from dataclasses import replace

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK
from dicom_reports import content_of, evaluations_of
from pydicom.sr.codedict import codes

from USLabelEfficientSegLib.dicom_export.export import export_case
from USLabelEfficientSegLib.dicom_export.objects import segmentation_object
from USLabelEfficientSegLib.dicom_export.source import read_source
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.file_formats.segmentation import fitted
from USLabelEfficientSegLib.imaging.files import read_label_map, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.measurement.flags import Flag

KINDS = ("series", "enhanced volume", "enhanced volume of a patient")


def save(scan, kind, folder):
    """Save the scan as one of the kinds; returns what to give to the export."""
    if kind == "series":
        return scan.save_series(folder / "série")
    return scan.save_enhanced(folder / "volume.dcm", "Patient" if kind.endswith("patient") else "Volume")


def source_images(path):
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return {dataset.SOPInstanceUID: dataset for dataset in map(pydicom.dcmread, files)}


@pytest.mark.parametrize("kind", KINDS)
def test_the_segmentation_read_back_has_its_voxels_at_their_place(scan, rows, tmp_path, kind):
    files = export_case(save(scan, kind, tmp_path), scan.label_map, rows, tmp_path / "out")

    segmentation = hd.seg.segread(files.segmentation)
    volume = segmentation.get_volume(combine_segments=True, rescale_fractional=False)

    geometry = scan.label_map.geometry
    for index in ((0, 0, 0), (2, 5, 9), (3, 1, 1)):
        k, j, i = index
        lps = volume.affine @ [*index, 1]
        expected = geometry.physical_to_index(lps[:3])
        np.testing.assert_allclose(expected, np.rint(expected), atol=1e-4)
        found = volume.array[k, j, i]
        assert found == scan.label_map.voxels[tuple(np.rint(expected).astype(int))]
    voxels = float(np.prod(volume.spacing)) * np.array([np.count_nonzero(volume.array == n) for n in (1, 2, 3)])
    np.testing.assert_allclose(voxels / 1000, [row.outline_volume_ml for row in rows], rtol=1e-5)
    assert [segment.SegmentLabel for segment in segmentation.SegmentSequence] == ["Prostate", "Zyste, groß", "stone"]
    assert segmentation.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Prostate"


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_refers_to_the_source_frame_at_its_place(scan, rows, tmp_path, kind):
    image = save(scan, kind, tmp_path)
    segmentation = pydicom.dcmread(export_case(image, scan.label_map, rows, tmp_path / "out").segmentation)

    sources = source_images(image)
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        reference = frame.DerivationImageSequence[0].SourceImageSequence[0]
        source = sources[reference.ReferencedSOPInstanceUID]
        if kind == "series":
            position = source.ImagePositionPatient
        else:
            group = source.PerFrameFunctionalGroupsSequence[reference.ReferencedFrameNumber - 1]
            place = group.get("PlanePositionSequence") or group.get("PlanePositionVolumeSequence")
            position = place[0].get("ImagePositionPatient") or place[0].get("ImagePositionVolume")
        np.testing.assert_allclose(frame.PlanePositionSequence[0].ImagePositionPatient, position, atol=1e-6)
    frame_of_reference = next(iter(sources.values()))
    expected = frame_of_reference.get("FrameOfReferenceUID") or frame_of_reference.VolumeFrameOfReferenceUID
    assert segmentation.FrameOfReferenceUID == expected


@pytest.mark.parametrize("kind", KINDS)
def test_the_report_read_back_holds_volumes_intervals_and_flags(scan, rows, tmp_path, kind):
    image = save(scan, kind, tmp_path)
    files = export_case(image, scan.label_map, rows, tmp_path / "out")

    report, segmentation = hd.sr.srread(files.report), pydicom.dcmread(files.segmentation)
    groups = content_of(files.report).get_volumetric_roi_measurement_groups()

    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert [group.finding_sites[0].value.meaning for group in groups] == ["Prostate", "Organ", "Organ"]
    for row, group, segment in zip(rows, groups, segmentation.SegmentSequence, strict=True):
        volumes = group.get_measurements(name=codes.SCT.Volume)
        assert volumes[0].value == pytest.approx(row.volume_ml, rel=1e-6)
        assert volumes[0].unit.value == "mL"
        assert volumes[-1].value == pytest.approx(row.ellipsoid_volume_ml)
        assert group.reference_type.meaning == "Referenced Segment"
        item = next(item for item in group[0].ContentSequence if "ReferencedSOPSequence" in item)
        assert item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == segmentation.SOPInstanceUID
        assert item.ReferencedSOPSequence[0].ReferencedSegmentNumber == segment.SegmentNumber
        assert evaluations_of(group) == [flag.value.replace("_", " ").capitalize() for flag in row.flags]
    interval = {
        item.ConceptNameCodeSequence[0].CodeMeaning: float(item.MeasuredValueSequence[0].NumericValue)
        for item in groups[0].get_measurements(name=codes.SCT.Volume)[0][0].ContentSequence
        if item.ValueType == "NUM"
    }
    assert sorted(interval.values()) == pytest.approx([rows[0].volume_ml - 0.02, 0.05 - rows[0].volume_ml], rel=1e-5)
    evidence = {
        instance.ReferencedSOPInstanceUID
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    assert evidence == {segmentation.SOPInstanceUID, *source_images(image)}


def test_both_objects_belong_to_the_patient_and_study_of_the_image(scan, rows, tmp_path):
    image = scan.save_series(tmp_path / "series")
    files = export_case(image, scan.label_map, rows, tmp_path / "out")

    source = next(iter(source_images(image).values()))
    for path in (files.segmentation, files.report):
        written = pydicom.dcmread(path)
        for name in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate"):
            assert written[name].value == source[name].value
        assert written.SeriesInstanceUID != source.SeriesInstanceUID
        assert "research use" in written.SeriesDescription


def test_the_files_are_valid_for_dciodvfy(scan, rows, tmp_path):
    validator = shutil.which("dciodvfy")
    if validator is None:
        pytest.skip("dciodvfy of Debian's dicom3tools is not installed")
    for kind in KINDS:
        (tmp_path / kind).mkdir()
        files = export_case(save(scan, kind, tmp_path / kind), scan.label_map, rows, tmp_path / kind / "out")
        for path in (files.segmentation, files.report):
            done = subprocess.run([validator, "-new", str(path)], capture_output=True, text=True, check=False)
            lines = (done.stdout + done.stderr).splitlines()
            known = "Unrecognized defined term = <99USLES>"  # a private coding scheme is one it cannot know
            assert [line for line in lines[1:] if known not in line] == [], path
            assert lines[0] in ("Segmentation", "Comprehensive3DSR")


def test_attributes_that_may_be_unknown_are_written_empty(scan, rows, tmp_path):
    image = scan.save_series(tmp_path / "series", PatientBirthDate=None, AccessionNumber=None, PatientID=None)

    segmentation = pydicom.dcmread(export_case(image, scan.label_map, rows, tmp_path).segmentation)

    assert "PatientID" in segmentation and not segmentation.PatientID
    assert segmentation.PatientName == "Doe^Jané"


def test_an_empty_segmentation_is_exported(scan, rows, tmp_path):
    image = scan.save_enhanced(tmp_path / "volume.dcm")
    empty = LabelMap(np.zeros_like(scan.label_map.voxels), scan.label_map.geometry, "empty")
    absent = [rows[2].__class__(**{**rows[2].__dict__, "label": 1, "flags": (Flag.EMPTY,)})]

    files = export_case(image, empty, absent, tmp_path)

    group = content_of(files.report).get_volumetric_roi_measurement_groups()[0]
    assert group.get_measurements(name=codes.SCT.Volume)[0].value == 0
    assert not pydicom.dcmread(files.segmentation).pixel_array.any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"FrameOfReferenceUID": None}, "no Frame of Reference UID"),
        ({"SOPInstanceUID": None}, "has no SOPInstanceUID"),
        ({"StudyInstanceUID": None}, "has no StudyInstanceUID"),
        ({"StudyDate": "yesterday"}, "attributes that cannot be taken over"),
    ],
)
def test_images_without_needed_attributes_are_refused_in_a_sentence(scan, rows, tmp_path, changes, message):
    with pytest.warns(UserWarning) if "StudyDate" in changes else pytest.MonkeyPatch.context():
        image = scan.save_series(tmp_path / "series", **changes)

    with pytest.raises(InputError, match=message):
        export_case(image, scan.label_map, rows, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_volume_without_a_frame_of_reference_is_refused(scan, rows, tmp_path):
    image = scan.save_enhanced(tmp_path / "volume.dcm", VolumeFrameOfReferenceUID=None)

    with pytest.raises(InputError, match="no Frame of Reference UID"):
        export_case(image, scan.label_map, rows, tmp_path / "out")


def test_a_film_without_positions_is_refused(scan, rows, tmp_path):
    spacing = scan.label_map.geometry.spacing
    image = scan.save_enhanced(
        tmp_path / "film.dcm",
        SharedFunctionalGroupsSequence=None,
        PerFrameFunctionalGroupsSequence=None,
        PixelSpacing=[spacing[1], spacing[0]],
        SpacingBetweenSlices=spacing[2],
    )
    geometry = Geometry(scan.label_map.geometry.shape, spacing, (0.0, 0.0, 0.0), np.eye(3))

    with pytest.raises(InputError, match="film whose frames have no position"):
        export_case(image, LabelMap(scan.label_map.voxels, geometry, "film"), rows, tmp_path / "out")


def test_a_segmentation_of_another_image_is_refused(scan, rows, tmp_path):
    image = scan.save_series(tmp_path / "series")
    shifted = Geometry(
        scan.label_map.geometry.shape,
        scan.label_map.geometry.spacing,
        (0.0, 0.0, 0.0),
        scan.label_map.geometry.direction,
    )

    with pytest.raises(InputError, match="another geometry than the segmentation"):
        export_case(image, LabelMap(scan.label_map.voxels, shifted, "other"), rows, tmp_path / "out")


def test_an_image_that_is_no_dicom_is_refused(scan, rows, tmp_path):
    write_volume(tmp_path / "image.nrrd", Scan(scan.voxels, scan.label_map.geometry, "image"))

    with pytest.raises(InputError, match="is no DICOM image"):
        export_case(tmp_path / "image.nrrd", scan.label_map, rows, tmp_path / "out")


def decoded(path, geometry):
    """The label map of a segmentation, by pydicom alone: its frames at the places that they tell."""
    dataset = pydicom.dcmread(path)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    labels = np.zeros(geometry.shape, np.uint8)
    pixels = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    for groups, frame in zip(dataset.PerFrameFunctionalGroupsSequence, pixels, strict=True):
        identification = groups.get("SegmentIdentificationSequence") or shared.SegmentIdentificationSequence
        position = groups.get("PlanePositionSequence") or shared.PlanePositionSequence
        place = geometry.physical_to_index(position[0].ImagePositionPatient)
        np.testing.assert_allclose(place, [0, 0, round(place[2])], atol=1e-3)
        labels[:, :, round(place[2])][frame.T > 0] = identification[0].ReferencedSegmentNumber
    return labels


def decoded_by_dcmqi(path, geometry, folder):
    """The label map of a segmentation as dcmqi reads it; one image a segment."""
    program = shutil.which("segimage2itkimage")
    assert program is not None
    subprocess.run(
        [program, "--inputDICOM", path, "--outputDirectory", folder, "--outputType", "nrrd"],
        check=True,
        capture_output=True,
    )
    labels = np.zeros(geometry.shape, np.uint8)
    for file in folder.glob("*.nrrd"):
        image = SimpleITK.ReadImage(str(file))
        values = SimpleITK.GetArrayFromImage(image).T
        for index in np.argwhere(values):
            lps = image.TransformIndexToPhysicalPoint(index.tolist())
            labels[tuple(np.rint(geometry.physical_to_index(lps)).astype(int))] = values[tuple(index)]
    return labels


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("organs", [1, 2, 6, 20])
def test_one_to_twenty_organs_are_read_back_by_a_second_reader(scan, organ_row, tmp_path, kind, organs):
    label_map = LabelMap(np.zeros_like(scan.label_map.voxels), scan.label_map.geometry, "many")
    for label in range(1, organs + 1):
        label_map.voxels[(label - 1) % 10 + 1, 1 + (label - 1) // 10 * 4 :, 1 + label % 4 : 6] = label
    if organs > 2:
        label_map.voxels[label_map.voxels == 3] = 0  # one is absent
    rows = [organ_row(replace(scan, label_map=label_map), label, f"organ {label}") for label in range(1, organs + 1)]

    files = export_case(save(scan, kind, tmp_path), label_map, rows, tmp_path / "out")

    np.testing.assert_array_equal(decoded(files.segmentation, label_map.geometry), label_map.voxels)
    groups = content_of(files.report).get_volumetric_roi_measurement_groups()
    volume = codes.SCT.Volume
    first = [group.get_measurements(name=volume)[0].value for group in groups]
    assert first == pytest.approx([0.033] * organs)  # the recommended one of `organ_row`
    if shutil.which("segimage2itkimage"):
        read = decoded_by_dcmqi(files.segmentation, label_map.geometry, tmp_path)
        np.testing.assert_array_equal(read, label_map.voxels)


@pytest.mark.parametrize("kind", KINDS)
def test_the_report_names_every_source_image_of_an_organ(scan, rows, tmp_path, kind):
    image = save(scan, kind, tmp_path)
    files = export_case(image, scan.label_map, rows, tmp_path / "out")

    group = content_of(files.report).get_volumetric_roi_measurement_groups()[0]

    assert group.referenced_segment is not None
    images = group.referenced_segment.source_images_for_segmentation
    slices = np.flatnonzero((scan.label_map.voxels == 1).any((0, 1)))
    if kind == "series":
        uids = {dataset.SOPInstanceUID: dataset.InstanceNumber for dataset in source_images(image).values()}
        assert {uids[item.referenced_sop_instance_uid] for item in images} == {k + 1 for k in slices}
    else:  # its frames run backwards
        assert len(images) == 1
        assert set(images[0].referenced_frame_numbers or ()) == {scan.label_map.geometry.shape[2] - k for k in slices}


def test_labels_need_not_count_up_from_one(scan, organ_row, tmp_path):
    label_map = LabelMap(scan.label_map.voxels * 3, scan.label_map.geometry, "gaps")  # labels 3 and 6
    kept = [organ_row(replace(scan, label_map=label_map), label, f"organ {label}") for label in (3, 6)]

    files = export_case(save(scan, "series", tmp_path), label_map, kept, tmp_path / "out")

    np.testing.assert_array_equal(decoded(files.segmentation, label_map.geometry), scan.label_map.voxels)
    names = [segment.SegmentLabel for segment in pydicom.dcmread(files.segmentation).SegmentSequence]
    assert names == ["organ 3", "organ 6"]
    with pytest.raises(InputError, match="gaps: holds the label 6, of which no organ is known"):
        export_case(tmp_path / "série", label_map, kept[:1], tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_names_that_dicom_cannot_hold_are_made_fit(scan, organ_row, tmp_path):
    names = ["left\\right", "\x1b[31m", "x" * 99]
    rows = [organ_row(scan, label, name) for label, name in enumerate(names, start=1)]

    files = export_case(save(scan, "series", tmp_path), scan.label_map, rows, tmp_path / "out")

    labels = [segment.SegmentLabel for segment in pydicom.dcmread(files.segmentation).SegmentSequence]
    assert labels == ["left/right", "[31m", "x" * 64]


def test_a_highdicom_that_is_too_old_is_told(scan, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(hd, "__version__", "0.27.0")

    with pytest.raises(InputError, match=r"needs highdicom 0\.28 or newer, not 0\.27\.0; pip install --upgrade"):
        export_case(save(scan, "series", tmp_path), scan.label_map, rows, tmp_path / "out")


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_exported_is_read_as_the_label_map_with_its_names(scan, rows, tmp_path, kind):
    files = export_case(save(scan, kind, tmp_path), scan.label_map, rows, tmp_path / "out")

    found = read_label_map(files.segmentation)

    assert found.segments == {1: "Prostate", 2: "Zyste, groß", 3: "stone"}
    assert found.name == scan.label_map.name
    on_image = fitted(found, scan.label_map.geometry)
    np.testing.assert_array_equal(on_image.voxels, scan.label_map.voxels)
    assert on_image.geometry.same_grid(scan.label_map.geometry, 1e-3)


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
@pytest.mark.parametrize("omit_empty", [True, False])
def test_segmentations_of_highdicom_of_every_type_are_read(scan, rows, tmp_path, kind, omit_empty):
    image = save(scan, "series", tmp_path)
    source = read_source(image, scan.label_map.geometry)
    example = segmentation_object(source, scan.label_map, rows)
    segmentation = hd.seg.Segmentation(
        source.datasets,
        np.ascontiguousarray(scan.label_map.voxels.T[source.slices]),
        kind,
        [
            hd.seg.SegmentDescription.from_dataset(segment)
            for segment in example.SegmentSequence
            if segment.SegmentNumber
        ],
        series_instance_uid=hd.UID(),
        series_number=2,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="maker",
        manufacturer_model_name="model",
        software_versions="1",
        device_serial_number="1",
        omit_empty_frames=omit_empty,
    )
    segmentation.save_as(tmp_path / "a.dcm")

    found = read_label_map(tmp_path / "a.dcm")

    np.testing.assert_array_equal(fitted(found, scan.label_map.geometry).voxels, scan.label_map.voxels)
    assert found.segments == {1: "Prostate", 2: "Zyste, groß", 3: "stone"}
