import math

import pytest
import torch

from USLabelEfficientSegLib.student.augmentation import PoseRange, random_grid, random_intensity, random_mirror, warp

STILL = PoseRange(rotation=0, scale=0, shift=0, deformation=0)
SHAPE, SPACING = (40, 30, 16), (0.7, 1.0, 2.1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pose(shape=SHAPE, spacing=SPACING, seed=0, **ranges):
    pose_range, generator = PoseRange(**{**vars(STILL), **ranges}), seeded(seed)
    return random_grid(shape, spacing, pose_range, generator, random_mirror(pose_range, generator))


def positions_mm(shape=SHAPE, spacing=SPACING):
    """Voxel centres (I, J, K, 3) in mm from the middle of the volume."""
    axes = [(torch.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def grid_mm(grid, shape=SHAPE, spacing=SPACING):
    """Where a pose takes its voxels from, (I, J, K, 3) in mm from the middle of the volume."""
    half_extent = torch.tensor([n * s / 2 for n, s in zip(shape, spacing, strict=True)])
    return grid[0].flip(-1) * half_extent


def soft_ball(centre, radius, shape=SHAPE, spacing=SPACING):
    distance = (positions_mm(shape, spacing) - torch.tensor(centre)).norm(dim=-1)
    return ((radius - distance) / 2 + 0.5).clamp(0, 1)


def moments(mass, shape=SHAPE, spacing=SPACING):
    """Volume in mm3, centroid in mm, and covariance in mm2 of a density (I, J, K)."""
    points, weight = positions_mm(shape, spacing).flatten(0, 2), mass.flatten()
    centroid = (points * weight[:, None]).sum(dim=0) / weight.sum()
    centred = points - centroid
    return weight.sum() * math.prod(spacing), centroid, (centred.T * weight) @ centred / weight.sum()


@pytest.mark.parametrize(("shape", "spacing"), [(SHAPE, SPACING), ((9, 16, 33), (2.5, 0.3, 1.0))])
def test_a_pose_without_any_range_changes_nothing(shape, spacing):
    grid = pose(shape, spacing)
    volumes = torch.randn(1, 3, *shape, generator=seeded())

    torch.testing.assert_close(grid_mm(grid, shape, spacing), positions_mm(shape, spacing), atol=1e-5, rtol=0)
    torch.testing.assert_close(warp(volumes, grid), volumes, atol=1e-4, rtol=0)


@pytest.mark.parametrize("seed", range(5))
def test_a_rotation_is_rigid_in_millimetres_on_an_anisotropic_grid(seed):
    source = grid_mm(pose(seed=seed, rotation=0.6)).flatten(0, 2)
    points = positions_mm().flatten(0, 2)
    a, b = torch.randint(len(points), (2, 500), generator=seeded())

    torch.testing.assert_close((source[a] - source[b]).norm(dim=1), (points[a] - points[b]).norm(dim=1))
    assert float((source - points).norm(dim=1).max()) > 1
    matrix = torch.linalg.lstsq(points, source).solution
    assert float(torch.linalg.det(matrix)) == pytest.approx(1, abs=1e-4)  # no mirror image


@pytest.mark.parametrize("seed", range(3))
def test_a_rotated_ball_stays_a_ball_of_the_same_volume(seed):
    ball = soft_ball((2.0, -3.0, 1.5), 9.0)
    before_volume, _, before = moments(ball)
    turned = warp(ball[None, None], pose(seed=seed, rotation=0.5))[0, 0]

    volume, centroid, covariance = moments(turned)

    assert float(volume) == pytest.approx(float(before_volume), rel=0.01)
    # 16 mm2 in every direction; linear interpolation between slices 2.1 mm apart adds 0.7.
    torch.testing.assert_close(covariance, before, atol=0.9, rtol=0)
    assert float(centroid.norm()) == pytest.approx(float(torch.tensor([2.0, -3.0, 1.5]).norm()), abs=0.1)


def test_a_scaled_ball_is_larger_by_the_drawn_factors():
    ball, grid = soft_ball((0.0, 0.0, 0.0), 7.0), pose(scale=0.2, seed=1)
    linear = torch.linalg.lstsq(positions_mm().flatten(0, 2), grid_mm(grid).flatten(0, 2)).solution

    volume, _, _ = moments(warp(ball[None, None], grid)[0, 0])

    factor = float(1 / torch.linalg.det(linear))
    assert abs(factor - 1) > 0.05
    assert float(volume / moments(ball)[0]) == pytest.approx(factor, rel=0.03)
    torch.testing.assert_close(linear, torch.diag(linear.diagonal()), atol=1e-4, rtol=0)


def test_a_shift_moves_by_at_most_the_given_share_of_half_the_extent():
    half_extent = torch.tensor([n * s / 2 for n, s in zip(SHAPE, SPACING, strict=True)])
    offsets = torch.stack([(grid_mm(pose(seed=seed, shift=0.25)) - positions_mm())[3, 4, 5] for seed in range(40)])

    shares = (offsets / half_extent).abs().amax(dim=0)
    assert bool((shares <= 0.25).all()) and bool((shares > 0.2).all())


@pytest.mark.parametrize("axis", range(3))
def test_an_axis_is_mirrored_in_half_of_the_poses_and_no_other_axis_is(axis):
    volume = torch.randn(1, 1, 12, 10, 8, generator=seeded())
    grids = [pose((12, 10, 8), (1.0, 2.0, 3.0), seed, mirrored_axes=(axis,)) for seed in range(40)]

    warped = [warp(volume, grid) for grid in grids]

    mirrored = sum(bool(torch.allclose(result, volume.flip(axis + 2), atol=1e-4)) for result in warped)
    unchanged = sum(bool(torch.allclose(result, volume, atol=1e-4)) for result in warped)
    assert mirrored + unchanged == 40
    assert 10 < mirrored < 30


def test_a_deformation_is_smooth_and_of_the_stated_size():
    shape = (40, 40, 40)
    displacement = torch.cat(
        [pose(shape, (1.0, 1.0, 1.0), seed, deformation=0.05) - pose(shape, (1.0, 1.0, 1.0)) for seed in range(5)]
    )

    # Interpolation between the drawn values makes it smaller than them, never larger.
    assert 0.02 < float(displacement.std()) < 0.05
    step = (displacement[:, 1:] - displacement[:, :-1]).abs().max()
    assert float(step) < 0.05  # less than a voxel's share of the extent, 2 / 40: voxels keep their order


def test_image_and_target_move_together():
    ball = soft_ball((3.0, 2.0, -4.0), 6.0)
    grid = pose(seed=3, rotation=0.4, scale=0.2, shift=0.1, deformation=0.04)

    image, target = warp(torch.stack([100 * ball, ball])[None], grid)[0]

    torch.testing.assert_close(image, 100 * target)
    assert float(target.sum()) > 100


def test_what_comes_from_outside_the_volume_is_zero():
    warped = warp(torch.ones(1, 1, *SHAPE), pose(seed=1, scale=0.0, rotation=0.8))

    assert float(warped.min()) == 0
    assert float(warped.max()) == pytest.approx(1)


def test_one_seed_gives_one_pose():
    ranges = {"rotation": 0.3, "scale": 0.2, "shift": 0.1, "deformation": 0.05, "mirrored_axes": (0,)}

    assert torch.equal(pose(seed=4, **ranges), pose(seed=4, **ranges))
    assert not torch.equal(pose(seed=4, **ranges), pose(seed=5, **ranges))


def test_random_intensities_keep_the_anatomy_and_repeat_with_the_seed():
    image = torch.stack([soft_ball((0.0, 0.0, 0.0), 8.0)] * 2)[None] * 4 - 1

    once, again = (random_intensity(image, seeded(2)) for _ in range(2))

    assert torch.equal(once, again)
    assert once.shape == image.shape
    correlation = [
        float(torch.corrcoef(torch.stack([random_intensity(image, seeded(seed)).flatten(), image.flatten()]))[0, 1])
        for seed in range(20)
    ]
    assert min(correlation) > 0.7
    gains = torch.tensor([float(random_intensity(image, seeded(seed))[0, 0].std()) for seed in range(20)])
    assert float(gains.std()) > 0.1
