"""`uslabelseg export-dicom` from files to files."""

import sys
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from dicom_reports import content_of
from windows_files import VirusScanner

from USLabelEfficientSegLib.cli import main
from USLabelEfficientSegLib.imaging.files import write_label_map
from USLabelEfficientSegLib.imaging.scan_files import images_by_name
from USLabelEfficientSegLib.measurement.measuring import measure_files
from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
from USLabelEfficientSegLib.report.cases_of_files import cases_of_files, open_segmentations
from USLabelEfficientSegLib.segmentation.segments import segment_metadata

ORGANS = ("prostate", "cyst")


@pytest.fixture
def folders(scan, tmp_path):
    """Two scans of a patient, a series and an enhanced volume, and their segmentations."""
    scan.save_series(tmp_path / "images" / "a")
    scan.save_enhanced(tmp_path / "images" / "b.dcm")
    (tmp_path / "found").mkdir()
    for name in "ab":
        write_label_map(tmp_path / "found" / f"{name}.nrrd", scan.label_map, segment_metadata(scan.label_map, ORGANS))
    return tmp_path


def run(capfd, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code, capfd.readouterr()


def test_every_segmentation_becomes_a_segmentation_and_a_report(folders, capfd):
    code, output = run(
        capfd, "export-dicom", folders / "found", "--images", folders / "images", "--output", folders / "dicom"
    )

    assert (code, output.err) == (0, "")
    written = sorted(path.name for path in (folders / "dicom").iterdir())
    assert written == ["a_SEG.dcm", "a_SR.dcm", "b_SEG.dcm", "b_SR.dcm"]
    groups = content_of(folders / "dicom" / "b_SR.dcm").get_volumetric_roi_measurement_groups()
    assert [group.finding_sites[0].value.meaning for group in groups] == ["Prostate", "Organ"]


@pytest.mark.parametrize("image", ["images/b.dcm", "images/a", "patient"])
def test_one_image_is_given_as_it_was_segmented(folders, scan, capfd, image):
    """A file, a folder of frames, and a folder with one file give their names to their segmentations."""
    (folders / "patient").mkdir()
    scan.save_enhanced(folders / "patient" / "0001.dcm")
    ((name, _),) = images_by_name([folders / image]).items()
    found = folders / "alone" / f"{name}.nrrd"
    found.parent.mkdir()
    write_label_map(found, scan.label_map, segment_metadata(scan.label_map, ORGANS))

    code, output = run(capfd, "export-dicom", found.parent, "--images", folders / image, "--output", folders / "dicom")

    assert (code, output.err) == (0, "")
    assert sorted(path.name for path in (folders / "dicom").iterdir()) == [f"{name}_SEG.dcm", f"{name}_SR.dcm"]


def test_a_file_that_is_the_image_of_some_segmentations_only_is_refused(folders, capfd):
    one = folders / "images" / "b.dcm"
    code, output = run(capfd, "export-dicom", folders / "found", "--images", one, "--output", folders / "dicom")

    assert code == 2 and "a.nrrd: has no image a in" in output.err
    assert "give the folder with the images of all segmentations" in output.err
    assert not (folders / "dicom").exists()


def test_objects_are_written_on_windows(scan, windows_home, call):
    """Under a name with foreign letters, while a virus scanner opens every file."""
    image = scan.save_enhanced(windows_home / "größe.dcm")
    (windows_home / "found").mkdir()
    found = windows_home / "found" / "größe.nrrd"
    write_label_map(found, scan.label_map, segment_metadata(scan.label_map, ORGANS))
    with VirusScanner(windows_home):
        for _ in range(2):  # the second time it replaces them
            code, _, err = call(
                "export-dicom", found.parent, "--images", image.parent, "--output", windows_home / "DICOM"
            )
            assert (code, err.replace(f"Replacing 2 files in {windows_home / 'DICOM'}.\n", "")) == (0, "")

    assert sorted(path.name for path in (windows_home / "DICOM").iterdir()) == ["größe_SEG.dcm", "größe_SR.dcm"]


def test_objects_beside_their_images_are_no_images(folders, capfd):
    """The objects lie in the folder of the images from then on, and everything is found as before."""
    command = ("export-dicom", folders / "found", "--images", folders / "images", "--output", folders / "images")
    assert run(capfd, *command)[0] == 0

    code, output = run(
        capfd, "export-dicom", folders / "found", "--images", folders / "images", "--output", folders / "new"
    )

    assert (code, output.err) == (0, "")
    assert "passed over, as no images: a_SEG.dcm, a_SR.dcm, b_SEG.dcm, b_SR.dcm" in output.out
    assert images_by_name([folders / "images"]) == {"a": folders / "images" / "a", "b": folders / "images" / "b.dcm"}
    assert len(list((folders / "new").iterdir())) == 4


def test_exported_segmentations_can_be_measured(folders, capfd):
    run(capfd, "export-dicom", folders / "found", "--images", folders / "images", "--output", folders / "dicom")

    rows = measure_files([folders / "dicom"])

    assert [(row.case, row.organ) for row in rows] == [(name, organ) for name in "ab" for organ in ORGANS]
    volumes = [row.outline_volume_ml for row in rows[:2] if isinstance(row, OrganMeasurement)]
    assert volumes == pytest.approx([0.0336, 0.0236], rel=0.1)


def test_a_segmentation_of_nothing_is_exported_without_a_word(folders, scan, capfd):
    empty = replace(scan.label_map, voxels=np.zeros_like(scan.label_map.voxels))
    for name in "ab":
        write_label_map(folders / "found" / f"{name}.nrrd", empty, segment_metadata(empty, ORGANS))

    code, output = run(
        capfd, "export-dicom", folders / "found", "--images", folders / "images", "--output", folders / "dicom"
    )

    assert (code, output.err) == (0, "")
    assert not pydicom.dcmread(folders / "dicom" / "a_SEG.dcm").pixel_array.any()
    rows = measure_files([folders / "dicom" / "a_SEG.dcm"], ORGANS)
    assert [row.volume_ml for row in rows if isinstance(row, OrganMeasurement)] == [0.0, 0.0]


def test_a_damaged_segmentation_is_told_and_the_others_are_written(folders, capfd):
    damaged = folders / "found" / "a.nrrd"
    damaged.write_bytes(damaged.read_bytes()[:-20])

    code, output = run(
        capfd, "export-dicom", folders / "found", "--images", folders / "images", "--output", folders / "dicom"
    )

    assert code == 2 and "1 of 2 failed, the others are done: a.nrrd" in output.err
    assert sorted(path.name for path in (folders / "dicom").iterdir()) == ["b_SEG.dcm", "b_SR.dcm"]


def test_dicom_files_of_somebody_else_are_not_replaced(folders, capfd):
    (folders / "dicom").mkdir()
    (folders / "dicom" / "b_SR.dcm").write_text("somebody's")
    command = "export-dicom", folders / "found", "--images", folders / "images", "--output", folders / "dicom"

    code, output = run(capfd, *command)
    assert code == 2 and "b_SR.dcm: exists already" in output.err
    assert [path.name for path in (folders / "dicom").iterdir()] == ["b_SR.dcm"]

    code, output = run(capfd, *command, "--overwrite")
    assert code == 0 and f"Replacing {folders / 'dicom' / 'b_SR.dcm'}." in output.out
    assert run(capfd, *command)[0] == 0


def test_a_series_has_a_checksum_of_all_its_files(folders):
    cohort = open_segmentations(folders / "found", folders / "images")
    before = [case.checksum for case in cases_of_files(cohort, {"a": "a", "b": "b"})]

    dataset = pydicom.dcmread(folders / "images" / "a" / "05.dcm")
    dataset.InstanceNumber = 77
    dataset.save_as(folders / "images" / "a" / "05.dcm")
    after = [case.checksum for case in cases_of_files(cohort, {"a": "a", "b": "b"})]

    assert [len(checksum or "") for checksum in before] == [64, 64]
    assert after[0] != before[0] and after[1] == before[1]


def test_without_highdicom_the_way_to_get_it_is_told(folders, capfd, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("USLabelEfficientSegLib.dicom_export")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "highdicom", None)

    code, output = run(
        capfd, "export-dicom", folders / "found", "--images", folders / "images", "--output", folders / "dicom"
    )

    assert code == 2 and "needs highdicom; pip install us-label-efficient-seg[dicom]" in output.err
    assert not (folders / "dicom").exists()


def test_a_cohort_is_exported_once_and_what_failed_is_listed(folders, capfd):
    cut = next((folders / "found").glob("b.nrrd"))
    whole = cut.read_bytes()
    cut.write_bytes(whole[:-20])
    given = (
        "export-dicom", folders / "found", "--images", folders / "images", "--output", folders / "dicom",
        "--organs", ",".join(ORGANS), "--workers", "1",
    )  # fmt: skip

    code, output = run(capfd, *given)
    assert code == 2 and "1 of 2 failed" in output.err
    assert sorted(path.name for path in (folders / "dicom").glob("*.dcm")) == ["a_SEG.dcm", "a_SR.dcm"]

    cut.write_bytes(whole)
    code, output = run(capfd, *given)
    assert code == 0 and "1 of 2 are done already." in output.out
    lines = (folders / "dicom" / "exported.csv").read_text().splitlines()
    assert lines[0] == "case,segmentation,measurements" and [line[0] for line in lines[1:]] == ["a", "b"]
