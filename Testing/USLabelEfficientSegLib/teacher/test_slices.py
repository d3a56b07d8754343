import pytest
import torch

from USLabelEfficientSegLib.teacher.slices import (
    SliceSource,
    in_slice_axes,
    network_shape,
    resize_slices,
    slices_along,
)


def test_slices_keep_the_order_of_the_in_slice_axes() -> None:
    volume = torch.arange(2 * 3 * 4).view(2, 3, 4)
    assert torch.equal(slices_along(volume, 1)[2], volume[:, 2, :])
    assert [in_slice_axes(axis) for axis in range(3)] == [(1, 2), (0, 2), (0, 1)]


def test_network_shape_keeps_the_physical_aspect_ratio_in_whole_patches() -> None:
    assert network_shape((100, 50), (1.0, 1.0), 128, 8) == (128, 64)
    assert network_shape((100, 50), (0.5, 2.0), 128, 8) == (64, 128)
    assert network_shape((400, 2), (1.0, 1.0), 64, 8) == (64, 8)


def test_resizing_maps_back_to_the_slices_own_pixels() -> None:
    # A ramp is linear, so both ways are exact away from the border, whose half pixel is clamped.
    ramp = (torch.arange(20.0) + 0.5).view(1, 1, 20, 1).expand(1, 1, 20, 12)
    back = resize_slices(resize_slices(ramp, (40, 24)), (20, 12))
    torch.testing.assert_close(back[:, :, 2:-2], ramp[:, :, 2:-2], rtol=1e-5, atol=1e-5)


def test_source_draws_every_slice_of_the_axes_asked_for_and_repeats_with_the_seed() -> None:
    source = SliceSource([torch.rand(4, 5, 6), torch.rand(3, 3, 3)], [(1, 1, 1)] * 2, 32, axes=(0, 2))
    assert len(source) == 4 + 6 + 3 + 3
    first = source.draw(50, torch.Generator().manual_seed(1))
    again = source.draw(50, torch.Generator().manual_seed(1))
    assert torch.equal(first.images, again.images)


def test_drawn_slice_fills_its_extent_and_nothing_else() -> None:
    batch = SliceSource([torch.ones(8, 4, 6)], [(1.0, 1.0, 2.0)], 24, axes=(2,)).draw(2, torch.Generator())
    torch.testing.assert_close(batch.extent, torch.tensor([[1.0, 0.5]] * 2))
    assert torch.all(batch.images[:, :, :, :12] == 1) and torch.all(batch.images[:, :, :, 12:] == 0)


@pytest.mark.parametrize(
    ("depth_axis", "axis", "expected"),
    [
        (None, 2, [False, False]),
        (1, 2, [True, False]),  # rows are axis 0, columns axis 1, the depth
        (1, 0, [False, True]),
        (1, 1, [True, True]),
    ],
)
def test_slices_are_never_flippable_along_depth(depth_axis: int | None, axis: int, expected: list[bool]) -> None:
    source = SliceSource([torch.rand(4, 4, 4)], [(1, 1, 1)], 8, axes=(axis,), depth_axis=depth_axis)
    assert source.draw(1, torch.Generator()).flippable.tolist() == [expected]


def test_digest_changes_with_voxels_and_depth_axis() -> None:
    volume = torch.rand(4, 4, 4)
    changed = volume.clone()
    changed[0, 0, 0] = 1 - changed[0, 0, 0].round()
    sources = [
        SliceSource([volume], [(1, 1, 1)], 8),
        SliceSource([changed], [(1, 1, 1)], 8),
        SliceSource([volume], [(1, 1, 1)], 8, depth_axis=0),
    ]
    assert len({source.digest() for source in sources}) == 3
