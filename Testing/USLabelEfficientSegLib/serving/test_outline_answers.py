"""Outlines of whole organs are answered from what was drawn and from the model, and what is slow is kept."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.annotation.slice_labels_file import write_slice_labels
from USLabelEfficientSegLib.annotation.sparse_labels import UNLABELLED, LabelledSlice, SparseLabels
from USLabelEfficientSegLib.calibration.intervals import Calibration
from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import read_label_map, write_volume
from USLabelEfficientSegLib.prompting import opinions as opinions_module
from USLabelEfficientSegLib.prompting import outline as outline_module
from USLabelEfficientSegLib.prompting.correction import corrected
from USLabelEfficientSegLib.segmentation.loading import load_model
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.study.inbox import leave_labels

CPU = torch.device("cpu")


def test_labelled_slices_are_continued_through_the_volume(ask, study, simulated, tmp_path):
    name = next(case.name for case in study.cases if case.labels is not None)
    result = ask("propagate", study=study.folder, volume=name, output=tmp_path / "outline.nrrd")
    found, truth = read_label_map(result["file"]), read_label_map(simulated / "labels" / f"{name}.nrrd")
    labelled = study.read_labels(name)
    shown = [organ for label, organ in enumerate(study.organs, start=1) if (labelled.voxels == label).any()]

    assert list(result["volumes_ml"]) == shown
    assert found.geometry.same_grid(truth.geometry)
    first = study.organs.index(shown[0]) + 1
    truth_ml = np.count_nonzero(truth.voxels == first) * truth.geometry.voxel_volume_ml
    assert 0.4 * truth_ml < result["volumes_ml"][shown[0]] < 2.5 * truth_ml
    known = labelled.voxels != 255
    assert (found.voxels[known] == labelled.voxels[known]).mean() > 0.98


def test_the_volume_is_looked_at_once_for_many_outlines_and_again_when_its_file_is_another(
    ask, study, tmp_path, monkeypatch
):
    name = next(case.name for case in study.cases if case.labels is not None)
    looks: list[str] = []
    resampled = outline_module.resample_axes

    def counted(*arguments):
        looks.append(name)
        return resampled(*arguments)

    monkeypatch.setattr(outline_module, "resample_axes", counted)

    def ml():
        return ask("propagate", study=study.folder, volume=name, output=tmp_path / "outline.nrrd")["volumes_ml"]

    first = ml()
    labels = study.read_labels(name)
    shown = next(one for one in labels.labelled_slices() if labels.of_slice(one).any())
    smaller = labels.of_slice(shown).copy()
    organs = np.flatnonzero(smaller)
    smaller.flat[organs[: len(organs) // 2]] = 0
    labels.set_slice(shown.axis, shown.index, smaller)
    leave_labels(study, name, labels)

    assert ml() != first and looks == [name]

    file = study.folder / study.case(name).image.file
    scan = study.read_scan(name)
    write_volume(file, replace(scan, voxels=scan.voxels[::-1].copy()))
    ml()
    assert looks == [name, name]


def test_a_slice_of_the_outline_comes_on_the_grid_of_the_volume(ask, study, tmp_path):
    name = next(case.name for case in study.cases if case.labels is not None)
    labelled = study.read_labels(name)
    axis, index = labelled.labelled_slices()[0].axis, labelled.labelled_slices()[0].index
    asked = {"study": study.folder, "volume": name, "output": tmp_path / "outline.nrrd"}

    found = np.load(ask("propagate", **asked, slice=[axis, index])["slice"])

    assert found.shape == labelled.voxels.take(index, axis).shape
    assert (found == labelled.voxels.take(index, axis)).mean() > 0.95
    with pytest.raises(InputError, match="has no slice of index 999 along axis 1"):
        ask("propagate", **asked, slice=[1, 999])


def test_a_prediction_comes_as_a_coarse_outline_and_a_slice_of_it_as_it_is(ask, trained, tmp_path):
    name = trained.cases[0].name
    asked = {"study": trained.folder, "volume": name, "output": tmp_path / "found.nrrd"}
    whole = ask("predict", **asked)
    voxels = read_label_map(whole["file"]).voxels
    result = ask("predict", **asked, coarse=True, slice=[2, 3])

    np.testing.assert_array_equal(np.load(result["slice"]), voxels[:, :, 3])
    assert result["volumes_ml"] == whole["volumes_ml"]
    assert max(read_label_map(result["file"]).voxels.shape) <= 96


def one_slice_drawn(study, simulated, index=8):
    """A volume of the study and what it truly shows; one slice of it is labelled, in the inbox."""
    name = study.cases[0].name
    study.remove_labels(name)
    truth = read_label_map(simulated / "labels" / f"{name}.nrrd")
    labels = SparseLabels.unlabelled(truth.geometry, study.organs)
    labels.voxels[:, :, index] = truth.voxels[:, :, index]
    leave_labels(study, name, labels)
    return name, truth, labels


def test_labelled_slices_correct_the_models_outline_as_prompts_correct_segmentations(ask, trained, simulated, tmp_path):
    name, truth, labels = one_slice_drawn(trained, simulated)
    asked = {"study": trained.folder, "volume": name, "output": tmp_path / "found.nrrd", "coarse": True}
    by_itself = read_label_map(ask("predict", **asked)["file"]).voxels
    result = ask("predict", **asked, corrected=True, slice=[2, 8])
    found = read_label_map(result["file"]).voxels
    volume, model = trained.read_scan(name), load_model(trained.folder)
    assert isinstance(model, SegmentationModel)
    drawing = replace(truth, voxels=labels.voxels, segments={})
    expected = corrected(model.predict(volume, CPU), volume, drawing, trained.organs, mirrors=1)

    # The volume is as coarse as an outline, so that it has the same grid as the segmentation.
    np.testing.assert_array_equal(found, expected.labels().voxels)
    assert list(result["volumes_ml"].values()) == pytest.approx(expected.volumes_ml(), rel=1e-3)
    assert list(result["volumes_ml"]) == list(trained.organs) == list(result["intervals_ml"])
    assert result["intervals_ml"][trained.organs[0]] == pytest.approx(expected.intervals_ml()[0], rel=1e-3)
    assert np.array_equal(np.load(result["slice"]), truth.voxels[:, :, 8])
    beside = np.r_[5:8, 9:12]  # slices that were not drawn
    wrong = [np.count_nonzero((found_here != truth.voxels)[:, :, beside]) for found_here in (by_itself, found)]
    assert wrong[1] < wrong[0]


def test_without_a_labelled_slice_the_outline_is_the_models_with_its_intervals(ask, trained, tmp_path):
    name = trained.cases[0].name
    trained.remove_labels(name)
    model = load_model(trained.folder)
    assert isinstance(model, SegmentationModel)
    calibration = Calibration(factors={"volume": ((0.5, 2.0), None)}, method="By hand.")
    replace(model, calibration=calibration).save(trained.run_folder / MODEL_NAME)
    asked = {"study": trained.folder, "volume": name, "output": tmp_path / "found.nrrd", "coarse": True}
    result = ask("predict", **asked, corrected=True)

    assert result == ask("predict", **asked)
    first = trained.organs[0]
    assert result["intervals_ml"] == {
        first: pytest.approx([0.5 * result["volumes_ml"][first], 2 * result["volumes_ml"][first]])
    }
    with pytest.raises(InputError, match="ask for a coarse one"):
        ask("predict", **{**asked, "coarse": False}, corrected=True)


def test_slices_of_a_file_count_in_place_of_those_that_the_study_holds(ask, study, tmp_path):
    name = next(case.name for case in study.cases if case.labels is not None)
    labels = study.read_labels(name)
    asked = {"study": study.folder, "volume": name, "output": tmp_path / "outline.nrrd"}
    of_study = ask("propagate", **asked)
    expected = read_label_map(of_study["file"]).voxels
    write_slice_labels(tmp_path / "all.npz", {one: labels.of_slice(one) for one in labels.labelled_slices()})
    write_slice_labels(tmp_path / "none.npz", {})
    study.remove_labels(name)

    of_file = ask("propagate", **asked, labels=tmp_path / "all.npz")

    np.testing.assert_array_equal(read_label_map(of_file["file"]).voxels, expected)
    assert of_file["next_slice"] == of_study["next_slice"] and tuple(of_file["next_slice"]) not in {
        (one.axis, one.index) for one in labels.labelled_slices()
    }
    assert of_file["volumes_ml"] == pytest.approx(of_study["volumes_ml"], rel=1e-4)
    with pytest.raises(InputError, match="has no labelled slice"):
        ask("propagate", **asked, labels=tmp_path / "none.npz")


def test_strokes_alone_are_continued_through_a_volume(ask, study, simulated, tmp_path):
    name = study.cases[0].name
    truth = read_label_map(simulated / "labels" / f"{name}.nrrd").voxels
    middle = truth.shape[2] // 2
    strokes = np.where(truth[:, :, middle] == 1, 1, UNLABELLED).astype(np.uint8)
    strokes[::2] = UNLABELLED
    write_slice_labels(tmp_path / "strokes.npz", {LabelledSlice(2, middle): strokes})
    asked = {"study": study.folder, "volume": name, "output": tmp_path / "outline.nrrd"}

    found = ask("propagate", **asked, labels=tmp_path / "strokes.npz")

    assert list(found["volumes_ml"]) == [study.organs[0]]
    outline = read_label_map(found["file"]).voxels
    assert (outline[:, :, middle] == 1).sum() > 1.2 * (strokes == 1).sum()  # between the lines that were drawn


def test_a_model_is_asked_once_for_many_strokes_and_a_new_one_again(ask, trained, simulated, tmp_path, monkeypatch):
    name, truth, _ = one_slice_drawn(trained, simulated)
    asked = {"study": trained.folder, "volume": name, "output": tmp_path / "found.nrrd", "coarse": True}
    opinions: list[np.ndarray] = []
    opinion_on = opinions_module.opinion_on

    def noted(network, image, prior, *, mirrors):
        opinions.append(prior)
        return opinion_on(network, image, prior, mirrors=mirrors)

    monkeypatch.setattr(outline_module, "opinion_on", noted)
    first = ask("predict", **asked, corrected=True)["volumes_ml"]
    another = SparseLabels.unlabelled(truth.geometry, trained.organs)
    another.voxels[:, :, [5, 8]] = truth.voxels[:, :, [5, 8]]
    leave_labels(trained, name, another)
    second = ask("predict", **asked, corrected=True)["volumes_ml"]
    assert first != second and len(opinions) == len(trained.organs)

    model = load_model(trained.folder)
    assert isinstance(model, SegmentationModel)
    for network in model.networks:
        network.load_state_dict({key: torch.zeros_like(value) for key, value in network.state_dict().items()})
    model.save(trained.run_folder / MODEL_NAME)
    third = ask("predict", **asked, corrected=True)["volumes_ml"]
    assert third != second and len(opinions) == 2 * len(trained.organs)


def test_a_volume_without_labels_cannot_be_continued(ask, study, tmp_path):
    name = study.cases[0].name
    study.remove_labels(name)

    with pytest.raises(InputError, match="has no labelled slice; label a slice of it"):
        ask("propagate", study=study.folder, volume=name, output=tmp_path / "outline.nrrd")
