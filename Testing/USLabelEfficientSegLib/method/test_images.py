"""Training of a study of 2-D images: resumed, repeated, and refused where it cannot work."""

import shutil

import pytest
import torch
from simulated_heads import TINY_TRAINING, write_heads

from USLabelEfficientSegLib.annotation.label_files import read_labels
from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.disk.files import sha256_of
from USLabelEfficientSegLib.disk.study_layout import EARLIER_MODEL_NAME, EARLIER_PAIR_NAME, MODEL_NAME, PAIR_NAME
from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.imaging.pixel_sizes import read_pixel_sizes
from USLabelEfficientSegLib.method.images import train_images, training_images
from USLabelEfficientSegLib.method.suggesting import suggest
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.segmentation import preview
from USLabelEfficientSegLib.segmentation.image_model import ImageModel
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.study.provenance import image_checksums, label_checksums, read_continued_from
from USLabelEfficientSegLib.study.settings import Settings, changed
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.study.watching import PREVIEW, watch_volume
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint

CPU = torch.device("cpu")
TINY = changed(Settings(), TINY_TRAINING)
LONGER = changed(TINY, {"divergence.steps": 9})


@pytest.fixture
def study(tmp_path):
    return heads_study(tmp_path, "study")


def heads_study(folder, name):
    if not (folder / "heads").exists():
        write_heads(folder / "heads", 5)
    images, masks = folder / "heads" / "images", folder / "heads" / "masks"
    sizes = read_pixel_sizes(folder / "heads" / "sizes.csv")
    return Study.create(folder / name, images, masks, organs=["head"], label_fraction=0.4, pixel_sizes=sizes)


def weights(study):
    return load_checkpoint(study.run_folder / MODEL_NAME)[0]


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def asked(times):
    """A `cancelled` that says so when it has been asked so often."""
    questions = iter(range(1000))
    return lambda: next(questions) >= times - 1


def test_images_come_with_rows_downwards_and_labels_where_there_are_some(study):
    images = training_images(study, TINY.divergence)

    assert images.grey.shape[0] == 5 and len(images.labelled) == 2 and images.classes == 2
    names = [case.name for case in study.cases]
    number = int(images.labelled[0])
    label = study.read_labels(names[number]).voxels[..., 0].T
    share = images.target[0, 1].sum() / images.weight[0].sum()
    assert images.grey.shape[2] < images.grey.shape[3]  # 48 rows of 64 columns
    assert float(share) == pytest.approx(label.mean(), rel=0.05)


def test_training_that_was_stopped_gives_the_same_model_bit_for_bit(tmp_path, study):
    whole = heads_study(tmp_path, "whole")
    train_images(whole, TINY, CPU)
    with pytest.raises(Cancelled, match="reading stopped after 2 of 5 images"):
        train_images(study, TINY, CPU, cancelled=asked(3))
    with pytest.raises(Cancelled, match="divergence stopped after step 2 of 4"):
        train_images(study, TINY, CPU, cancelled=asked(7))
    assert not (study.run_folder / MODEL_NAME).exists()

    model = train_images(study, TINY, CPU)

    assert same(weights(whole), weights(study)) and not model.network.training
    assert model.provenance["images"] == sorted(image_checksums(study).values())
    assert model.provenance["labels"] == sorted(label_checksums(study).values())
    assert len(model.provenance["labels"]) == 2
    assert ImageModel.load(study.run_folder / MODEL_NAME).statistics == model.statistics
    stages = [event.stage for event in read_events(study.events.path)]
    assert list(dict.fromkeys(stages)) == ["reading images", "divergence", "measuring", "finished"]


def relabel(study):
    """Change the label of an image."""
    name = next(case.name for case in study.cases if case.labels is not None)
    labels = study.read_labels(name)
    labels.voxels[:5] = 1
    study.set_labels(name, labels)


