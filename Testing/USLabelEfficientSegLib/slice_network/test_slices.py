import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.annotation.sparse_labels import UNLABELLED, SparseLabels
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.slice_network.fine_volume import NEUTRAL, SPREAD, fine_volume, slice_grey
from USLabelEfficientSegLib.slice_network.slices import crossed_numbers, slice_size, slices_to_learn

SHAPE, SPACING = (20, 16, 12), (1.0, 1.5, 2.0)


def scan(seed=0, shape=SHAPE, spacing=SPACING):
    voxels = np.random.default_rng(seed).integers(50, 200, shape).astype(np.uint8)
    return Scan(voxels, Geometry(shape, spacing, (0.0, 0.0, 0.0), np.eye(3)), f"scan {seed}")


def labels(of, axis, *numbers):
    voxels = np.full(of.geometry.shape, UNLABELLED, np.uint8)
    for number in numbers:
        where = [slice(None)] * 3
        where[axis] = number
        voxels[tuple(where)] = 0
        voxels[tuple(where)][4:8, 4:8] = 1
    return SparseLabels(voxels, of.geometry, ("organ",))


def fine(seed=0, axis=2, numbers=(), **changes):
    of = scan(seed, **changes)
    return fine_volume(of, labels(of, axis, *numbers) if numbers else None, 160)


def test_small_volumes_keep_their_own_grid():
    volume = fine()

    assert (volume.shape, volume.spacing) == (SHAPE, SPACING)


def test_grey_values_have_the_same_mean_and_spread_in_every_volume():
    voxels = 10 + 5 * torch.randn(16, 16, 16, generator=torch.Generator().manual_seed(0))
    grey = slice_grey(voxels, torch.ones(16, 16, 16, dtype=torch.bool))

    assert float(grey.mean()) == pytest.approx(NEUTRAL, abs=0.01)
    assert float(grey.std()) == pytest.approx(SPREAD, abs=0.01)


def test_gain_and_offset_change_nothing_and_outside_the_sector_all_is_neutral():
    voxels = torch.rand(8, 8, 8, generator=torch.Generator().manual_seed(0))
    sector = torch.ones(8, 8, 8, dtype=torch.bool)
    sector[:3] = False

    assert torch.allclose(slice_grey(voxels, sector), slice_grey(40 * voxels + 7, sector), atol=1e-5)
    assert torch.all(slice_grey(voxels, sector)[:3] == NEUTRAL)


def test_a_volume_of_one_grey_value_is_neutral():
    assert torch.all(slice_grey(torch.full((4, 4, 4), 9.0), torch.ones(4, 4, 4, dtype=torch.bool)) == NEUTRAL)


def test_small_slices_are_magnified_and_large_ones_are_not():
    large = fine(shape=(150, 140, 16), spacing=(1.0, 1.0, 1.0))

    assert slice_size([fine()], 2, 160) == 36  # 24 square pixels of 1 mm, by one and a half
    assert slice_size([large], 2, 160) == 160


def walled(thickness, side=60):
    """A volume whose one labelled slice along k shows a square wall of so many pixels."""
    of = scan(shape=(side, side, 4), spacing=(1.0, 1.0, 2.0))
    voxels = np.full((side, side, 4), UNLABELLED, np.uint8)
    voxels[..., 1] = 0
    voxels[10:-10, 10:-10, 1] = 1
    voxels[10 + thickness : -10 - thickness, 10 + thickness : -10 - thickness, 1] = 0
    return fine_volume(of, SparseLabels(voxels, of.geometry, ("wall",)), 160)


def test_slices_of_thin_organs_are_magnified_more():
    sizes = [slice_size([fine(), walled(thickness)], 2, 160) for thickness in (15, 6, 4, 2)]

    assert sizes[0] == 90  # 60 pixels by one and a half
    assert sizes[0] < sizes[1] < sizes[2] < sizes[3] == 150
    assert slice_size([walled(2)], 2, 48) == 80  # the largest size grows with it


def test_the_thinnest_organ_decides_and_slices_without_organs_do_not():
    thin, thick = walled(4), walled(15)

    assert slice_size([thick, fine(numbers=(3,)), thin], 2, 160) == slice_size([thin, thick], 2, 160)
    assert slice_size([fine(1, shape=(60, 60, 4), spacing=(1.0, 1.0, 2.0))], 2, 160) == 90


def test_labelled_slices_carry_their_labels_and_their_volume():
    slices = slices_to_learn([fine(0), fine(1, numbers=(3, 7))], 2, 2, 36)

    assert slices.images.labelled.tolist() == [12 + 3, 12 + 7]
    assert slices.owners == ("scan 1", "scan 1")
    assert slices.images.grey.shape == (24, 1, 30, 36)  # of 20 x 24 mm
    organ = slices.images.target[:, 1].sum(dim=(1, 2)) / slices.images.target.sum(dim=(1, 2, 3))
    assert organ.tolist() == pytest.approx([16 / 320] * 2, abs=0.01)


def test_of_many_slices_a_part_is_kept_and_all_that_are_labelled():
    slices = slices_to_learn([fine(0), fine(1, numbers=(0, 11))], 2, 2, 36, most=8)

    assert len(slices.images.grey) == 4 + 6
    assert len(slices.owners) == 2


