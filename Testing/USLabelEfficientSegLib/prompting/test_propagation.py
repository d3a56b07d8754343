"""Organs from a few labelled slices, with the starter weights: no study, no training."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.prompting.propagation import Propagation, propagate

ORGANS = ("organ A",)


@pytest.fixture(scope="module")
def case():
    """A volume and the dense labels of its first organ."""
    simulated = simulate_volume(3, shape=(64, 56, 48), spacing=(1.5, 1.5, 1.5))
    labels = simulated.label_map
    return simulated.volume, replace(labels, voxels=(labels.voxels == 1).astype(np.uint8), segments={})


def kept(labels, *axes):
    """Sparse labels: the slice of each axis that goes through the organ's centre."""
    centre = [round(float(mean)) for mean in np.argwhere(labels.voxels == 1).mean(axis=0)]
    voxels = np.full_like(labels.voxels, 255)
    for axis in axes:
        place = tuple(centre[axis] if a == axis else slice(None) for a in range(3))
        voxels[place] = labels.voxels[place]
    return replace(labels, voxels=voxels)


def dice(prediction, labels):
    found, truth = prediction.labels().voxels == 1, labels.voxels == 1
    return 2 * np.count_nonzero(found & truth) / (np.count_nonzero(found) + np.count_nonzero(truth))


def test_one_slice_gives_most_of_an_organ_and_three_across_each_other_nearly_all(case):
    volume, labels = case

    one = propagate(volume, kept(labels, 2), ORGANS, mirrors=1)
    three = propagate(volume, kept(labels, 0, 1, 2), ORGANS, mirrors=1)

    assert dice(one, labels) > 0.8
    assert dice(three, labels) > max(0.9, dice(one, labels))
    truth_ml = np.count_nonzero(labels.voxels) * labels.geometry.voxel_volume_ml
    assert three.volumes_ml()[0] == pytest.approx(truth_ml, rel=0.15)


def test_the_slice_to_draw_next_lies_across_those_that_are_drawn_and_then_in_a_gap(case):
    volume, labels = case
    centre = [round(float(mean)) for mean in np.argwhere(labels.voxels == 1).mean(axis=0)]

    for axes, expected in (((2,), 0), ((0, 2), 1)):
        found = propagate(volume, kept(labels, *axes), ORGANS, mirrors=1)
        place = found.next_slice(found.labels())
        assert place is not None and place[0] == expected
        assert place[1] == pytest.approx(centre[expected], abs=4)
    found = propagate(volume, kept(labels, 0, 1, 2), ORGANS, mirrors=1)
    place = found.next_slice(found.labels())
    assert place is not None
    axis, index = place
    assert abs(index - centre[axis]) > 3
    assert (labels.voxels.take(index, axis) == 1).any()


def test_the_interval_holds_the_volume_and_narrows_with_slices_across_each_other(case):
    volume, labels = case
    truth_ml = np.count_nonzero(labels.voxels) * labels.geometry.voxel_volume_ml

    widths = []
    for axes in ((2,), (1, 2), (0, 1, 2)):
        found = propagate(volume, kept(labels, *axes), ORGANS, mirrors=1)
        low, high = found.intervals_ml()[0]
        assert low < truth_ml < high and low < found.volumes_ml()[0] < high
        widths.append((high - low) / truth_ml)

    assert widths == sorted(widths, reverse=True) and widths[-1] < 0.5


def test_an_organ_ends_soon_after_the_outermost_of_parallel_slices_that_span_it(case):
    volume, labels = case
    shown = np.flatnonzero(labels.voxels.any(axis=(0, 1)))
    voxels = np.full_like(labels.voxels, 255)
    places = [int(np.quantile(shown, share)) for share in (1 / 8, 3 / 8, 5 / 8, 7 / 8)]
    voxels[:, :, places] = labels.voxels[:, :, places]

    found = propagate(volume, replace(labels, voxels=voxels), ORGANS, mirrors=1)

    truth_ml = np.count_nonzero(labels.voxels) * labels.geometry.voxel_volume_ml
    assert found.volumes_ml()[0] == pytest.approx(truth_ml, rel=0.12) and dice(found, labels) > 0.9
    found_in = np.flatnonzero((found.labels().voxels == 1).any(axis=(0, 1)))
    assert shown[0] - 3 <= found_in[0] and found_in[-1] <= shown[-1] + 3


