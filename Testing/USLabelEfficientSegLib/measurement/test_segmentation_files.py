from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from USLabelEfficientSegLib.errors import InputError, Notice
from USLabelEfficientSegLib.measurement.measuring import measure_files, of_kind, write_measurements_of
from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
from USLabelEfficientSegLib.measurement.segmentation_files import (
    find_segmentations,
    organ_names,
    organs_of_files,
    read_segmentation,
)
from USLabelEfficientSegLib.measurement.volumetric import measure_case


def write_labels(path, voxels, metadata=None, spacing=(1.0, 2.0, 0.5)):
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels.T).astype(np.uint8))
    image.SetSpacing(spacing)
    for key, value in (metadata or {}).items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(path))


def labels(*counts):
    voxels = np.zeros((6, 5, 4))
    voxels.flat[: sum(counts)] = np.repeat(np.arange(1, len(counts) + 1), counts)
    return voxels


def slicer_names(*organs):
    fields = {}
    for number, (label, organ) in enumerate(organs):
        fields[f"Segment{number}_LabelValue"] = str(label)
        fields[f"Segment{number}_Name"] = organ
    return fields


def test_organ_names_come_from_the_file_and_absent_organs_have_no_volume(tmp_path):
    path = tmp_path / "a_segmentation.nrrd"
    write_labels(path, labels(10), slicer_names((3, "lesion"), (1, "prostate")))

    rows = of_kind(measure_files([path]), OrganMeasurement)

    assert organ_names(path) == ["prostate", "organ 2", "lesion"]
    assert [(row.case, row.organ, row.volume_ml) for row in rows] == [
        ("a", "prostate", pytest.approx(0.01)),
        ("a", "organ 2", 0.0),
        ("a", "lesion", 0.0),
    ]


def test_files_without_names_have_rows_up_to_the_highest_label_of_all(tmp_path):
    write_labels(tmp_path / "b.nii.gz", labels(3, 4))
    write_labels(tmp_path / "c.mha", labels())

    rows = of_kind(measure_files([tmp_path]), OrganMeasurement)

    assert [(row.case, row.organ, row.voxel_count) for row in rows] == [
        ("b", "organ 1", 3),
        ("b", "organ 2", 4),
        ("c", "organ 1", 0),
        ("c", "organ 2", 0),
    ]


@pytest.mark.parametrize("four_dimensional", [False, True])
def test_probabilities_beside_a_segmentation_are_summed(tmp_path, four_dimensional):
    probabilities = np.random.default_rng(0).dirichlet((1, 1, 1), (6, 5, 4)).transpose(3, 0, 1, 2)
    write_labels(tmp_path / "a.nrrd", probabilities.argmax(axis=0))
    components_last = np.ascontiguousarray(probabilities.transpose(3, 2, 1, 0), dtype=np.float32)
    if four_dimensional:
        image = sitk.GetImageFromArray(np.ascontiguousarray(components_last.transpose(3, 0, 1, 2)), isVector=False)
    else:
        image = sitk.GetImageFromArray(components_last, isVector=True)
    sitk.WriteImage(image, str(tmp_path / "a_probability.nrrd"))

    rows = of_kind(measure_files([tmp_path], ["prostate", "bladder"]), OrganMeasurement)

    expected = probabilities[1:].sum(axis=(1, 2, 3)) / 1000
    assert [row.volume_ml for row in rows] == pytest.approx(expected, rel=1e-5)


def test_maps_are_no_segmentations(tmp_path):
    for name in ("a", "b_segmentation", "a_probability", "a_uncertainty"):
        write_labels(tmp_path / f"{name}.nrrd", labels(2))

    assert list(find_segmentations(tmp_path)) == ["a", "b"]


def test_a_file_that_is_given_twice_is_measured_once(tmp_path):
    write_labels(tmp_path / "a.nrrd", labels(2))

    assert measure_files([tmp_path, tmp_path / "a.nrrd"]) == measure_files([tmp_path])


def test_two_segmentations_of_one_image_are_refused(tmp_path):
    write_labels(tmp_path / "a.nrrd", labels(2))
    write_labels(tmp_path / "a_segmentation.nrrd", labels(2))

    with pytest.raises(InputError, match="second segmentation of a"):
        measure_files([tmp_path])
    with pytest.raises(InputError, match="same image"):
        measure_files([tmp_path / "a.nrrd", tmp_path / "a_segmentation.nrrd"])


def test_an_integer_probability_map_is_refused(tmp_path):
    write_labels(tmp_path / "a.nrrd", labels(2))
    write_labels(tmp_path / "a_probability.nrrd", labels(2))

    with pytest.raises(InputError, match="holds no class probabilities"):
        measure_files([tmp_path / "a.nrrd"])