def test_labels_of_volumes_can_be_left_out_and_their_slices_stay():
    slices = slices_to_learn([fine(0, numbers=(2,)), fine(1, numbers=(3, 7))], 2, 2, 36)
    fewer = slices.without_labels_of({"scan 1"})

    assert fewer is not None
    assert (fewer.owners, fewer.images.labelled.tolist()) == (("scan 0",), [2])
    assert len(fewer.images.grey) == len(slices.images.grey)
    assert slices.without_labels_of({"scan 0", "scan 1"}) is None


def test_smaller_slices_are_neutral_beyond_their_border():
    slices = slices_to_learn([fine(0, numbers=(2,)), fine(1, shape=(10, 16, 4))], 2, 2, 36)
    beyond = slices.images.grey[~slices.images.covered]

    assert len(beyond)
    assert torch.all(beyond == round(255 * NEUTRAL))


def test_of_thousands_of_volumes_not_each_has_a_share_and_some_still_have_one():
    slices = slices_to_learn([fine(seed, numbers=(3,) if seed == 1 else None) for seed in range(10)], 2, 10, 36, most=4)

    unlabelled = slices.volumes[slices.images.unlabelled].tolist()
    assert unlabelled == [0, 3, 6, 9]
    assert slices.owners == ("scan 1",)


def test_slices_that_labelled_ones_of_other_axes_cross_know_a_line():
    slices = slices_to_learn([fine(0, numbers=(3,)), fine(1, axis=0, numbers=(9,))], 2, 2, 36)

    assert slices.owners == ("scan 0",)
    assert slices.crossed is not None
    assert slices.crossed.volumes.tolist() == [1] * 12
    assert slices.crossed.images.labelled.tolist() == list(range(12))
    labelled = slices.crossed.images.weight  # (12, rows, columns): rows are the first axis
    assert torch.all(labelled.sum(dim=2).argmax(dim=1) == 14)  # row 9 of 20, magnified by one and a half
    organ = slices.crossed.images.target[:, 1] * labelled
    assert torch.all(organ[4:8].sum(dim=(1, 2)) > 0)  # along the third axis the label reaches from 4 to 8
    assert float(organ[:4].sum() + organ[8:].sum()) == 0


def test_labels_along_one_axis_cross_nothing_and_say_the_same_as_ever():
    slices = slices_to_learn([fine(0, numbers=(3, 7)), fine(1)], 2, 2, 36)

    assert slices.crossed is None
    assert slices.digest().count("-") == 1


def test_slices_across_are_spread_and_bounded(monkeypatch):
    long = {"shape": (20, 16, 40), "spacing": (1.0, 1.0, 1.0)}
    volumes = [fine(0, numbers=(3,), **long), *(fine(seed, axis=0, numbers=(9,), **long) for seed in range(1, 5))]

    crossed = slices_to_learn(volumes, 2, 5, 30).crossed
    monkeypatch.setattr("USLabelEfficientSegLib.slice_network.slices._MOST_CROSSED", 8)
    fewer = slices_to_learn(volumes, 2, 5, 30).crossed

    assert crossed is not None and fewer is not None
    assert crossed.volumes.bincount().tolist() == [0, 12, 12, 12, 12]
    assert fewer.volumes.bincount().tolist() == [0, 2, 2, 2, 2]
    assert crossed_numbers(volumes[1].labels, 2, 4).tolist() == [5, 15, 25, 35]


def test_lines_of_volumes_that_are_left_out_are_unknown():
    slices = slices_to_learn([fine(0, numbers=(3,)), *(fine(n, axis=0, numbers=(9,)) for n in (1, 2))], 2, 3, 36)

    fewer = slices.without_labels_of({"scan 1"})
    none = slices.without_labels_of({"scan 1", "scan 2"})

    assert fewer is not None and fewer.crossed is not None and none is not None
    assert set(fewer.crossed.volumes.tolist()) == {2}
    assert fewer.crossed.images.labelled.tolist() == list(range(12, 24))
    assert none.crossed is None
    assert len({slices.digest(), fewer.digest(), none.digest()}) == 3


def test_strokes_are_learnt_as_lines_are():
    of = scan(1, shape=(40, 40, 12), spacing=(1.0, 1.0, 1.0))
    drawn = np.full((40, 40, 12), UNLABELLED, np.uint8)
    drawn[3:6, 4:20, 5] = 1
    stroked = fine_volume(of, SparseLabels(drawn, of.geometry, ("organ",)), 160)

    slices = slices_to_learn([fine(0, numbers=(3,)), stroked], 2, 2, 40)

    assert slices.crossed is not None
    assert slices.crossed.volumes.tolist() == [1]
    assert float(slices.crossed.images.weight.sum()) == pytest.approx(3 * 16, rel=0.1)
    assert torch.all(slices.crossed.images.target[0, 1][slices.crossed.images.weight[0] > 0.5] > 0.99)


def test_slices_of_a_scan_in_volts_are_seen_as_in_any_other_unit():
    voxels, sector = torch.from_numpy(scan().voxels.astype(np.float32)), torch.ones(SHAPE, dtype=torch.bool)

    assert torch.equal(slice_grey(voxels, sector), slice_grey(voxels * 2.0**-37, sector))
