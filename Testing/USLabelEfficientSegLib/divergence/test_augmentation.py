import pytest
import torch

from USLabelEfficientSegLib.divergence.augmentation import (
    PoseRange,
    beta_shares,
    cast_shadow,
    disturb_as_published,
    disturb_strongly,
    disturb_weakly,
    move,
    random_poses,
)

STILL = PoseRange(rotation_degrees=0, scale=0, stretch=0, shift=0, deformation=0, flip=False)
WILD = PoseRange(rotation_degrees=20, scale=0.5, stretch=0.2, shift=0.1, deformation=0.02, flip=True)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(count=4, size=(32, 48)):
    return torch.rand(count, 1, *size, generator=generator(1))


def test_no_range_leaves_images_where_they_are():
    original = images()

    torch.testing.assert_close(move(original, random_poses(4, (32, 48), STILL, generator())), original)


def test_poses_depend_on_the_generator_alone():
    first, again, other = (random_poses(3, (32, 48), WILD, generator(seed)) for seed in (0, 0, 1))

    assert torch.equal(first, again) and not torch.equal(first, other)


def test_rotation_keeps_a_circle_round_on_a_canvas_that_is_not_square():
    y, x = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(120) - 59.5, indexing="ij")
    disc = ((x**2 + y**2) < 20**2).float()[None, None]
    poses = random_poses(1, (64, 120), PoseRange(45, 0, 0, 0, 0, False), generator(3))

    assert not torch.allclose(poses, random_poses(1, (64, 120), STILL, generator()), atol=1e-2)
    assert (move(disc, poses) - disc).abs().mean() < 0.01


def test_magnification_changes_the_area_by_its_square():
    disc = torch.zeros(1, 1, 64, 64)
    disc[:, :, 24:40, 24:40] = 1
    poses = random_poses(200, (64, 64), PoseRange(0, 0.5, 0, 0, 0, False), generator())

    areas = move(disc.expand(200, -1, -1, -1), poses).sum(dim=(1, 2, 3)) / 256

    assert 0.36 < areas.min() < 0.45 and 2.2 < areas.max() < 2.8


@pytest.mark.parametrize(
    "disturb", [disturb_weakly, disturb_as_published, lambda batch, draws: disturb_strongly(batch, 1.0, draws)]
)
def test_disturbed_images_stay_images(disturb):
    original = images()

    changed = disturb(original, generator())

    assert changed.shape == original.shape and changed.min() >= 0 and changed.max() <= 1
    assert not torch.equal(changed, original)
    assert torch.equal(changed, disturb(original, generator()))


def test_strength_zero_disturbs_nothing():
    assert torch.equal(disturb_strongly(images(), 0.0, generator()), images())


def test_shadow_darkens_and_never_brightens():
    bright = torch.ones(8, 1, 32, 48)

    shadowed = cast_shadow(bright, generator())

    assert shadowed.max() <= 1 and (shadowed.amin(dim=(1, 2, 3)) < 0.7).all()


def test_shares_follow_the_beta_distribution_of_one_half():
    shares = beta_shares(20_000, generator())

    assert shares.mean().item() == pytest.approx(0.5, abs=0.01)
    assert shares.var().item() == pytest.approx(0.125, abs=0.003)
    assert (shares < 0.1).float().mean().item() == pytest.approx(0.2048, abs=0.01)
