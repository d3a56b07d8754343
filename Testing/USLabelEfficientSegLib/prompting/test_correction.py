"""A model's prediction, corrected by a drawing in the same volume, with the starter weights."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.prompting import correction
from USLabelEfficientSegLib.prompting.correction import CorrectedModel, corrected
from USLabelEfficientSegLib.prompting.propagation import propagate
from USLabelEfficientSegLib.segmentation.inference import VolumePrediction
from USLabelEfficientSegLib.segmentation.intensity_features import intensity_features
from USLabelEfficientSegLib.segmentation.model import SegmentationModel

ORGANS = ("A", "B")


@pytest.fixture(scope="module")
def case():
    """A volume, the dense labels of its two organs, and the prediction of a model that takes them for too large."""
    simulated = simulate_volume(3, shape=(64, 56, 48), spacing=(1.5, 1.5, 1.5))
    volume, labels = simulated.volume, replace(simulated.label_map, segments={})
    grown = [ndimage.binary_dilation(labels.voxels == label, iterations=3) for label in (1, 2)]
    smooth = [ndimage.gaussian_filter(organ.astype(np.float32), 1.5) for organ in grown]
    probability = np.stack([np.clip(1 - sum(smooth), 0.01, 1), *smooth])
    probability = (probability / probability.sum(axis=0)).astype(np.float32)
    everything = np.ones(volume.geometry.shape, bool)
    found = VolumePrediction(probability, volume.geometry, volume.name, everything, intensity_features(volume, 64))
    return volume, labels, found


def middle(labels, label, *axes):
    """The drawing of the slice of each axis that goes through an organ's centre."""
    centre = [round(float(mean)) for mean in np.argwhere(labels.voxels == label).mean(axis=0)]
    voxels = np.full_like(labels.voxels, 255)
    for axis in axes:
        place = tuple(centre[axis] if a == axis else slice(None) for a in range(3))
        voxels[place] = labels.voxels[place]
    return replace(labels, voxels=voxels)


def dice(prediction, labels, label):
    found, truth = prediction.labels().voxels == label, labels.voxels == label
    return 2 * np.count_nonzero(found & truth) / (np.count_nonzero(found) + np.count_nonzero(truth))


def error(prediction, labels, label):
    """Of the volume, relative."""
    truth_ml = np.count_nonzero(labels.voxels == label) * labels.geometry.voxel_volume_ml
    return abs(prediction.volumes_ml()[label - 1] / truth_ml - 1)


def test_a_drawn_slice_mends_the_organ_in_all_other_slices(case):
    volume, labels, found = case
    drawing = middle(labels, 1, 2)

    mended = corrected(found, volume, drawing, ORGANS, mirrors=1)

    elsewhere = replace(labels, voxels=np.where(drawing.voxels == 255, labels.voxels, np.uint8(0)))
    assert dice(mended, elsewhere, 1) > dice(found, elsewhere, 1) + 0.05
    assert error(mended, labels, 1) < error(found, labels, 1) / 2
    np.testing.assert_allclose(mended.probability.sum(axis=0), 1, atol=1e-5)


def test_what_was_drawn_stays_on_the_images_own_grid_however_coarse_the_network_looks(case, monkeypatch):
    volume, labels, found = case
    monkeypatch.setattr(correction, "MOST_VOXELS", 20)
    drawing = middle(labels, 1, 0, 2)

    mended = corrected(found, volume, drawing, ORGANS, mirrors=1)

    told = drawing.voxels != 255
    written = mended.labels()
    assert written.geometry.same_grid(volume.geometry)
    assert np.array_equal(written.voxels[told], drawing.voxels[told])
    at = int(np.flatnonzero(told.all(axis=(0, 1)))[0])
    assert np.array_equal(mended.slice_labels(2, at), drawing.voxels[:, :, at])
    assert not mended.uncertainty()[told].any() and mended.uncertainty().any()
    certain = np.concatenate([slab for _, slab in mended.slabs()], axis=-1)[:, told]
    assert np.array_equal(certain, np.arange(3)[:, None] == drawing.voxels[told])


def test_an_organ_that_is_not_drawn_is_as_the_model_finds_it(case):
    volume, labels, found = case
    drawing = middle(labels, 1, 2)
    drawing = replace(drawing, voxels=np.where(drawing.voxels == 2, np.uint8(255), drawing.voxels))

    mended = corrected(found, volume, drawing, ORGANS, mirrors=1)

    assert dice(mended, labels, 2) > dice(found, labels, 2) - 0.03


