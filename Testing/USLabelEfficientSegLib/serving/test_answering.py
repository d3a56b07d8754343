"""Requests are answered as the commands of their names do, and the second time from what was kept."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.annotation.slice_labels_file import write_slice_labels
from USLabelEfficientSegLib.annotation.sparse_labels import UNLABELLED, LabelledSlice, SparseLabels
from USLabelEfficientSegLib.calibration.intervals import Calibration
from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import read_label_map, write_volume
from USLabelEfficientSegLib.method import suggesting
from USLabelEfficientSegLib.prompting import opinions as opinions_module
from USLabelEfficientSegLib.prompting import outline as outline_module
from USLabelEfficientSegLib.prompting.correction import corrected
from USLabelEfficientSegLib.segmentation.loading import load_model
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.serving.answering import Answering
from USLabelEfficientSegLib.serving.kept import Lately
from USLabelEfficientSegLib.serving.networks import Networks
from USLabelEfficientSegLib.study.inbox import leave_labels
from USLabelEfficientSegLib.study.kept_slices import KeptSlices
from USLabelEfficientSegLib.study.study import Study

CPU = torch.device("cpu")


@pytest.fixture
def ask():
    """Asks one worker, without its process; returns the result and the records."""
    answering = Answering(Networks())
    records: list[Mapping[str, Any]] = []

    def ask(verb, **arguments):
        return answering(verb, arguments, records.append)

    ask.records = records  # type: ignore[attr-defined]
    return ask


def places(result):
    return [(one["volume"], one["axis"], one["index"]) for one in result["slices"]]


def test_suggestions_are_those_of_the_command_and_scans_are_read_once(ask, study, monkeypatch):
    expected = [asdict(one) for one in suggesting.suggest(study, 5)]

    assert ask("suggest", study=study.folder, count=5) == {"slices": expected}

    monkeypatch.setattr(Study, "read_scan", lambda study, name: pytest.fail("a second look"))
    assert ask("suggest", study=study.folder, count=5) == {"slices": expected}


def test_labels_in_the_inbox_count(ask, study):
    (first,) = ask("suggest", study=study.folder, count=1)["slices"]
    labels = study.read_labels(first["volume"]) or study.read_labels(study.cases[0].name)
    empty = np.zeros(labels.voxels.take(0, first["axis"]).shape, np.uint8)
    labels = type(labels).unlabelled(study.read_scan(first["volume"]).geometry, study.organs)
    labels.set_slice(first["axis"], first["index"], empty)
    leave_labels(study, first["volume"], labels)

    again = places(ask("suggest", study=study.folder, count=5))

    assert (first["volume"], first["axis"], first["index"]) not in again


def test_slices_that_a_program_kept_before_it_was_killed_count_and_stay_where_they_are(ask, study):
    (first,) = ask("suggest", study=study.folder, count=1)["slices"]
    empty = np.zeros(study.read_scan(first["volume"]).voxels.take(0, first["axis"]).shape, np.uint8)
    KeptSlices().write(study, first["volume"], {LabelledSlice(first["axis"], first["index"]): empty})

    again = places(ask("suggest", study=study.folder, count=5))

    assert (first["volume"], first["axis"], first["index"]) not in again
    assert list((study.folder / "kept").iterdir())


def test_a_new_model_changes_suggestions_and_predictions(ask, trained, tmp_path):
    before = ask("suggest", study=trained.folder, count=3)
    name = trained.cases[0].name
    found = ask("predict", study=trained.folder, volume=name, output=tmp_path / "found.nrrd")
    model = load_model(trained.folder)
    assert isinstance(model, SegmentationModel)
    expected = model.predict(trained.read_scan(name), CPU)

    assert before == {"slices": [asdict(one) for one in suggesting.suggest(trained, 3)]}
    assert (read_label_map(found["file"]).voxels == expected.labels().voxels).all()
    assert list(found["volumes_ml"].values()) == pytest.approx(expected.volumes_ml())

    (trained.run_folder / MODEL_NAME).unlink()
    assert "no model yet" in ask("suggest", study=trained.folder, count=1)["slices"][0]["reason"]
    with pytest.raises(InputError, match="is not trained to the end yet"):
        ask("predict", study=trained.folder, volume=name, output=tmp_path / "found.nrrd")


def test_a_study_made_anew_in_the_same_place_is_looked_at_anew(ask, study, simulated):
    ask("suggest", study=study.folder)
    shutil.rmtree(study.folder)
    images = study.folder.parent / "images"
    images.mkdir()
    shutil.copy(simulated / "images" / "simulated_0001.nrrd", images / "another.nrrd")
    Study.create(study.folder, images, organs=["a"])

    assert {one["volume"] for one in ask("suggest", study=study.folder)["slices"]} == {"another"}


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


def test_segmentations_are_those_of_the_command(ask, trained, simulated, tmp_path, call):
    result = ask("segment", model=trained.folder, images=[simulated / "images"], output=tmp_path / "asked")
    assert call("segment", trained.folder, simulated / "images", "--output", tmp_path / "commanded")[0] == 0

    assert ask.records == [{"file": file} for file in result["files"]] and len(result["files"]) == 3
    for commanded in sorted((tmp_path / "commanded").iterdir()):
        assert (tmp_path / "asked" / commanded.name).read_bytes() == commanded.read_bytes()


def test_a_damaged_image_does_not_keep_the_others(ask, trained, simulated, tmp_path):
    shutil.copytree(simulated / "images", tmp_path / "images")
    (tmp_path / "images" / "broken.nrrd").write_bytes(b"NRRD0004\n")

    with pytest.raises(InputError, match=r"1 of 4 images: failed: .*broken.nrrd.*; the others are done"):
        ask("segment", model=trained.folder, images=[tmp_path / "images"], output=tmp_path / "out")
    assert len(ask.records) == 3


def test_preparing_a_study_in_which_all_is_labelled_is_no_error(ask, study, monkeypatch):
    assert ask("prepare", study=study.folder) == {}
    monkeypatch.setattr(
        suggesting, "_places", lambda case, labelled: [(a, i) for a in range(3) for i in range(case.image.shape[a])]
    )

    with pytest.raises(InputError, match="no slice left"):
        ask("suggest", study=study.folder)
    assert ask("prepare", study=study.folder) == {}


@pytest.mark.parametrize(
    ("verb", "arguments", "sentence"),
    [
        ("dance", {}, "request dance: is unknown"),
        ("suggest", {}, "argument study: is wrong"),
        ("suggest", {"study": "x", "count": 0}, "argument count: is wrong"),
        ("suggest", {"study": "x", "colour": "red"}, "argument colour: is wrong"),
        ("suggest", {"study": "nowhere"}, "nowhere: is not a study"),
    ],
)
def test_wrong_requests_are_refused_in_a_sentence(ask, verb, arguments, sentence):
    with pytest.raises(InputError) as refused:
        ask(verb, **arguments)
    assert str(refused.value).startswith(sentence)


def test_what_is_kept_is_bounded():
    made = []
    lately: Lately[bytes] = Lately(10, len)

    def get(key: str, size: int) -> bytes:
        def make() -> bytes:
            made.append(key)
            return bytes(size)

        return lately.get(key, make)

    get("a", 4), get("b", 4), get("a", 4), get("c", 4), get("a", 4), get("b", 4)
    assert made == ["a", "b", "c", "b"]
    assert len(get("large", 100)) == 100  # one is kept however large


def test_the_command_answers_before_networks_are_loaded(study):
    program = f"""
import sys
from USLabelEfficientSegLib.serving.answering import Answering
from USLabelEfficientSegLib.serving.networks import Networks
result = Answering(Networks())("suggest", {{"study": {str(study.folder)!r}}}, print)
assert len(result["slices"]) == 12 and "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_command_writes_answers_only(study):
    command = [sys.executable, "-m", "USLabelEfficientSegLib.cli", "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        count = 2
        request = {"id": 1, "request": "suggest", "study": str(study.folder), "count": count}
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        told = [json.loads(process.stdout.readline()) for _ in range(2 + count + 1)]
        process.stdin.close()
        rest = process.stdout.read()

    assert told[0]["protocol"] == 1 and told[1]["progress"]["done"] == 0
    assert told[-1]["end"] == "done" and len(told[-1]["result"]["slices"]) == 2
    assert rest == "" and process.returncode == 0
