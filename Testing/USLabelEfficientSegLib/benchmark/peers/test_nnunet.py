import json
import subprocess

import numpy as np
import pytest

from USLabelEfficientSegLib.benchmark.peers import nnunet
from USLabelEfficientSegLib.imaging.files import find_images, read_label_map, read_volume
from USLabelEfficientSegLib.study.study import Study


@pytest.fixture
def study(tmp_path, simulated):
    images, labels = simulated / "images", simulated / "labels"
    return Study.create(tmp_path / "study", images, labels, organs=("a", "b"), label_fraction=0.05, seed=1)


def test_what_is_unlabelled_becomes_the_highest_label(tmp_path, study, simulated):
    held_out = dict(list(find_images(simulated / "images").items())[:2])

    script = nnunet.export(tmp_path / "nnunet", study, held_out)

    dataset = tmp_path / "nnunet" / "raw" / nnunet.DATASET
    description = json.loads((dataset / "dataset.json").read_text())
    labelled = [case for case in study.cases if case.labels is not None]
    assert description["labels"] == {"background": 0, "a": 1, "b": 2, "ignore": 3}
    assert description["numTraining"] == len(labelled) == len(list((dataset / "imagesTr").iterdir()))
    assert 0 < len(labelled) < len(study.cases)
    for case in labelled:
        image = read_volume(dataset / "imagesTr" / f"{case.name}_0000.nii.gz")
        label = read_label_map(dataset / "labelsTr" / f"{case.name}.nii.gz")
        sparse = study.read_labels(case.name).voxels
        assert image.geometry.same_grid(label.geometry)
        np.testing.assert_array_equal(label.voxels == 3, sparse == 255)
        np.testing.assert_array_equal(label.voxels[sparse != 255], sparse[sparse != 255])
    assert sorted(path.name for path in (dataset / "imagesTs").iterdir()) == [f"{n}_0000.nii.gz" for n in held_out]
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    assert "nnUNetv2_train 901 3d_fullres all" in script.read_text()


def test_predictions_count_once_all_of_them_are_there(tmp_path, simulated):
    held_out = find_images(simulated / "images")
    folder = tmp_path / "predictions"
    folder.mkdir()
    for name in list(held_out)[1:]:
        (folder / f"{name}.nii.gz").touch()
    assert nnunet.predictions(tmp_path, held_out) is None

    (folder / f"{next(iter(held_out))}.nii.gz").touch()
    found = nnunet.predictions(tmp_path, held_out)
    assert found is not None and list(found) == list(held_out)