def stages_since(study, count):
    return list(dict.fromkeys(event.stage for event in read_events(study.events.path)[count:]))


def test_a_finished_training_is_found_and_other_settings_are_refused(study):
    train_images(study, TINY, CPU)
    before = weights(study)
    with pytest.raises(InputError, match=r"is trained with other settings \(divergence\.steps is 4, now 5\)"):
        train_images(study, changed(TINY, {"divergence.steps": 5}), CPU)

    train_images(study, TINY, CPU)
    assert same(before, weights(study))


def test_with_new_labels_the_networks_learn_on_for_fewer_steps(study):
    train_images(study, LONGER, CPU)
    before, told = weights(study), len(read_events(study.events.path))
    earlier = sha256_of(study.run_folder / MODEL_NAME)
    relabel(study)

    model = train_images(study, LONGER, CPU)

    assert stages_since(study, told) == ["continuing", "reading images", "divergence", "measuring", "finished"]
    steps = {event.of for event in read_events(study.events.path)[told:] if event.stage == "divergence"}
    assert steps == {3}  # of 9
    assert not same(before, weights(study)) and same(before, load_checkpoint(study.run_folder / EARLIER_MODEL_NAME)[0])
    assert model.provenance["continued_from"]["sha256"] == earlier
    continued_from = read_continued_from(study)
    assert continued_from is not None and continued_from["sha256"] == earlier
    anew = train_images(heads_study(study.folder.parent, "anew"), changed(LONGER, {"seed": 5}), CPU)
    first_layer = "encoder.0.0.weight"
    far = (anew.network.state_dict()[first_layer] - before[first_layer]).abs().mean()
    near = (weights(study)[first_layer] - before[first_layer]).abs().mean()
    assert 0 < near < 0.1 * far  # they start from what they know


def test_a_continued_training_that_was_stopped_gives_the_same_model(tmp_path, study):
    train_images(study, LONGER, CPU)
    whole = Study.open(shutil.copytree(study.folder, tmp_path / "copy"))
    relabel(whole)
    relabel(study)
    train_images(whole, LONGER, CPU)
    with pytest.raises(Cancelled, match="divergence stopped after step 1 of 3"):
        train_images(study, LONGER, CPU, cancelled=asked(6))

    train_images(study, LONGER, CPU)
    assert same(weights(whole), weights(study))
    train_images(study, LONGER, CPU)  # nothing is left to be done
    assert same(weights(whole), weights(study))


def test_more_labels_while_it_continues_start_from_the_finished_model_again(study):
    train_images(study, LONGER, CPU)
    finished = sha256_of(study.run_folder / MODEL_NAME)
    relabel(study)
    with pytest.raises(Cancelled):
        train_images(study, LONGER, CPU, cancelled=asked(6))
    study.remove_labels(next(case.name for case in study.cases if case.labels is not None))

    model = train_images(study, LONGER, CPU)

    assert model.provenance["continued_from"]["sha256"] == finished


def test_a_restart_forgets_the_model(study):
    train_images(study, LONGER, CPU)
    relabel(study)
    model = train_images(study, LONGER, CPU, restart=True)

    assert "continued_from" not in model.provenance and not (study.run_folder / EARLIER_MODEL_NAME).exists()


def test_labels_that_change_before_there_is_a_model_start_anew(study):
    with pytest.raises(Cancelled):
        train_images(study, LONGER, CPU, cancelled=asked(7))
    relabel(study)
    train_images(study, LONGER, CPU)

    messages = [event.message for event in read_events(study.events.path) if event.message]
    assert "labels or images have changed: the networks are trained anew" in messages
    assert not (study.run_folder / EARLIER_MODEL_NAME).exists()


