import os
from pathlib import Path

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.files import find_images, read_label_map, read_volume
from USLabelEfficientSegLib.imaging.sector import sector_mask

DATA = Path(os.environ.get("USLABELSEG_DATA", Path(__file__).parents[4] / "shared" / "data"))
TRUS = DATA / "trus84"

SHAPE = (90, 80, 60)


def _speckle(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Log-compressed Rayleigh speckle without structure, 1 to 255."""
    decibels = 20 * np.log10(np.random.default_rng(seed).rayleigh(size=shape) + 1e-3)
    return np.clip(140 + 4 * decibels, 1, 255).astype(np.uint8)


def _fan(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """A curved-array fan in every slice along the last axis, its apex above the image."""
    i, j, _ = np.indices(shape) / np.array(shape).reshape(3, 1, 1, 1)
    x, y = i - 0.5, j + 0.25
    radius = np.hypot(x, y)
    return (radius > 0.35) & (radius < 1.2) & (np.abs(np.arctan2(x, y)) < 0.42)


def _ellipsoid(shape: tuple[int, int, int], centre: tuple[float, ...], radii: tuple[float, ...]) -> np.ndarray:
    grid = np.indices(shape) / np.array(shape).reshape(3, 1, 1, 1)
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radii, strict=True)) < 1


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize(("shape", "overlap"), [(SHAPE, 0.97), ((200, 150, 120), 0.95)])
def test_the_fan_is_found(shape: tuple[int, int, int], overlap: float) -> None:
    fan = _fan(shape)

    mask = sector_mask(np.where(fan, _speckle(shape), 0))

    assert mask.shape == shape and mask.dtype == bool
    assert _overlap(mask, fan) > overlap
    assert mask[fan].mean() > 0.999


def test_fluid_inside_the_body_is_inside() -> None:
    fan = _fan()
    voxels = np.where(fan, _speckle(SHAPE), 0)
    bladder = _ellipsoid(SHAPE, (0.5, 0.5, 0.5), (0.15, 0.18, 0.3))
    voxels[bladder] = 0

    mask = sector_mask(voxels)

    assert mask[bladder].all()
    assert _overlap(mask, fan) > 0.97


def test_fluid_that_the_first_slice_cuts_is_inside() -> None:
    voxels = np.where(_fan(), _speckle(SHAPE), 0)
    bladder = _ellipsoid(SHAPE, (0.5, 0.5, 0.0), (0.15, 0.18, 0.4))
    voxels[bladder] = 0

    assert sector_mask(voxels)[bladder].all()


def test_a_narrow_shadow_down_to_the_edge_is_inside() -> None:
    fan = _fan()
    voxels = np.where(fan, _speckle(SHAPE), 0)
    shadow = fan & _ellipsoid(SHAPE, (0.45, 1.0, 0.5), (0.05, 0.6, 0.05))
    voxels[shadow] = 0

    assert sector_mask(voxels)[shadow].mean() > 0.99


@pytest.mark.parametrize("noise", [1.0, 3.0, 8.0])
def test_noise_outside_is_still_outside(noise: float) -> None:
    fan = _fan()
    floor = np.random.default_rng(1).normal(2 * noise, noise, SHAPE).clip(0)

    mask = sector_mask(np.where(fan, _speckle(SHAPE), 0) + floor)

    assert _overlap(mask, fan) > 0.9
    assert mask[fan].mean() > 0.99


def test_text_beside_the_fan_is_outside() -> None:
    fan = _fan()
    voxels = np.where(fan, _speckle(SHAPE), 0)
    voxels[2:12, 2:6, :] = 255

    mask = sector_mask(voxels)

    assert not mask[2:12, 2:6, :].any()
    assert _overlap(mask, fan) > 0.97


def test_a_fan_that_moves_from_slice_to_slice_is_followed() -> None:
    sweep = np.zeros(SHAPE, dtype=bool)
    for k in range(SHAPE[2]):
        sweep[10 + k // 2 : 55 + k // 2, 15:70, k] = True

    mask = sector_mask(np.where(sweep, _speckle(SHAPE), 0))

    assert _overlap(mask, sweep) > 0.97


def test_a_volume_without_outside_is_all_inside() -> None:
    speckle = _speckle(SHAPE)
    assert sector_mask(speckle).all()

    speckle[_ellipsoid(SHAPE, (0.5, 0.5, 0.5), (0.3, 0.3, 0.3))] = 1
    assert sector_mask(speckle).all()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
def test_the_grey_scale_does_not_matter(scale: float) -> None:
    voxels = np.where(_fan(), _speckle(SHAPE), 0)

    mask = sector_mask(voxels.astype(np.float32) * scale - 50)

    np.testing.assert_array_equal(mask, sector_mask(voxels))


def test_a_blank_volume_with_a_dot_has_a_sector_all_the_same() -> None:
    voxels = np.zeros((200, 190, 180), np.uint8)
    voxels[100:102, 95, 90] = 255

    assert sector_mask(voxels).all()


@pytest.mark.skipif(not TRUS.exists(), reason="needs the real volumes of shared/data")
def test_the_gland_lies_inside_the_sector_of_real_volumes() -> None:
    labels = find_images(TRUS / "labels")
    for name, path in list(find_images(TRUS / "images").items())[::6]:
        mask = sector_mask(read_volume(path).voxels)
        gland = read_label_map(labels[name]).voxels == 1

        assert mask[gland].mean() > 0.999, name
        assert 0.4 < mask.mean() < 0.99, name
