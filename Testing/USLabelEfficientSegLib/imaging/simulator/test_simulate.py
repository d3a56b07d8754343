"""Simulated volumes: reproducible, exact volumes, and the physics that a reader of ultrasound expects."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.simulator import PROBES, simulate_volume
from USLabelEfficientSegLib.imaging.simulator.anatomy import Anatomy, Body, draw_anatomy
from USLabelEfficientSegLib.imaging.simulator.beams import BeamGrid, draw_sector
from USLabelEfficientSegLib.imaging.simulator.simulate import (
    beam_echoes,
    beam_grid,
    scan_convert,
    voxel_centres,
)

SHAPE, SPACING = (64, 64, 48), (1.5, 1.5, 1.5)


def scene(seed: int) -> tuple[Anatomy, BeamGrid]:
    rng = np.random.default_rng(seed)
    extent = np.array(SHAPE) * SPACING
    sector = draw_sector(extent, rng)
    return draw_anatomy(("organ A", "organ B"), extent, sector, rng), beam_grid(sector, SHAPE, PROBES["good"])


def behind(body: Body, grid: BeamGrid) -> np.ndarray:
    """Samples of the beams that cross a body, from a few samples behind it on."""
    inside = body.shape.level(grid.points()) < 1
    passed = np.maximum.accumulate(inside, axis=0) & ~np.maximum.accumulate(inside[::-1], axis=0)[::-1]
    return np.roll(passed, 6, axis=0) & passed


def gain_db(anatomy: Anatomy, other: Anatomy, grid: BeamGrid, where: np.ndarray) -> float:
    """Echo level of ``other`` minus that of ``anatomy`` with the same speckle, in dB."""
    first, second = (beam_echoes(a, grid, PROBES["good"], np.random.default_rng(0))[where] for a in (anatomy, other))
    return float(10 * np.log10(np.mean(second**2) / np.mean(first**2)))


def test_same_seed_same_bytes_and_other_seed_other_subject() -> None:
    first, again, other = (simulate_volume(seed, shape=(40, 40, 32), spacing=(2, 2, 2)) for seed in (3, 3, 4))
    assert first.volume.voxels.tobytes() == again.volume.voxels.tobytes()
    assert first.label_map.voxels.tobytes() == again.label_map.voxels.tobytes()
    assert first.volumes_ml == again.volumes_ml
    assert first.volumes_ml != other.volumes_ml
    assert (first.volume.voxels != other.volume.voxels).any()


def test_voxel_count_agrees_with_the_exact_volume_on_an_oblique_anisotropic_grid() -> None:
    direction = Rotation.from_euler("xyz", [20, -35, 60], degrees=True).as_matrix()
    case = simulate_volume(
        11,
        shape=(104, 90, 52),
        spacing=(0.8, 0.9, 1.4),
        organ_count=3,
        direction=direction,
        origin=(12.0, -30.0, 5.5),
    )
    assert case.organs == ("organ A", "organ B", "organ C") == tuple(case.volumes_ml)
    geometry = case.label_map.geometry
    assert geometry.same_grid(case.volume.geometry) and geometry.origin == (12.0, -30.0, 5.5)
    np.testing.assert_allclose(geometry.direction, direction)
    for value, organ in enumerate(case.organs, start=1):
        counted = np.count_nonzero(case.label_map.voxels == value) * geometry.voxel_volume_ml
        assert counted == pytest.approx(case.volumes_ml[organ], rel=0.01)


def test_voxels_outside_the_sector_are_zero_and_inside_carry_image() -> None:
    _, grid = scene(0)
    points = voxel_centres(SHAPE, SPACING)
    voxels = scan_convert(np.ones(grid.shape, np.float32), grid, points)
    inside = grid.sector.contains(points)
    assert (voxels[inside] == 255).all() and (voxels[~inside] == 0).all()
    assert 0.5 < inside.mean() < 0.9
    case = simulate_volume(0, shape=SHAPE, spacing=SPACING)
    assert case.volume.voxels.dtype == np.uint8
    assert (case.volume.voxels[[0, 0, -1, -1], :8][..., [0, -1]] == 0).all()
    simulated: NDArray[Any] = case.volume.voxels
    assert 60 < np.median(simulated[simulated > 0]) < 170


def test_shadow_behind_bone() -> None:
    anatomy, grid = scene(1)
    (bone,) = anatomy.bones
    assert gain_db(replace(anatomy, bones=()), anatomy, grid, behind(bone, grid)) < -10


def test_enhancement_behind_fluid() -> None:
    anatomy, grid = scene(2)
    fluid = anatomy.organs[1]
    assert fluid.tissue.attenuation == 0
    lossy = replace(fluid, tissue=replace(fluid.tissue, attenuation=0.7))
    gain = gain_db(replace(anatomy, organs=(anatomy.organs[0], lossy)), anatomy, grid, behind(fluid, grid))
    assert 2 < gain < 12


def test_same_subject_shows_less_contrast_with_a_cheaper_probe() -> None:
    contrast = []
    for probe in ("good", "medium", "low-cost"):
        case = simulate_volume(5, shape=SHAPE, spacing=SPACING, probe=probe)
        grey, labels = case.volume.voxels.astype(float), case.label_map.voxels
        surroundings = (labels == 0) & (grey > 0)
        contrast.append((grey[surroundings].mean() - grey[labels == 2].mean()) / grey[surroundings].std())
    assert contrast[0] > contrast[1] > contrast[2] > 0.5


def test_noise_grows_with_depth() -> None:
    anatomy, grid = scene(3)
    deepest = anatomy.layers[-1]
    silent = Anatomy((replace(deepest, tissue=replace(deepest.tissue, echo_db=-200)),), (), (), (), ())
    probe = replace(PROBES["low-cost"], gain_error_db=0.0)
    noise = beam_echoes(silent, grid, probe, np.random.default_rng(0))
    near, far = noise[:20].mean(), noise[-20:].mean()
    assert far > 3 * near > 0


@pytest.mark.parametrize(
    "arguments",
    [
        {"probe": "excellent"},
        {"organ_count": 0},
        {"organ_count": 4},
        {"shape": (8, 64, 64)},
        {"spacing": (1, 1, 0)},
    ],
)
def test_impossible_requests_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        simulate_volume(0, **arguments)
