import json
import shutil

import numpy as np
import pytest
import SimpleITK
import torch

from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.cli import main
from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import find_images, read_label_map
from USLabelEfficientSegLib.method.suggesting import suggest, write_suggested_labels
from USLabelEfficientSegLib.segmentation.inference import predict
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.study.study import Study


@pytest.fixture
def unlabelled(tmp_path, simulated):
    return Study.create(tmp_path / "study", simulated / "images")


@pytest.fixture
def trained(tmp_path, trained_study):
    return Study.open(shutil.copytree(trained_study, tmp_path / "trained"))


def places(suggestions):
    return [(s.volume, s.axis, s.index) for s in suggestions]


def test_before_any_label_slices_come_from_different_volumes(unlabelled):
    before = sorted(path.name for path in unlabelled.folder.rglob("*"))
    suggestions = suggest(unlabelled, 3)

    assert {s.volume for s in suggestions} == {case.name for case in unlabelled.cases}
    assert [s.axis for s in suggestions] == [0, 1, 2]
    assert all(0.25 * n < s.index < 0.75 * n for s, n in zip(suggestions, (24, 24, 16), strict=True))
    assert all("no model yet" in s.reason for s in suggestions)
    assert places(suggest(unlabelled, 3)) == places(suggestions)
    assert sorted(path.name for path in unlabelled.folder.rglob("*")) == before


def test_labelled_slices_are_not_suggested_again(unlabelled):
    first = suggest(unlabelled, 2)
    for s in first:
        labels = SparseLabels.unlabelled(unlabelled.read_scan(s.volume).geometry, unlabelled.organs)
        labels.set_slice(s.axis, s.index, np.zeros_like(labels.voxels.take(s.index, s.axis)))
        unlabelled.set_labels(s.volume, labels)

    everything = suggest(unlabelled, 1000)

    assert not set(places(first)) & set(places(everything))
    assert len(everything) == len(set(places(everything))) > 10
    assert {s.volume for s in suggest(unlabelled, 1)} == {c.name for c in unlabelled.cases} - {s.volume for s in first}


def test_a_single_volume_can_be_asked_for(unlabelled):
    name = unlabelled.cases[1].name

    suggestions = suggest(unlabelled, 4, volume=name)

    assert {s.volume for s in suggestions} == {name}
    assert all("this volume" in s.reason and "random" not in s.reason for s in suggestions)
    assert len(set(places(suggestions))) == 4
    with pytest.raises(InputError, match="no volume named nobody"):
        suggest(unlabelled, 1, volume="nobody")


def test_a_trained_study_uses_its_model_and_cuts_along_all_axes(trained):
    with_model = suggest(trained, 6)
    (trained.run_folder / MODEL_NAME).unlink()
    without_model = suggest(trained, 3)

    assert all("what the model finds" in s.reason for s in with_model)
    assert all("no model yet" in s.reason for s in without_model)
    assert {s.axis for s in with_model} == {0, 1}  # the slices that are labelled lie along the third axis
    labelled = {(case.name, *place) for case in trained.cases if case.labels for place in case.labels.slices}
    assert not labelled & {*places(with_model), *places(without_model)}


def test_slices_are_suggested_through_what_the_model_finds(trained):
    model = SegmentationModel.load(trained.run_folder / MODEL_NAME)
    chosen = suggest(trained, 24)

    held = []
    for case in trained.cases:
        organs = predict(model, trained.read_scan(case.name), torch.device("cpu")).probability[1:].sum(axis=0)
        for axis in range(3):
            along = organs.mean(axis=tuple(a for a in range(3) if a != axis))
            indices = [s.index for s in chosen if (s.volume, s.axis) == (case.name, axis)]
            cells = np.array(indices, dtype=int) * len(along) // case.image.shape[axis]
            held += (along[cells] / along.mean()).tolist()
    assert len(held) == 24
    assert np.mean(held) > 1.1  # of what all slices hold on average


def test_thick_slices_are_labelled_only_as_they_were_acquired(tmp_path, simulated):
    for path in (simulated / "images").iterdir():
        image = SimpleITK.ReadImage(str(path))
        image.SetSpacing((1.0, 1.0, 4.0))
        (tmp_path / "images").mkdir(exist_ok=True)
        SimpleITK.WriteImage(image, str(tmp_path / "images" / path.name))
    study = Study.create(tmp_path / "study", tmp_path / "images")

    assert {s.axis for s in suggest(study, 6)} == {2}


def test_the_command_prints_a_table_or_json(unlabelled, capfd):
    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["suggest", str(unlabelled.folder), *arguments])
        return stop.value.code, capfd.readouterr()

    code, output = call("--count", "2", "--json")
    found = json.loads(output.out)
    assert code == 0
    assert [(s["volume"], s["axis"], s["index"]) for s in found] == places(suggest(unlabelled, 2))
    assert all(set(s) == {"volume", "axis", "index", "reason"} for s in found)

    code, output = call("--count", "1000", "--device", "cpu")
    assert code == 0
    assert found[0]["volume"] in output.out and "No other slice is left." in output.out
    plane, size = [("sagittal", 24), ("coronal", 24), ("axial", 16)][found[0]["axis"]]
    assert f"{plane}, slice {found[0]['index'] + 1} of {size}" in output.out

    code, output = call("--count", "0")
    assert code == 2
    assert output.err.startswith("uslabelseg: error: count 0") and output.err.count("\n") == 1


def test_of_dense_labels_only_the_suggested_slices_are_written(tmp_path, simulated):
    unlabelled = Study.create(tmp_path / "unlabelled", simulated / "images", organs=("solid", "fluid"))
    write_suggested_labels(tmp_path / "few", unlabelled, find_images(simulated / "labels"), 0.1, seed=0)

    study = Study.create(tmp_path / "sparse", simulated / "images", tmp_path / "few", organs=unlabelled.organs)
    slices = sum(case.image.shape[2] for case in unlabelled.cases)
    labelled = [(case.name, *place) for case in study.cases if case.labels for place in case.labels.slices]
    assert sorted(labelled) == sorted(places(suggest(unlabelled, round(0.1 * slices))))
    for name, axis, index in labelled:
        dense = read_label_map(simulated / "labels" / f"{name}.nrrd").voxels.take(index, axis)
        sparse = study.read_labels(name)
        assert sparse is not None
        np.testing.assert_array_equal(sparse.voxels.take(index, axis), dense)


def test_a_volume_that_is_labelled_completely_has_no_slice_to_suggest(simulated, tmp_path):
    study = Study.create(tmp_path / "dense", simulated / "images", simulated / "labels")

    with pytest.raises(InputError, match="no"):
        suggest(study, 3)
    study.remove_labels(study.cases[0].name)
    assert {s.volume for s in suggest(study, 3)} == {study.cases[0].name}