@pytest.mark.parametrize("name", [EARLIER_MODEL_NAME, EARLIER_PAIR_NAME])
def test_what_the_training_continues_from_must_stay_what_it_was(study, name):
    train_images(study, LONGER, CPU)
    relabel(study)
    train_images(study, LONGER, CPU)
    other = {EARLIER_MODEL_NAME: MODEL_NAME, EARLIER_PAIR_NAME: PAIR_NAME}[name]
    shutil.copy(study.run_folder / other, study.run_folder / name)

    with pytest.raises(InputError, match="is not what the training continues from; restore it, or use --restart"):
        train_images(study, LONGER, CPU)


def test_what_cannot_be_trained_is_refused(study, trained_study, tmp_path):
    with pytest.raises(InputError, match=r"method cross-dimensional: learns from volumes, and .* 2-D images; choose"):
        train_images(study, Settings(), CPU)
    with pytest.raises(InputError, match="is a study of volumes"):
        train_images(Study.open(trained_study), TINY, CPU)
    sizes = read_pixel_sizes(tmp_path / "heads" / "sizes.csv")
    unlabelled = Study.create(tmp_path / "bare", tmp_path / "heads" / "images", pixel_sizes=sizes)
    with pytest.raises(InputError, match="has no labelled image"):
        train_images(unlabelled, TINY, CPU)
    assert not study.run_folder.exists() and not unlabelled.run_folder.exists()


def test_what_is_for_volumes_refuses_images(study):
    with pytest.raises(InputError, match="is a study of 2-D images; train it with `uslabelseg train`"):
        train(study, TINY, CPU)
    with pytest.raises(InputError, match="is a study of 2-D images; leave it out: an image is labelled as a whole"):
        suggest(study, 1, volume=study.cases[0].name)


def test_images_to_label_next_are_suggested_before_and_after_training(study):
    labelled = {case.name for case in study.cases if case.labels is not None}
    before = suggest(study, 2)

    assert len({found.volume for found in before}) == 2 and not {found.volume for found in before} & labelled
    assert all((found.axis, found.index) == (2, 0) and "no model yet" in found.reason for found in before)
    assert suggest(study, 2) == before

    train_images(study, TINY, CPU)
    after = suggest(study, 10)
    assert {found.volume for found in after} == {case.name for case in study.cases} - labelled
    assert all("the model is unsure" in found.reason for found in after)


@pytest.mark.parametrize("watching", [True, False])
def test_a_training_of_images_shows_what_it_finds_in_the_image_that_is_watched_and_is_the_same(
    tmp_path, study, monkeypatch, watching
):
    unwatched = heads_study(tmp_path, "unwatched")
    train_images(unwatched, TINY, CPU)
    monkeypatch.setattr(preview, "SECONDS_BETWEEN_PREVIEWS", 0.0)
    watch_volume(study.folder, "head_3" if watching else None)

    train_images(study, TINY, CPU)

    assert same(weights(study), weights(unwatched))
    told = [(event.stage, event.step) for event in read_events(study.events.path) if event.preview == PREVIEW]
    assert told == ([("divergence", step) for step in (1, 2, 3, 4)] if watching else [])
    if watching:
        shown = read_labels(study.folder / PREVIEW, dimension=2)
        assert shown.geometry.same_grid(study.read_scan("head_3").geometry, 1e-9) and shown.voxels.max() <= 1


def test_networks_of_images_that_learn_on_are_shown_as_well(study, monkeypatch):
    train_images(study, LONGER, CPU)
    suggested = suggest(study, 1)[0].volume
    label = study.read_labels(next(case.name for case in study.cases if case.labels is not None))
    assert label is not None
    study.set_labels(suggested, SparseLabels(label.voxels, study.read_scan(suggested).geometry, label.organs))
    monkeypatch.setattr(preview, "SECONDS_BETWEEN_PREVIEWS", 0.0)
    watch_volume(study.folder, "head_0")

    train_images(study, LONGER, CPU)

    told = [(event.step, event.of) for event in read_events(study.events.path) if event.preview == PREVIEW]
    assert told == [(1, 3), (2, 3), (3, 3)]