def test_organs_that_are_asked_for_are_found_by_name(tmp_path):
    write_labels(tmp_path / "a.nrrd", labels(10, 4), slicer_names((1, "bladder"), (2, "Prostate")))
    probabilities = np.zeros((3, 6, 5, 4), np.float32)
    probabilities[1].flat[:12], probabilities[2].flat[12:15] = 1, 1
    image = sitk.GetImageFromArray(np.ascontiguousarray(probabilities.transpose(3, 2, 1, 0)), isVector=True)
    sitk.WriteImage(image, str(tmp_path / "a_probability.nrrd"))

    rows = of_kind(measure_files([tmp_path], ["prostate", "bladder"]), OrganMeasurement)

    assert [(row.organ, row.label, row.voxel_count) for row in rows] == [("prostate", 1, 4), ("bladder", 2, 10)]
    with pytest.raises(InputError, match="names its labels bladder, Prostate, and the organs are liver, kidney"):
        measure_files([tmp_path / "a.nrrd"], ["liver", "kidney"])


def test_a_mask_of_0_and_255_is_measured_as_the_organ(tmp_path):
    voxels = np.zeros((6, 5, 4))
    voxels[1:4, 1:3, 1:3] = 255
    write_labels(tmp_path / "a.nii.gz", voxels)

    with pytest.warns(Notice, match="255 is taken for the organ"):
        (row,) = of_kind(measure_files([tmp_path], ["prostate"]), OrganMeasurement)

    assert (row.organ, row.voxel_count) == ("prostate", 12)


def test_the_case_is_called_by_the_name_of_its_file(tmp_path):
    for name, count in (("smith", 10), ("jones", 4)):
        write_labels(tmp_path / f"{name}.nrrd", labels(count), slicer_names((1, "prostate")))
        write_measurements_of(tmp_path / f"{name}.nrrd", measure_files([tmp_path / f"{name}.nrrd"]))
    for old, new in (("smith", "x"), ("jones", "smith"), ("x", "jones")):
        for suffix in (".nrrd", "_measurements.json"):
            (tmp_path / f"{old}{suffix}").rename(tmp_path / f"{new}{suffix}")

    rows = of_kind(measure_files([tmp_path]), OrganMeasurement)
    assert {row.case: row.voxel_count for row in rows} == {"smith": 4, "jones": 10}
    assert {row.case for row in measure_files([tmp_path], ["Prostate"])} == {"smith", "jones"}


def test_stored_measurements_are_told_for_the_organs_in_the_order_that_is_asked_for(tmp_path):
    path = tmp_path / "a.nrrd"
    write_labels(path, labels(10, 4), slicer_names((1, "bladder"), (2, "prostate")))
    measured = of_kind(measure_files([path]), OrganMeasurement)
    stored = [replace(row, interval_ml=(0.0, 1.0)) for row in measured]
    write_measurements_of(path, stored)

    rows = of_kind(measure_files([path], ["Prostate", "Bladder"]), OrganMeasurement)

    assert [(row.organ, row.label, row.voxel_count) for row in rows] == [("Prostate", 1, 4), ("Bladder", 2, 10)]
    assert all(row.interval_ml == (0.0, 1.0) for row in rows)


def test_images_whose_names_end_like_those_of_maps_have_segmentations(tmp_path):
    write_labels(tmp_path / "scan_probability.nrrd", labels(3))
    write_labels(tmp_path / "a.nrrd", labels(2))
    write_labels(tmp_path / "a_uncertainty.nrrd", labels(4))
    write_measurements_of(tmp_path / "a_uncertainty.nrrd", [])
    image = sitk.GetImageFromArray(np.zeros((4, 5, 6), np.float32))
    for name in ("a_probability", "b_uncertainty", "scan_probability_probability"):
        sitk.WriteImage(image, str(tmp_path / f"{name}.nrrd"))

    assert list(find_segmentations(tmp_path)) == ["a", "a_uncertainty", "scan_probability"]


def test_organs_are_named_by_segmentations_or_else_by_references(tmp_path):
    write_labels(tmp_path / "a.nii.gz", labels(10, 4))
    write_labels(tmp_path / "r.nrrd", labels(10, 4), slicer_names((1, "bladder"), (2, "prostate")))

    assert organs_of_files([tmp_path / "a.nii.gz"], [tmp_path / "r.nrrd"]) == ["bladder", "prostate"]
    assert organs_of_files([tmp_path / "r.nrrd"], [tmp_path / "a.nii.gz"]) == ["bladder", "prostate"]
    assert organs_of_files([tmp_path / "a.nii.gz"]) == ["organ 1", "organ 2"]


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_a_format_that_holds_no_names_has_those_in_the_record_beside_it(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_labels(path, labels(10, 4))
    label_map = read_segmentation(path)
    write_measurements_of(path, measure_case(label_map, ["bladder", "prostate"]), label_map)
    write_labels(path, labels(9, 4))  # edited since

    named = {1: "bladder", 2: "prostate"} if suffix == ".nii.gz" else {}
    assert read_segmentation(path).segments == named
    if named:
        (tmp_path / "a_measurements.json").write_text("{")
        assert read_segmentation(path).segments == {}