def test_strokes_will_do(case):
    volume, labels = case
    slices = kept(labels, 0, 2).voxels
    strokes = np.full_like(slices, 255)
    strokes[::3, :, ::3] = slices[::3, :, ::3]

    found = propagate(volume, replace(labels, voxels=strokes), ORGANS, mirrors=1)

    assert dice(found, labels) > 0.75


def test_what_was_drawn_stays_as_it_was_drawn(case):
    volume, labels = case
    drawn = kept(labels, 0, 2)

    found = propagate(volume, drawn, ORGANS, mirrors=1).labels()

    told = drawn.voxels != 255
    assert np.array_equal(found.voxels[told], drawn.voxels[told])
    assert found.geometry.same_grid(volume.geometry)


def test_a_volume_stored_mirrored_and_turned_gives_the_same_organ(case):
    """What the axes are called is no knowledge that the network has."""
    volume, labels = case
    drawn = kept(labels, 0, 1, 2)

    def turned(voxels):
        return np.ascontiguousarray(voxels.transpose(2, 0, 1)[::-1])

    shape = turned(volume.voxels).shape
    grid = Geometry(shape, volume.geometry.spacing, (0.0, 0.0, 0.0), np.eye(3))
    other = propagate(
        Scan(turned(volume.voxels), grid, volume.name),
        LabelMap(turned(drawn.voxels), grid, drawn.name),
        ORGANS,
        mirrors=1,
    )

    assert dice(other, LabelMap(turned(labels.voxels), grid, labels.name)) > 0.9


def test_two_organs_are_normalised_against_each_other():
    simulated = simulate_volume(3, shape=(64, 56, 48), spacing=(1.5, 1.5, 1.5))
    labels = simulated.label_map
    voxels = np.full_like(labels.voxels, 255)
    for label in (1, 2):
        centre = [round(float(mean)) for mean in np.argwhere(labels.voxels == label).mean(axis=0)]
        for axis in (0, 2):
            place = tuple(centre[axis] if a == axis else slice(None) for a in range(3))
            voxels[place] = labels.voxels[place]

    found = propagate(simulated.volume, replace(labels, voxels=voxels), ("A", "B"), mirrors=1)

    np.testing.assert_allclose(found.probability.sum(axis=0), 1, atol=1e-5)
    assert found.probability.min() >= 0
    assert set(np.unique(found.labels().voxels)) == {0, 1, 2}


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda labels: np.full_like(labels, 255), "has nothing drawn"),
        (lambda labels: np.where(labels == 255, np.uint8(0), labels), "is labelled everywhere"),
        (lambda labels: np.where(labels == 1, np.uint8(0), labels), "shows organ A nowhere"),
    ],
)
def test_labels_that_say_nothing_are_refused_in_one_sentence(case, change, words):
    volume, labels = case
    drawn = kept(labels, 2)

    with pytest.raises(InputError, match=words):
        propagate(volume, replace(drawn, voxels=change(drawn.voxels)), ORGANS)


def test_labels_on_another_grid_are_refused_with_the_difference(case):
    volume, labels = case
    moved = replace(labels.geometry, origin=(5.0, 0.0, 0.0))

    with pytest.raises(InputError, match="another geometry"):
        propagate(volume, replace(kept(labels, 2), geometry=moved), ORGANS)


def test_a_volume_without_labels_is_refused_by_name(case):
    volume, _ = case

    with pytest.raises(InputError, match="has no labels"):
        Propagation({}, ORGANS).predict(volume, torch.device("cpu"))
