"""Volumes of the same scene, moved and magnified, must be lined up again."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from USLabelEfficientSegLib.anatomy.alignment import Template, align_group, edge_map
from USLabelEfficientSegLib.anatomy.location_prior import LocationPrior
from USLabelEfficientSegLib.imaging.normalisation import AnatomicalFrame, mirrored_positions, position_channels

SHAPE = (36, 40, 32)
MOVES = [
    AnatomicalFrame((0.12, 0.0, 0.0), (1.0, 1.0, 1.0)),
    AnatomicalFrame((-0.12, 0.08, 0.0), (1.1, 1.1, 1.0)),
    AnatomicalFrame((0.0, -0.1, 0.1), (0.9, 0.95, 1.0)),
    AnatomicalFrame((0.0, 0.02, -0.1), (1.0, 0.95, 1.0)),
]


def scene(frame: AnatomicalFrame, seed: int, shape: tuple[int, int, int] = SHAPE) -> torch.Tensor:
    """A dark organ with a bright wall before a smooth background, with its own noise and gain."""
    generator = torch.Generator().manual_seed(seed)
    x, y, z = position_channels(shape, frame)
    radius = ((x / 0.5) ** 2 + (y / 0.4) ** 2 + (z / 0.6) ** 2).sqrt()
    wall = torch.exp(-(((radius - 1) / 0.15) ** 2))
    grey = 0.4 + 0.1 * torch.sin(2 * x + y) - 0.25 * (radius < 1) + 0.4 * wall
    gain = 0.7 + 0.3 * float(torch.rand(1, generator=generator))
    return (gain * grey + 0.05 * torch.randn(shape, generator=generator)).clamp(0, 1)


def central_prior() -> LocationPrior:
    prior = LocationPrior(1)
    prior.coefficients.copy_(torch.tensor([[2.0, 0, 0, 0, -6, -6, -6, 0, 0, 0]]))
    return prior


@pytest.fixture(scope="module")
def aligned() -> tuple[list[AnatomicalFrame], Template]:
    return align_group([scene(move, n) for n, move in enumerate(MOVES)], central_prior(), lambda step, steps: None)


def test_shifts_between_volumes_are_found(aligned: tuple[list[AnatomicalFrame], Template]) -> None:
    found = np.array([frame.shift for frame in aligned[0]])
    true = np.array([move.shift for move in MOVES])
    assert np.abs((found - found.mean(axis=0)) - (true - true.mean(axis=0))).max() < 0.05


def test_magnifications_have_the_right_direction(aligned: tuple[list[AnatomicalFrame], Template]) -> None:
    found = np.log([frame.scale for frame in aligned[0]])[:, :2].mean(axis=1)
    assert found.argmax() == 1 and found.argmin() == 2


def test_on_average_the_group_stays_where_it_was(aligned: tuple[list[AnatomicalFrame], Template]) -> None:
    assert np.mean([frame.shift for frame in aligned[0]], axis=0) == pytest.approx([0, 0, 0], abs=1e-6)


def test_a_later_volume_of_another_shape_is_aligned_to_the_template(
    aligned: tuple[list[AnatomicalFrame], Template],
) -> None:
    _, template = aligned
    near = template.frame_of(scene(MOVES[0], 9, (50, 30, 40))).shift
    far = template.frame_of(scene(MOVES[1], 10)).shift
    assert near[0] - far[0] == pytest.approx(0.24, abs=0.06)
    assert near[1] - far[1] == pytest.approx(-0.08, abs=0.05)


def test_alignment_is_reproducible_and_leaves_random_numbers_alone(
    aligned: tuple[list[AnatomicalFrame], Template],
) -> None:
    before = torch.get_rng_state()
    again, _ = align_group([scene(move, n) for n, move in enumerate(MOVES)], central_prior(), lambda step, steps: None)
    assert again == aligned[0]
    assert torch.equal(before, torch.get_rng_state())


def test_one_volume_defines_the_frame() -> None:
    frames, template = align_group([scene(MOVES[0], 0)], central_prior(), lambda step, steps: None)
    assert frames == [AnatomicalFrame()]
    assert template.edges.shape[0] == 3


def test_edges_do_not_depend_on_gain() -> None:
    grey = scene(MOVES[0], 0) * 0.4 + 0.1
    one, other = edge_map(grey), edge_map(2 * grey)
    assert float(F.cosine_similarity(one.flatten(), other.flatten(), dim=0)) > 0.95


def test_a_featureless_volume_keeps_its_place(aligned: tuple[list[AnatomicalFrame], Template]) -> None:
    frame = aligned[1].frame_of(torch.full(SHAPE, 0.3))
    assert np.abs(frame.shift).max() < 0.02 and np.abs(np.log(frame.scale)).max() < 0.02


def test_positions_of_a_mirror_image_are_those_of_the_mirrored_frame() -> None:
    frame, mirrored = (
        AnatomicalFrame((0.2, -0.1, 0.0), (1.1, 0.9, 1.0)),
        AnatomicalFrame((-0.2, -0.1, 0.0), (1.1, 0.9, 1.0)),
    )
    torch.testing.assert_close(
        mirrored_positions(position_channels(SHAPE, frame), (0,)), position_channels(SHAPE, mirrored)
    )
