import shutil

import numpy as np
import pytest
from offered_trainings import Idle
from trained_studies import CPU, label_another_slice, stages

from USLabelEfficientSegLib.annotation.sparse_labels import UNLABELLED
from USLabelEfficientSegLib.calibration.offset_intervals import HALF_WIDTH
from USLabelEfficientSegLib.calibration.shares import Shares
from USLabelEfficientSegLib.disk.study_layout import EARLIER_MODEL_NAME, FIRST_MODEL_NAME, MODEL_NAME
from USLabelEfficientSegLib.errors import Cancelled, InputError, Notice
from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume, write_label_map, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.method import candidates
from USLabelEfficientSegLib.method.cross_fitting import folds_of
from USLabelEfficientSegLib.method.opening import open_run
from USLabelEfficientSegLib.method.run import Computing
from USLabelEfficientSegLib.method.slice_networks import slice_trainings
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.segmentation.loading import load_model
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.segmentation.model_header import Voters, read_voters
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.study.settings import changed
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.training import side_by_side


@pytest.fixture(scope="module")
def with_networks(settings):
    return changed(settings, {"slice_network.steps": 3, "slice_network.widths": [4, 8], "slice_network.starter": False})


def labelled_study(folder, simulated, numbers):
    """A study in which so many slices along k are labelled, by the number of the volume."""
    (folder / "labels").mkdir(parents=True)
    for name, chosen in zip(sorted(path.stem for path in (simulated / "labels").iterdir()), numbers, strict=True):
        dense = read_label_map(simulated / "labels" / f"{name}.nrrd")
        voxels = np.full(dense.voxels.shape, UNLABELLED, np.uint8)
        voxels[..., chosen] = dense.voxels[..., chosen]
        if chosen:
            write_label_map(folder / "labels" / f"{name}.nrrd", LabelMap(voxels, dense.geometry, name))
    organs = ("solid", "fluid")
    return Study.create(folder / "study", simulated / "images", folder / "labels", organs=organs)


def weighed(monkeypatch, share):
    """The slices left out give 2-D networks such a share of the votes."""
    monkeypatch.setattr(candidates, "measured_shares", lambda run, trainings: Shares(share, 4, (0.1, 0.2)))


def test_where_2d_networks_lead_the_place_votes_with_them_and_there_are_no_students(study, with_networks, monkeypatch):
    weighed(monkeypatch, 0.6)
    model = train(study, with_networks, CPU)

    assert model is not None and model.slices is not None and model.prior is not None
    assert (model.networks, model.weights) == ((), pytest.approx((0.6, 0.4)))
    assert model.template is not None
    done = stages(study)
    assert "teacher" not in done and list(done)[-1] == "finished"
    assert model.calibration is not None and model.calibration.offsets == ()


def test_where_location_leads_students_and_2d_networks_vote(study, with_networks, monkeypatch):
    weighed(monkeypatch, 0.4)
    model = train(study, with_networks, CPU)

    assert model is not None and model.slices is not None and model.prior is not None
    assert len(model.networks) == 2
    assert sum(model.weights) == pytest.approx(1)
    assert model.weights[2] == pytest.approx(0.4)


def test_where_location_says_little_2d_networks_are_the_model(study, with_networks, monkeypatch):
    weighed(monkeypatch, 0.97)
    model = train(study, with_networks, CPU)

    assert model is not None and model.slices is not None
    assert (model.networks, model.prior) == ((), None)
    assert model.calibration is not None and len(model.calibration.offsets) == 2
    for low, high in filter(None, model.calibration.offsets):
        assert high - low == pytest.approx(2 * HALF_WIDTH)
    done = stages(study)
    assert "teacher" not in done
    assert list(done)[-1] == "finished"
    messages = [event.message for event in read_events(study.run_folder / "events.jsonl") if event.message]
    assert (
        "Where organs lie says little here: 2-D networks on slices decide alone (4 labelled slices left out)"
        in messages
    )