def test_a_slice_without_any_organ_ends_the_organ_there(case):
    volume, labels, found = case
    end = int(np.flatnonzero((labels.voxels == 1).any(axis=(0, 1)))[-1]) + 2  # just behind it
    drawing = replace(labels, voxels=np.full_like(labels.voxels, 255))
    drawing.voxels[:, :, end] = 0

    mended = corrected(found, volume, drawing, ORGANS, mirrors=1)

    assert (found.labels().voxels[:, :, end] == 1).any() and not mended.labels().voxels[:, :, end].any()

    def dice_near_the_end(prediction):
        organ, truth = (voxels[:, :, end - 6 :] == 1 for voxels in (prediction.labels().voxels, labels.voxels))
        return 2 * np.count_nonzero(organ & truth) / (np.count_nonzero(organ) + np.count_nonzero(truth))

    assert dice_near_the_end(mended) > dice_near_the_end(found) + 0.02


def test_strokes_correct_too_and_count_as_the_slices_that_they_lie_in(case):
    volume, labels, found = case
    whole = middle(labels, 1, 2).voxels
    strokes = np.full_like(whole, 255)
    strokes[::4] = whole[::4]

    mended = corrected(found, volume, replace(labels, voxels=strokes), ORGANS, mirrors=1)

    assert error(mended, labels, 1) < 0.8 * error(found, labels, 1)
    assert mended.slices == 1


def test_the_image_counts_so_the_same_drawing_in_another_image_gives_another_organ(case):
    volume, labels, _ = case
    drawing = middle(labels, 1, 2)
    drawing.voxels[drawing.voxels == 2] = 0

    noise = np.random.default_rng(0).integers(1, 255, volume.voxels.shape).astype(np.uint8)
    seen = propagate(volume, drawing, ("A",), mirrors=1)
    unseen = propagate(replace(volume, voxels=noise), drawing, ("A",), mirrors=1)

    assert dice(seen, labels, 1) > dice(unseen, labels, 1) + 0.02


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda drawn: np.full_like(drawn, 255), "has nothing drawn"),
        (lambda drawn: np.where(drawn == 255, np.uint8(0), drawn), "is labelled everywhere"),
        (lambda drawn: np.where(drawn == 1, np.uint8(3), drawn), "holds label 3, and the organs are A, B"),
    ],
)
def test_drawings_that_say_nothing_or_show_another_organ_are_refused(case, change, words):
    volume, labels, found = case
    drawing = middle(labels, 1, 2)

    with pytest.raises(InputError, match=words):
        corrected(found, volume, replace(drawing, voxels=change(drawing.voxels)), ORGANS)


def test_a_drawing_on_another_grid_is_refused_before_the_model_works(case):
    volume, labels, _ = case
    drawing = replace(middle(labels, 1, 2), geometry=replace(labels.geometry, origin=(5.0, 0.0, 0.0)))

    class Never:
        def predict(self, volume, device):
            raise AssertionError

    never: Any = Never()
    with pytest.raises(InputError, match="another geometry"):
        CorrectedModel(never, {volume.name: drawing}).predict(volume, torch.device("cpu"))


def test_volumes_without_a_drawing_are_as_the_model_finds_them(trained_study, case):
    model = SegmentationModel.load(trained_study / "run" / "model.safetensors")
    volume, labels, _ = case
    plain = model.predict(volume, torch.device("cpu"))

    other = CorrectedModel(model, {"another": middle(labels, 1, 2)}).predict(volume, torch.device("cpu"))

    assert type(other) is VolumePrediction
    assert np.array_equal(other.probability, plain.probability)


def test_of_a_model_without_an_opinion_the_drawing_decides(case):
    volume, labels, found = case
    clueless = replace(found, probability=np.full_like(found.probability, 1 / 3))
    drawing = middle(labels, 1, 0, 1, 2)

    mended = corrected(clueless, volume, drawing, ORGANS, mirrors=1)

    of_one = np.where(drawing.voxels == 2, np.uint8(0), drawing.voxels)
    alone = propagate(volume, replace(drawing, voxels=of_one), ("A",), mirrors=1)
    assert dice(mended, labels, 1) > dice(alone, labels, 1) - 0.03
