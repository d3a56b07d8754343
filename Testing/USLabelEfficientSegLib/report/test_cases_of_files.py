"""Reports of segmentation files, from files to sections."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from USLabelEfficientSegLib.disk.failures import Failures
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.checksums import image_checksum
from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume, write_label_map, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.measurement.measuring import measure_files, of_kind, write_measurements_of
from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
from USLabelEfficientSegLib.measurement.record import Maker, read_record_of
from USLabelEfficientSegLib.measurement.taken_over import check_model
from USLabelEfficientSegLib.report.blocks import Table
from USLabelEfficientSegLib.report.cases_of_files import cases_of_files, content_of, open_segmentations
from USLabelEfficientSegLib.report.document import report_document
from USLabelEfficientSegLib.segmentation.segments import segment_metadata

ORGANS = ("solid", "fluid")
LABELS = {f"simulated_000{n}": str(n) for n in range(3)}


@pytest.fixture
def cohort(tmp_path, simulated):
    """Folders `images`, `labels` and `segmentations` (the labels, moved by a voxel) of three simulated volumes."""
    shutil.copytree(simulated, tmp_path, dirs_exist_ok=True)
    (tmp_path / "segmentations").mkdir()
    for path in (tmp_path / "labels").iterdir():
        label_map = read_label_map(path)
        moved = LabelMap(np.roll(label_map.voxels, 1, axis=0), label_map.geometry, label_map.name)
        write_label_map(tmp_path / "segmentations" / path.name, moved, segment_metadata(moved, ORGANS))
    return tmp_path


def opened(folder, **options):
    return open_segmentations(folder / "segmentations", folder / "images", **options)


def titles(document):
    return [section.title for section in document.sections]


def test_a_cohort_is_reported_with_agreement_and_changes(cohort):
    (cohort / "visits.csv").write_text(
        "case,subject,date\nsimulated_0000,Doe,2024-02-29\nsimulated_0002,Doe,2024-03-02\n"
    )
    found = opened(cohort, references=cohort / "labels", visits=cohort / "visits.csv")

    document = report_document(content_of(found, "Cohort", show_names=False))

    assert document.cases == 3
    assert titles(document)[:4] == ["At a glance", "Cases", "Repeated scans", "Agreement with references"]
    changes = next(block for block in document.sections[2].blocks if isinstance(block, Table))
    assert [row[:4] for row in changes.rows] == [["1", organ, "Case 001 → Case 003", "2"] for organ in ORGANS]
    assert not any(name in text for text in document.texts() for name in ("simulated_000", "Doe", "2024"))


def test_what_was_measured_while_segmenting_is_taken_over(cohort):
    file = cohort / "segmentations" / "simulated_0001.nrrd"
    measured = of_kind(measure_files([file]), OrganMeasurement)
    rows = [replace(row, interval_ml=(1.0, 2.0), interval_method="So.") for row in measured]
    write_measurements_of(file, rows)

    cases = list(cases_of_files(opened(cohort), LABELS))

    assert [case.label for case in cases] == ["0", "1", "2"]
    intervals = [[row.interval_ml for row in of_kind(case.rows, OrganMeasurement)] for case in cases]
    assert intervals == [[None] * 2, [(1.0, 2.0)] * 2, [None] * 2]


MODEL, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture
def made(cohort):
    """The cohort with records: of the model, of another one, and no record; what was segmented is known."""
    for name, model in (("simulated_0000", MODEL), ("simulated_0001", OTHER)):
        file = cohort / "segmentations" / f"{name}.nrrd"
        maker = Maker(image_checksum(read_volume(cohort / "images" / file.name)), model)
        write_measurements_of(file, measure_files([file]), maker=maker)
    return cohort


def test_segmentations_that_the_model_of_the_study_did_not_make_are_named(made):
    found = replace(opened(made), model_sha256=MODEL)

    of_case = {case.label: {flag for row in case.rows for flag in row.flags} for case in cases_of_files(found, LABELS)}

    which = {Flag.OTHER_MODEL, Flag.UNKNOWN_MODEL}
    assert [of_case[label] & which for label in "012"] == [set(), {Flag.OTHER_MODEL}, {Flag.UNKNOWN_MODEL}]
    document = report_document(content_of(found, "Cohort", show_names=False))
    assert any("not made by this study's model" in text for text in document.texts())


def test_a_study_whose_model_made_none_of_the_segmentations_is_refused(made, tmp_path):
    files = sorted((made / "segmentations").glob("*.nrrd"))[:2]

    with pytest.raises(InputError, match="study: is not the study whose model has made these segmentations"):
        check_model((read_record_of(file) for file in files), "ef" * 32, tmp_path / "study")
    check_model((read_record_of(file) for file in files), OTHER, tmp_path / "study")
    everything = sorted((made / "segmentations").glob("*.nrrd"))
    check_model((read_record_of(file) for file in everything), "ef" * 32, tmp_path / "study")


def test_an_image_that_has_changed_since_it_was_segmented_is_refused(made):
    path = made / "images" / "simulated_0001.nrrd"
    image = read_volume(path)
    write_volume(path, Scan(image.voxels.astype(np.float32), image.geometry, image.name))
    assert len(list(cases_of_files(opened(made), LABELS))) == 3  # other numbers for the same grey values

    image.voxels[3, 4, 5] += 1
    write_volume(path, image)

    told: list[str] = []
    failures = Failures(told.append)
    failures.of = 3
    assert [case.label for case in cases_of_files(opened(made), LABELS, failures)] == ["0", "2"]
    assert "simulated_0001: is not the image that simulated_0001.nrrd was made of" in told[0]
    with pytest.raises(InputError, match="is not the image that simulated_0001"):
        measure_files([made / "segmentations" / "simulated_0001.nrrd"], images={"simulated_0001": path})


def test_references_may_be_a_table_of_volumes(cohort):
    (cohort / "references.csv").write_text("volume_ml,organ,case\n12.5,solid,simulated_0001\n")

    found = opened(cohort, references=cohort / "references.csv")
    cases = {case.label: case for case in cases_of_files(found, LABELS)}

    assert cases["1"].true_values == {"solid": {"volume": 12.5}}
    assert cases["0"].true_values == {} and cases["1"].reference is None


def test_organs_without_names_are_numbered(cohort):
    for path in (cohort / "segmentations").iterdir():
        write_label_map(path, read_label_map(path))

    assert opened(cohort).organs == ["organ 1", "organ 2"]
    assert opened(cohort, organs=["a", "b"]).organs == ["a", "b"]


def test_files_that_do_not_fit_together_are_refused_in_a_sentence(cohort):
    segmentation = cohort / "segmentations" / "simulated_0001.nrrd"
    label_map = read_label_map(segmentation)

    with pytest.raises(InputError, match="has no reference of any of these segmentations"):
        opened(cohort, references=_csv(cohort, "case,organ,volume_ml\nother,solid,1\n"))
    with pytest.raises(InputError, match="has no volume of solid, fluid"):
        opened(cohort, references=_csv(cohort, "case,organ,volume_ml\nsimulated_0001,liver,1\n"))
    write_label_map(segmentation, label_map, segment_metadata(label_map, ("liver", "cyst")))
    with pytest.raises(InputError, match="is of liver, cyst, other segmentations of solid, fluid"):
        opened(cohort)
    (cohort / "images" / "simulated_0001.nrrd").unlink()
    with pytest.raises(InputError, match="has no image simulated_0001"):
        opened(cohort)


@pytest.mark.parametrize(("folder", "message"), [
    ("segmentations", "has another geometry than its image simulated_0001.nrrd"),
    ("labels", "has another geometry than the segmentation of simulated_0001"),
])  # fmt: skip
def test_another_geometry_is_refused(cohort, folder, message):
    path = cohort / folder / "simulated_0001.nrrd"
    label_map = read_label_map(path)
    geometry = Geometry(label_map.geometry.shape, label_map.geometry.spacing, (99.0, 0.0, 0.0), np.eye(3))
    write_label_map(path, LabelMap(label_map.voxels, geometry, "moved"), segment_metadata(label_map, ORGANS))

    with pytest.raises(InputError, match=message):
        list(cases_of_files(opened(cohort, references=cohort / "labels"), LABELS))


def _csv(folder, text):
    path = folder / "references.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_segmentations_and_references_are_compared_by_the_names_of_their_organs(cohort):
    for folder, organs in (("labels", ("solid", "fluid")), ("segmentations", ("Fluid", "SOLID"))):
        for path in (cohort / "labels").iterdir():
            label_map = read_label_map(path)
            swap = np.array([0, 2, 1] if folder == "segmentations" else [0, 1, 2], np.uint8)
            label_map = replace(label_map, voxels=swap[label_map.voxels], segments={})
            write_label_map(cohort / folder / path.name, label_map, segment_metadata(label_map, organs))
    found = opened(cohort, references=cohort / "labels")

    assert found.organs == ["Fluid", "SOLID"]
    for case in cases_of_files(found, LABELS):
        assert case.dice == {"Fluid": 1.0, "SOLID": 1.0}
        true_ml = {organ: known["volume"] for organ, known in case.true_values.items()}
        rows = of_kind(case.rows, OrganMeasurement)
        assert {row.organ: row.outline_volume_ml for row in rows} == pytest.approx(true_ml)
    other = opened(cohort, references=cohort / "labels", organs=["solid", "fluid"])
    assert all(case.dice == {"solid": 1.0, "fluid": 1.0} for case in cases_of_files(other, LABELS))
    with pytest.raises(InputError, match="names its labels Fluid, SOLID, and the organs are liver, kidney"):
        next(iter(cases_of_files(opened(cohort, organs=["liver", "kidney"]), LABELS)))


def test_a_table_of_reference_volumes_is_read_by_the_names_of_organs(cohort):
    (cohort / "volumes.csv").write_text("case,organ,volume_ml\nsimulated_0001, SOLID ,12.5\n")

    found = opened(cohort, references=cohort / "volumes.csv")

    assert found.reference_values == {"simulated_0001": {"solid": {"volume": 12.5}}}
