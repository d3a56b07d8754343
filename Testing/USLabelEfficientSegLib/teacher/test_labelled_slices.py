import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.anatomy.training_volumes import prepare_volume
from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.teacher.labelled_slices import (
    HeadSamples,
    LabelledSlices,
    ViewRanges,
    class_weights,
    encode_views,
    labelled_slices,
    of_equal_shape,
    random_view,
)
from USLabelEfficientSegLib.teacher.slice_head import slice_boxes
from USLabelEfficientSegLib.teacher.vit import VisionTransformer


def disc_slices(count: int, weight: float = 1.0) -> LabelledSlices:
    """A bright disc of 7 mm radius right of the centre, 30 x 40 pixels of 1 x 0.5 mm."""
    rows = (torch.arange(30.0) - 14.5)[:, None]
    columns = (torch.arange(40.0) - 24.5)[None] * 0.5
    organ = ((rows**2 + columns**2) < 49).float().expand(count, -1, -1)
    return LabelledSlices(
        images=organ.contiguous(),
        target=torch.stack([1 - organ, organ], dim=1),
        weight=torch.full_like(organ, weight),
        boxes=slice_boxes(count, 2),
        pixel_size=(1.0, 0.5),
    )


def test_image_target_and_weight_move_together() -> None:
    view = random_view(disc_slices(8), ViewRanges(), torch.Generator().manual_seed(0))
    inside = view.weight > 0.99
    bright = (view.images > 0.5) & inside
    organ = (view.target[:, 1] > 0.5) & inside
    overlap = 2 * (bright & organ).sum() / (bright.sum() + organ.sum())
    assert overlap > 0.97
    assert not inside.all()
    labelled = view.target.sum(dim=1)[inside]
    torch.testing.assert_close(labelled, torch.ones_like(labelled))


def test_rotation_is_rigid_in_millimetres() -> None:
    ranges = ViewRanges(rotation_degrees=90, scale=(1.0, 1.0), shift=0.0)
    view = random_view(disc_slices(16), ranges, torch.Generator().manual_seed(0))
    before = disc_slices(1).target[:, 1].sum()
    complete = view.weight.amin(dim=(1, 2)) >= 0  # the disc stays inside whatever the angle
    areas = view.target[complete, 1].sum(dim=(1, 2))
    torch.testing.assert_close(areas, before.expand_as(areas), rtol=0.05, atol=0)


@pytest.mark.parametrize("flip_axis", [None, 0, 1])
def test_views_are_mirrored_only_along_the_axis_given(flip_axis: int | None) -> None:
    ranges = ViewRanges(rotation_degrees=0, scale=(1.0, 1.0), shift=0.0, flip_axis=flip_axis)
    slices = disc_slices(32)
    view = random_view(slices, ranges, torch.Generator().manual_seed(0))
    kept = (view.target - slices.target).abs().amax(dim=(1, 2, 3)) < 1e-3
    mirrored_columns = (view.target.flip(3) - slices.target).abs().amax(dim=(1, 2, 3)) < 1e-3
    # The disc lies right of the centre but is symmetric along the rows.
    assert torch.all(kept | mirrored_columns)
    assert (0 < int(mirrored_columns.sum()) < 32) == (flip_axis == 1)


def test_unlabelled_pixels_do_not_leak_into_the_target() -> None:
    slices = disc_slices(4)
    slices.weight[:, :, :20] = 0
    slices.target[:, :, :, :20] = 0.5  # what stands there must not matter
    view = random_view(slices, ViewRanges(), torch.Generator().manual_seed(0))
    labelled = view.target[:, 1][view.weight > 0.05]
    assert labelled.numel() > 0
    bound = torch.minimum(labelled.abs(), (labelled - 1).abs())
    assert float((bound < 0.02).float().mean()) > 0.85


def test_encoded_views_hold_the_slices_first_and_repeat_with_the_seed() -> None:
    torch.manual_seed(0)
    vit = VisionTransformer(patch_size=8, embed_dim=16, depth=1, num_heads=1, image_size=32).eval()
    slices = disc_slices(3)
    samples = encode_views(vit, slices, 32, 2, ViewRanges(), torch.Generator().manual_seed(0))
    assert samples.features.shape == (9, 16, 4, 3)  # 30 x 20 mm
    assert len(samples) == 9 and torch.equal(samples.target[:3], slices.target)
    again = encode_views(vit, slices, 32, 2, ViewRanges(), torch.Generator().manual_seed(0))
    other = encode_views(vit, slices, 32, 2, ViewRanges(), torch.Generator().manual_seed(1))
    assert samples.digest() == again.digest() != other.digest()


def test_class_weights_balance_within_the_bound_and_ignore_absent_classes() -> None:
    target = torch.zeros(1, 4, 10, 10)
    target[:, 0] = 1
    target[:, :2, 0, 0] = torch.tensor([0.0, 1.0])
    target[:, :, 5:, :] = torch.tensor([0.0, 0.0, 1.0, 0.0]).view(1, 4, 1, 1)
    samples = HeadSamples(torch.zeros(1, 8, 1, 1), target, torch.ones(1, 10, 10), torch.zeros(1))
    weights = class_weights([samples], bound=10)
    mean = 100 / 3
    torch.testing.assert_close(weights, torch.tensor([mean / 49, 10.0, mean / 50, 1.0]))


def test_a_slice_of_another_axis_labels_no_slice_that_it_crosses() -> None:
    shape = (12, 14, 10)
    voxels = np.full(shape, 255, dtype=np.uint8)
    voxels[4] = 1
    geometry = Geometry(shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    image = Scan(np.random.default_rng(0).random(shape, dtype=np.float32), geometry, "a")
    volume = prepare_volume(image, SparseLabels(voxels, geometry, ("organ",)), 40)

    assert [len(labelled_slices(volume, axis)) for axis in range(3)] == [1, 0, 0]
    assert torch.all(labelled_slices(volume, 0).target[:, 1] == 1)


def test_slices_of_two_axes_never_share_a_batch() -> None:
    def samples(axis: int) -> HeadSamples:
        return HeadSamples(torch.zeros(3, 4, 2, 2), torch.zeros(3, 2, 8, 8), torch.ones(3, 8, 8), slice_boxes(3, axis))

    groups = of_equal_shape([samples(0), samples(2), samples(0)])

    assert sorted(len(group) for group in groups) == [3, 6]
