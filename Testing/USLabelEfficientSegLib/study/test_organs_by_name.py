"""A study's organs and labels go by the names in its label files; masks of 0 and 255 are its only organ."""

import numpy as np
import pytest
from labelled_cases import record_of

from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import read_label_map, write_label_map, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.study.coverage import in_percent
from USLabelEfficientSegLib.study.inbox import leave_labels, take_labels
from USLabelEfficientSegLib.study.study import Study

GRID = Geometry((6, 7, 8), (0.2, 0.4, 0.7), (1.0, 2.0, 3.0), np.eye(3))
TRUTH = np.zeros(GRID.shape, np.uint8)
TRUTH[1:3, 1:4, 2:6] = 1
TRUTH[3:5, 1:4, 3:6] = 2
SWAPPED = np.array([0, 2, 1], np.uint8)[TRUTH]


def fields(*names):
    return {
        f"Segment{n}_{field}": text
        for n, name in enumerate(names)
        for field, text in (("LabelValue", str(n + 1)), ("Name", name))
    }


@pytest.fixture
def data(tmp_path):
    """Folders with three images, and labels of two organs of which b's are numbered the other way round."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    random = np.random.default_rng(0)
    for name in "abc":
        grey = random.integers(0, 256, GRID.shape).astype(np.uint8)
        write_volume(tmp_path / "images" / f"{name}.nrrd", Scan(grey, GRID, name))
    label(tmp_path, "a", TRUTH, "Bladder", "prostate")
    label(tmp_path, "b", SWAPPED, "PROSTATE", " bladder")
    return tmp_path


def label(data, name, voxels, *names, suffix=".nrrd"):
    write_label_map(data / "labels" / f"{name}{suffix}", LabelMap(voxels, GRID, name), fields(*names))


def made(data, **options):
    return Study.create(data / "study", data / "images", data / "labels", **options)


def test_names_in_files_define_the_organs_and_their_labels(data):
    study = made(data)

    assert study.organs == ("Bladder", "prostate")
    for name in "ab":
        np.testing.assert_array_equal(study.read_labels(name).voxels, TRUTH)
    assert read_label_map(study.folder / "labels" / "b.nrrd").segments == {1: "Bladder", 2: "prostate"}


def test_names_of_the_user_are_matched_and_not_put_over_others(data):
    study = made(data, organs=["prostate", "bladder"])

    for name in "ab":
        np.testing.assert_array_equal(study.read_labels(name).voxels, SWAPPED)
    with pytest.raises(InputError, match=r"a\.nrrd: names its labels Bladder, prostate, and the organs are liver, spl"):
        Study.create(data / "other", data / "images", data / "labels", organs=["liver", "spleen"])
    assert not (data / "other").exists()


def test_files_that_disagree_and_names_that_fold_to_one_are_refused(data):
    label(data, "c", TRUTH, "bladder", "prostat")
    with pytest.raises(InputError, match=r"is of bladder, prostat, other segmentations of Bladder, prostate"):
        made(data)
    with pytest.raises(InputError, match="are not 1 to 254 different names"):
        made(data, organs=["Bladder", "bladder"])


def test_numbers_are_refused_where_names_show_that_they_mean_nothing(data):
    label(data, "c", TRUTH, suffix=".nii.gz")

    with pytest.raises(InputError, match=r"c\.nii\.gz: does not name its labels"):
        made(data)
    assert made(data, organs=["bladder", "prostate"]).read_labels("c").voxels.tolist() == TRUTH.tolist()


def test_labels_edited_elsewhere_are_taken_over_by_name(data):
    study = made(data)
    path = study.folder / "labels" / "a.nrrd"
    edited = SparseLabels(SWAPPED, GRID, ("p", "b")).keep_slices(2, [3])
    write_label_map(path, LabelMap(edited.voxels, GRID, "a"), fields("prostate", "bladder"))

    study.check_files()

    np.testing.assert_array_equal(study.read_labels("a").voxels[..., 3], TRUTH[..., 3])
    leave_labels(study, "c", SparseLabels(TRUTH, GRID, study.organs))
    assert take_labels(study).cases == ["c"]
    np.testing.assert_array_equal(study.read_labels("c").voxels, TRUTH)


@pytest.mark.parametrize("organs", [None, ["prostate"]])
def test_masks_of_0_and_255_are_the_only_organ_in_volumes_too(data, recwarn, organs):
    mask = np.where(TRUTH == 1, 255, 0).astype(np.uint8)
    for name in "ab":
        label(data, name, mask)

    study = made(data, organs=organs)

    assert study.label_fraction() == pytest.approx(2 / 3)  # of three volumes
    assert study.summary()["organs"] == {(organs or ["organ 1"])[0]: {"labelled_slices": 8}}
    np.testing.assert_array_equal(study.read_labels("b").voxels, mask // 255)
    assert any("255 is taken for the organ" in str(warning.message) for warning in recwarn)


def test_a_mask_beside_labels_of_several_organs_is_refused(data):
    label(data, "a", np.where(TRUTH == 1, 255, 0).astype(np.uint8))

    with pytest.raises(InputError, match=r"a\.nrrd: is black and white, but there are 2 organs"):
        made(data)


def test_an_organ_on_no_labelled_slice_is_told_and_not_trained(data, call):
    for name in "ab":
        label(data, name, np.where(TRUTH == 1, 1, 0).astype(np.uint8))

    code, out, _ = call(
        "study", "create", data / "study", "--images", data / "images", "--labels", data / "labels",
        "--organs", "bladder,prostate",
    )  # fmt: skip

    assert code == 0 and "No labelled slice shows prostate: label one that does before training" in out
    assert "No labelled slice shows prostate" in call("study", "show", data / "study")[1]
    code, _, err = call("train", data / "study")
    assert code == 2 and "has no labelled slice that shows prostate; label a slice that does, or make" in err
    assert not (data / "study" / "run").exists()


def test_slices_that_cross_never_make_more_than_all(data):
    study = Study.create(data / "study", data / "images", organs=["bladder", "prostate"])
    labels = SparseLabels.unlabelled(study.read_scan("a").geometry, study.organs)
    for axis, indices in ((0, range(5)), (1, range(6)), (2, range(7))):
        for index in indices:
            labels.set_slice(axis, index, np.take(TRUTH, index, axis))
    study.set_labels("a", labels)

    on_slices = 1 - 1 / (6 * 7 * 8)
    assert len(record_of(study.case("a")).slices) == 18 > GRID.shape[2]
    assert study.label_fraction() == pytest.approx(8 * on_slices / 24)
    labels.voxels[:] = TRUTH
    study.set_labels("a", labels)
    assert study.label_fraction() == pytest.approx(1 / 3)


def test_shares_are_told_in_plain_numbers():
    assert [in_percent(share) for share in (0.0, 0.005, 1 / 3, 0.9949, 0.999, 1.0)] == [
        "0 %", "0.5 %", "33 %", "99 %", "100 %", "100 %",
    ]  # fmt: skip