def test_the_provenance_holds_what_was_measured(study, with_networks, monkeypatch):
    weighed(monkeypatch, 0.4)
    train(study, with_networks, CPU)
    voters = read_voters(study.run_folder / MODEL_NAME)

    assert voters == Voters(2, 1, Shares(0.4, 4, (0.1, 0.2)))


def test_it_holds_that_2d_networks_were_tried_and_not_used(study, with_networks, monkeypatch):
    weighed(monkeypatch, 0.0)
    train(study, with_networks, CPU)
    voters = read_voters(study.run_folder / MODEL_NAME)

    assert voters == Voters(2, 1, Shares(0.0, 4, (0.1, 0.2)))


def test_study_show_and_the_report_tell_what_decides(study, with_networks, monkeypatch, call, tmp_path):
    weighed(monkeypatch, 0.97)
    train(study, with_networks, CPU)
    told = "Where organs lie says little here: 2-D networks on slices decide alone (4 labelled slices left out)."

    assert told in call("study", "show", study.folder)[1].splitlines()
    assert told in call("train", study.folder, "--device", "cpu")[1].splitlines()
    code, out, err = call("report", study.folder, "--output", tmp_path / "report.html", "--device", "cpu")
    html = (tmp_path / "report.html").read_text()
    assert code == 0, out + err
    assert told in html and "were not needed" in html and "student.steps" not in html


def test_a_model_without_students_is_exported_and_measures(study, with_networks, monkeypatch, call, tmp_path):
    weighed(monkeypatch, 0.97)
    train(study, with_networks, CPU)
    exported = tmp_path / "exported.safetensors"
    shutil.copy(study.run_folder / MODEL_NAME, exported)
    image = study.folder / study.cases[0].image.file

    code, out, err = call("segment", exported, image, "--output", tmp_path / "out", "--probability", "--uncertainty")

    assert code == 0, out + err
    assert call("measure", tmp_path / "out", "--output", tmp_path / "volumes.csv")[0] == 0
    assert len((tmp_path / "volumes.csv").read_text().splitlines()) == 3


def test_where_location_tells_more_2d_networks_are_not_used(study, with_networks, monkeypatch):
    weighed(monkeypatch, 0.0)
    model = train(study, with_networks, CPU)

    assert model is not None and model.slices is None and model.prior is not None
    assert len(model.networks) == 2
    assert not any("slice network" in stage for stage in stages(study))


def test_such_a_model_segments_a_volume_and_comes_back_from_its_file(study, with_networks, monkeypatch, simulated):
    weighed(monkeypatch, 0.97)
    model = train(study, with_networks, CPU)
    scan = read_volume(next((simulated / "images").iterdir()))
    loaded = SegmentationModel.load(study.run_folder / MODEL_NAME)

    assert model is not None
    prediction, again = model.predict(scan, CPU), loaded.predict(scan, CPU)
    assert np.array_equal(prediction.probability, again.probability)
    assert prediction.labels().voxels.shape == scan.voxels.shape
    assert model.digest() == loaded.digest()


def test_the_shares_are_measured_on_slices_left_out(tmp_path, simulated, with_networks):
    study = labelled_study(tmp_path, simulated, [[5, 8], [8], [7]])
    model = train(study, with_networks, CPU)

    assert model is not None
    messages = [event.message for event in read_events(study.run_folder / "events.jsonl") if event.message]
    assert any("(4 labelled slices left out)" in message for message in messages)
    assert {f"cross-fitting {number}" for number in (1, 2, 3)} <= set(stages(study))


def test_a_single_volume_with_labels_leaves_nothing_to_measure(tmp_path, simulated, with_networks):
    study = labelled_study(tmp_path, simulated, [[5, 8], [], []])
    train(study, with_networks, CPU)

    messages = [event.message for event in read_events(study.run_folder / "events.jsonl") if event.message]
    assert any("One volume with labelled organs cannot tell" in message for message in messages)


