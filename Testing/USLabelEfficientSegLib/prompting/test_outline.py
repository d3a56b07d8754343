"""An outline while slices are labelled: a coarse look at the volume, which is had once for many drawings."""

from dataclasses import replace

import numpy as np
import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.prompting.outline import coarse_volume, outline

ORGANS = ("organ A", "organ B")


@pytest.fixture(scope="module")
def case():
    """A volume finer than the grid of an outline, and its dense labels."""
    simulated = simulate_volume(3, shape=(128, 112, 100), spacing=(0.75, 0.75, 0.75))
    return simulated.volume, simulated.label_map


def drawn(labels, value):
    """The slices of an organ through its centre, one across each axis."""
    centre = [round(float(mean)) for mean in np.argwhere(labels.voxels == value).mean(axis=0)]
    voxels = np.full_like(labels.voxels, 255)
    for axis in range(3):
        place = tuple(centre[axis] if a == axis else slice(None) for a in range(3))
        voxels[place] = labels.voxels[place]
    return replace(labels, voxels=voxels)


def test_three_slices_give_most_of_an_organ_and_its_ml(case):
    volume, labels = case
    only = replace(labels, voxels=(labels.voxels == 1).astype(np.uint8), segments={})

    found = outline(volume, drawn(only, 1), ORGANS[:1])

    coarse = coarse_volume(volume)
    assert found.labels.geometry.same_grid(coarse.grid) and max(coarse.grid.shape) == 96
    truth_ml = np.count_nonzero(only.voxels) * volume.geometry.voxel_volume_ml
    assert found.volumes_ml["organ A"] == pytest.approx(truth_ml, rel=0.15)
    middle = round(float(np.argwhere(only.voxels)[:, 2].mean()))
    shown, truth = found.slice_labels(2, middle), only.voxels[:, :, middle]
    assert 2 * np.count_nonzero(shown & truth) / (np.count_nonzero(shown) + np.count_nonzero(truth)) > 0.9


def test_a_volume_that_was_looked_at_before_gives_the_same_outline(case):
    volume, labels = case
    sparse = drawn(labels, 2)

    before, again = outline(volume, sparse, ORGANS), outline(coarse_volume(volume), sparse, ORGANS)

    np.testing.assert_array_equal(before.probability, again.probability)
    assert before.volumes_ml == again.volumes_ml
    assert before.intervals_ml == again.intervals_ml
    for organ, (low, high) in before.intervals_ml.items():
        assert low < before.volumes_ml[organ] < high


def test_an_organ_that_fills_no_coarse_voxel_is_outlined_all_the_same(case):
    volume, labels = case
    sparse = replace(labels, voxels=np.full_like(labels.voxels, 255), segments={})
    sparse.voxels[:, :, 50] = 0
    sparse.voxels[64, 56, 50] = 1

    assert list(outline(volume, sparse, ORGANS).volumes_ml) == ["organ A"]


def test_labels_on_another_grid_and_without_an_organ_are_refused(case):
    volume, labels = case
    sparse = drawn(labels, 1)
    coarse = coarse_volume(volume)

    with pytest.raises(InputError, match=f"label of {volume.name}.* has another geometry"):
        outline(coarse, replace(sparse, geometry=replace(sparse.geometry, origin=(5.0, 0.0, 0.0))), ORGANS)
    with pytest.raises(InputError, match="shows no organ"):
        outline(coarse, replace(sparse, voxels=np.where(sparse.voxels == 255, 255, 0).astype(np.uint8)), ORGANS)
