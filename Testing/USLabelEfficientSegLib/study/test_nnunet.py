"""A study goes to nnU-Net and comes back with the same voxels, labels and organs."""

import json
import shutil

import numpy as np
import pytest
from labelled_cases import labels_of

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume
from USLabelEfficientSegLib.study.nnunet import read_dataset
from USLabelEfficientSegLib.study.study import Study


@pytest.fixture
def dataset(untrained, call, tmp_path):
    """A study of three volumes, one of them without labels, as a data set."""
    folder = shutil.copytree(untrained, tmp_path / "study")
    Study.open(folder).remove_labels("simulated_0002")
    code, out, err = call("study", "export-nnunet", folder, tmp_path / "raw" / "Dataset101_Two")
    assert code == 0 and "2 labelled volumes, 1 to predict." in out, err
    return tmp_path / "raw" / "Dataset101_Two"


def test_labelled_volumes_are_for_training_and_what_is_not_labelled_is_ignored(dataset, tmp_path):
    study = Study.open(tmp_path / "study")

    assert sorted(path.name for path in (dataset / "imagesTr").iterdir()) == [
        "simulated_0000_0000.nii.gz",
        "simulated_0001_0000.nii.gz",
    ]
    assert [path.name for path in (dataset / "imagesTs").iterdir()] == ["simulated_0002_0000.nii.gz"]
    described = json.loads((dataset / "dataset.json").read_text())
    assert described["labels"] == {"background": 0, "solid": 1, "fluid": 2, "ignore": 3}
    assert (described["numTraining"], described["file_ending"]) == (2, ".nii.gz")
    for name in ("simulated_0000", "simulated_0001"):
        written, labels = read_label_map(dataset / "labelsTr" / f"{name}.nii.gz"), labels_of(study, name)
        np.testing.assert_array_equal(written.voxels == 3, labels.voxels == 255)
        np.testing.assert_array_equal(written.voxels[labels.voxels < 3], labels.voxels[labels.voxels < 3])
        volume = read_volume(dataset / "imagesTr" / f"{name}_0000.nii.gz")
        np.testing.assert_array_equal(volume.voxels, study.read_scan(name).voxels)


def test_a_study_of_a_data_set_is_the_study_that_it_was_made_from(dataset, call, tmp_path):
    code, _, err = call("study", "create", tmp_path / "back", "--nnunet", dataset)

    assert code == 0, err
    before, after = Study.open(tmp_path / "study"), Study.open(tmp_path / "back")
    assert [case.name for case in after.cases] == [case.name for case in before.cases]
    assert after.organs == before.organs == ("solid", "fluid")
    for case in before.cases:
        volume, again = before.read_scan(case.name), after.read_scan(case.name)
        np.testing.assert_array_equal(again.voxels, volume.voxels)
        assert again.geometry.same_grid(volume.geometry)
        if case.labels is None:
            assert after.read_labels(case.name) is None
        else:
            labels = labels_of(before, case.name)
            np.testing.assert_array_equal(labels_of(after, case.name).voxels, labels.voxels)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"channel_names": {"0": "a", "1": "b"}}, "has 2 channels"),
        ({"labels": {"background": 0, "whole": [1, 2], "part": 2}}, "has regions instead of labels"),
        ({"labels": {"background": 0, "organ": 2}}, "has labels other than 0, 1, 2"),
        ({"labels": {"background": 0, "solid": 1, "fluid": 2, "ignore": 7}}, "not the highest value"),
        ({"file_ending": ".png"}, "holds no image NAME_0000.png"),
        ({"labels": None}, "does not describe a data set of nnU-Net v2"),
    ],
)
def test_a_data_set_that_is_none_of_ours_is_refused_in_a_sentence(dataset, change, problem):
    described = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps({**described, **change}))

    with pytest.raises(InputError, match=problem):
        read_dataset(dataset)


def test_a_label_without_its_image_is_refused(dataset):
    (dataset / "imagesTr" / "simulated_0001_0000.nii.gz").unlink()

    with pytest.raises(InputError, match=r"simulated_0001.nii.gz: has no image of its name"):
        read_dataset(dataset)


def test_a_data_set_brings_its_own_labels_and_a_study_needs_images(dataset, simulated, call, tmp_path):
    new = tmp_path / "new"
    code, _, err = call("study", "create", new, "--nnunet", dataset, "--labels", simulated / "labels")
    assert code == 2 and "--labels: is part of the data set of --nnunet" in err
    code, _, err = call("study", "create", new)
    assert code == 2 and "has no images; give --images DIR, or --nnunet DATASET" in err
    code, _, err = call("study", "create", new, "--nnunet", tmp_path)
    assert code == 2 and "dataset.json: is missing" in err and not new.exists()


def test_a_study_without_labels_is_not_exported(dataset, call, tmp_path):
    folder = tmp_path / "study"
    for case in Study.open(folder).cases:
        Study.open(folder).remove_labels(case.name)
    code, _, err = call("study", "export-nnunet", folder, tmp_path / "raw" / "Dataset102_None")
    assert code == 2 and "has no labelled slice" in err and not (tmp_path / "raw" / "Dataset102_None").exists()
    code, _, err = call("study", "export-nnunet", folder, dataset)
    assert code == 2