def test_in_a_study_of_one_volume_location_and_2d_networks_vote_alike(tmp_path, simulated, with_networks):
    image = sorted((simulated / "images").iterdir())[0]
    (tmp_path / "one" / "images").mkdir(parents=True)
    (tmp_path / "one" / "labels").mkdir()
    shutil.copy(image, tmp_path / "one" / "images")
    shutil.copy(simulated / "labels" / image.name, tmp_path / "one" / "labels")
    study = labelled_study(tmp_path, tmp_path / "one", [[5, 8]])
    model = train(study, with_networks, CPU)

    assert model is not None and model.prior is not None
    assert (model.networks, model.weights) == ((), pytest.approx((0.5, 0.5)))


def study_of_boxes(folder, chosen):
    """Two volumes of 48 x 48 x 32 voxels with a box, labelled in some slices along k."""
    geometry = Geometry((48, 48, 32), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    rng = np.random.default_rng(0)
    dense = np.zeros(geometry.shape, np.uint8)
    dense[10:30, 12:34, 5:25] = 1
    sparse = np.full(geometry.shape, UNLABELLED, np.uint8)
    sparse[..., chosen] = dense[..., chosen]
    for name in ("images", "labels"):
        (folder / name).mkdir()
    for name in ("a", "b"):
        grey = (80 + 60 * dense + rng.normal(0, 10, geometry.shape)).astype(np.float32)
        write_volume(folder / "images" / f"{name}.nrrd", Scan(grey, geometry, name))
        write_label_map(folder / "labels" / f"{name}.nrrd", LabelMap(sparse, geometry, name))
    return Study.create(folder / "study", folder / "images", folder / "labels", organs=("organ",))


def test_networks_learn_along_the_axis_that_was_labelled_however_many_slices_of_it_were(tmp_path, with_networks):
    """On the coarse working grid a third of the slices of one axis reach into every voxel of the others."""
    study = study_of_boxes(tmp_path, slice(None, None, 3))
    with study.lock():
        run = open_run(study, changed(with_networks, {"working_grid.max_voxels": 32}), Computing(CPU))

    assert all(bool(v.labels.labelled_along(0).any()) for v in run.volumes if v.labels is not None)
    assert [training.axis for training in slice_trainings(run)] == [2]


def test_a_slice_that_fills_half_of_a_coarse_voxel_shows_its_organ_all_the_same(tmp_path, with_networks):
    study = study_of_boxes(tmp_path, [10])
    with study.lock():
        run = open_run(study, changed(with_networks, {"working_grid.max_voxels": 16}), Computing(CPU))

    assert not any(bool((v.labels.weighted[1:] > 0.5).any()) for v in run.volumes if v.labels is not None)
    assert sorted(map(sorted, folds_of(run))) == [["a"], ["b"]]


def test_every_fold_leaves_out_a_volume_that_shows_an_organ(tmp_path, simulated, with_networks):
    study = labelled_study(tmp_path, simulated, [[5, 8], [8], [7]])
    with study.lock():
        run = open_run(study, with_networks, Computing(CPU))

    folds = folds_of(run)

    assert sorted(name for fold in folds for name in fold) == [case.name for case in study.cases]
    assert all(len(fold) == 1 for fold in folds)


def test_a_network_learns_along_every_labelled_axis(tmp_path, simulated, with_networks):
    study = labelled_study(tmp_path, simulated, [[5, 8], [8], [7]])
    labels = study.read_labels(study.cases[0].name)
    assert labels is not None
    labels.voxels[11] = 0
    study.set_labels(study.cases[0].name, labels)
    with study.lock():
        trainings = slice_trainings(open_run(study, with_networks, Computing(CPU)))

    assert [training.axis for training in trainings] == [0, 2]
    assert [training.stage for training in trainings] == ["slice network 1", "slice network 2"]
    assert [len(training.slices.owners) for training in trainings] == [1, 4]


def test_a_training_that_is_stopped_ends_with_the_same_model(study, with_networks, tmp_path, monkeypatch):
    weighed(monkeypatch, 0.4)
    other = Study.open(study.folder)
    whole = train(other, with_networks, CPU)
    asked = iter(range(10_000))
    with pytest.raises(Cancelled):
        train(study, with_networks, CPU, restart=True, cancelled=lambda: next(asked) == 9)
    resumed = train(study, with_networks, CPU)

    assert whole is not None and resumed is not None
    assert whole.digest() == resumed.digest()


def test_networks_that_learn_side_by_side_are_the_same(tmp_path, simulated, with_networks, monkeypatch):
    study = labelled_study(tmp_path, simulated, [[5, 8], [8], [7]])
    alone = train(study, with_networks, CPU)
    monkeypatch.setattr(side_by_side, "FEWEST_STEPS", 1)
    beside = train(study, with_networks, CPU, restart=True, processors=Idle(3))

    assert alone is not None and beside is not None
    assert alone.digest() == beside.digest()


def test_with_more_labels_2d_networks_learn_anew(tmp_path, simulated, with_networks, monkeypatch):
    weighed(monkeypatch, 0.97)
    study = labelled_study(tmp_path, simulated, [[5, 8], [8], []])
    first = train(study, with_networks, CPU)
    labels = study.read_labels(study.cases[0].name)
    assert labels is not None
    labels.voxels[..., 3] = 0
    study.set_labels(study.cases[0].name, labels)
    second = train(Study.open(study.folder), with_networks, CPU)

    assert first is not None and second is not None and second.slices is not None
    assert first.digest() != second.digest()
    assert "continuing" not in stages(study)


def test_students_of_an_earlier_model_are_forgotten_with_it(study, with_networks, monkeypatch):
    weighed(monkeypatch, 0.4)
    train(study, with_networks, CPU)
    label_another_slice(study)
    weighed(monkeypatch, 0.97)
    train(Study.open(study.folder), with_networks, CPU)
    label_another_slice(study)
    weighed(monkeypatch, 0.4)
    last = train(Study.open(study.folder), with_networks, CPU)

    assert last is not None and len(last.networks) == 2
    assert not (study.run_folder / EARLIER_MODEL_NAME).exists()
    assert "continued_from" not in last.provenance


def test_from_the_teacher_2d_networks_learn_anew_and_so_do_students(study, with_networks, monkeypatch):
    weighed(monkeypatch, 0.4)
    first = train(study, with_networks, CPU)
    again = train(study, with_networks, CPU, from_teacher=True)

    assert first is not None and again is not None
    assert first.digest() == again.digest()


def test_votes_are_kept_and_not_made_again(study, with_networks, monkeypatch):
    weighed(monkeypatch, 0.97)
    train(study, with_networks, CPU)
    kept = sorted(study.run_folder.glob("pseudo_labels/slices_2/*"))
    times = [path.stat().st_mtime_ns for path in kept]
    (study.run_folder / MODEL_NAME).unlink()
    train(study, with_networks, CPU)

    assert len(kept) == len(study.cases)
    assert [path.stat().st_mtime_ns for path in kept] == times


def test_a_first_model_can_be_used_while_the_training_goes_on(study, with_networks, monkeypatch, simulated):
    weighed(monkeypatch, 0.4)
    asked = iter(range(10_000))
    with pytest.raises(Cancelled):
        train(study, with_networks, CPU, cancelled=lambda: next(asked) >= 12 and study_has_first_model(study))

    with pytest.warns(Notice, match="has not ended"):
        first = load_model(study.folder, first=True)
    with pytest.raises(InputError, match="is not trained to the end yet"):  # nothing is calibrated or reported with it
        load_model(study.folder)
    train(study, with_networks, CPU)

    assert isinstance(first, SegmentationModel)
    assert (first.networks, first.weights) == ((), pytest.approx((0.4, 0.6)))
    scan = read_volume(next((simulated / "images").iterdir()))
    assert first.predict(scan, CPU).labels().voxels.shape == scan.voxels.shape
    last = load_model(study.folder, first=True)
    assert isinstance(last, SegmentationModel) and len(last.networks) == 2


def study_has_first_model(study):
    return (study.run_folder / FIRST_MODEL_NAME).exists()
