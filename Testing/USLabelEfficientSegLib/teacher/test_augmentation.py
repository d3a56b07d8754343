import pytest
import torch

from USLabelEfficientSegLib.teacher.augmentation import (
    MultiCrop,
    depth_of,
    disturb,
    random_resized_crop,
    shadow,
)
from USLabelEfficientSegLib.teacher.slices import SliceBatch

SIZE = 32


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp_batch(count: int, flippable: tuple[bool, bool], extent: tuple[float, float] = (1, 1)) -> SliceBatch:
    """Images whose grey rises along the rows."""
    images = torch.linspace(0, 1, SIZE).view(1, 1, SIZE, 1).expand(count, 1, SIZE, SIZE).contiguous()
    return SliceBatch(images, torch.tensor([extent] * count), torch.tensor([flippable] * count))


def test_full_box_without_flip_is_the_slice_itself() -> None:
    batch = SliceBatch(torch.rand(3, 1, SIZE, SIZE), torch.ones(3, 2), torch.zeros(3, 2, dtype=torch.bool))
    crop = random_resized_crop(batch, SIZE, (1.0, 1.0), seeded(), aspect=1.0)
    torch.testing.assert_close(crop, batch.images, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rows_flippable", [False, True])
def test_rows_are_mirrored_only_where_allowed(rows_flippable: bool) -> None:
    crops = random_resized_crop(ramp_batch(64, (rows_flippable, True)), SIZE, (0.3, 1.0), seeded())
    falling = crops[:, 0, -1, 0] < crops[:, 0, 0, 0]
    assert (0 < int(falling.sum()) < 64) == rows_flippable


def test_crops_stay_inside_the_slice() -> None:
    batch = ramp_batch(64, (False, False), extent=(0.5, 1.0))
    batch.images[:, :, SIZE // 2 :] = 9.0
    crops = random_resized_crop(batch, SIZE, (0.1, 1.0), seeded())
    assert crops[:, :, : SIZE - 2].max() <= 1.0


def test_crops_and_disturbances_repeat_with_the_seed_and_stay_in_range() -> None:
    batch = SliceBatch(torch.rand(8, 1, SIZE, SIZE), torch.ones(8, 2), torch.ones(8, 2, dtype=torch.bool))
    multi_crop = MultiCrop(global_size=SIZE, local_size=16, local_crops=3)
    large, small = multi_crop(batch, seeded(1))
    assert large.shape == (2, 8, 1, SIZE, SIZE) and small.shape == (3, 8, 1, 16, 16)
    assert large.min() >= 0 and large.max() <= 1
    assert torch.equal(large, multi_crop(batch, seeded(1))[0])
    assert not torch.equal(large, multi_crop(batch, seeded(2))[0])


def test_disturbance_changes_most_slices_but_keeps_black_background_black() -> None:
    images = torch.full((32, 1, SIZE, SIZE), 0.5)
    images[:, :, :, :8] = 0
    changed = disturb(images, torch.full((32,), -1), seeded())
    assert int((changed - images).abs().amax(dim=(1, 2, 3)).gt(0.01).sum()) > 24
    assert changed[:, :, :, :4].max() < 1e-3


@pytest.mark.parametrize("depth_axis", [0, 1])
def test_shadow_darkens_a_band_along_depth(depth_axis: int) -> None:
    images = torch.ones(64, 1, SIZE, SIZE)
    dark = shadow(images, torch.full((64,), depth_axis), seeded())
    transmitted = dark[:, 0]
    assert torch.all(transmitted.amin(dim=(1, 2)) < 0.7)
    # Every shadow reaches one of the two ends in depth and leaves the other bright.
    ends = transmitted.amin(dim=2 - depth_axis)[:, [0, -1]]
    assert torch.all(ends.amax(dim=1) > 0.95)
    assert int((ends.amin(dim=1) < 0.7).sum()) > 40


def test_depth_is_the_only_axis_that_is_not_flippable() -> None:
    flippable = torch.tensor([[False, False], [False, True], [True, False], [True, True]])
    batch = SliceBatch(torch.zeros(4, 1, 8, 8), torch.ones(4, 2), flippable)
    assert depth_of(batch).tolist() == [-1, 0, 1, -1]
