"""Anatomy: the same organs in every subject, whole, apart from each other, never twice the same."""

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.simulator.anatomy import ORGAN_PLANS, Anatomy, draw_anatomy
from USLabelEfficientSegLib.imaging.simulator.beams import Sector, draw_sector

EXTENT = np.array([90.0, 100.0, 70.0])


def subject(seed: int) -> tuple[Anatomy, Sector]:
    rng = np.random.default_rng(seed)
    sector = draw_sector(EXTENT, rng)
    return draw_anatomy(tuple(ORGAN_PLANS), EXTENT, sector, rng), sector


@pytest.mark.parametrize("seed", range(6))
def test_bodies_do_not_overlap_and_organs_lie_inside_the_sector(seed: int) -> None:
    anatomy, sector = subject(seed)
    axes = [np.arange(0.5, n, 1.5, dtype=np.float32) for n in EXTENT]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    bodies = (*anatomy.organs, *anatomy.decoys)
    held = sum((body.shape.level(points) < 1).astype(int) for body in bodies)
    assert np.max(held) == 1
    for organ in anatomy.organs:
        assert sector.contains(organ.shape.surface()).all()
        assert not any((bone.shape.level(organ.shape.surface()) < 1).any() for bone in anatomy.bones)


def test_organs_find_room_in_images_of_any_proportions() -> None:
    for extent in (np.array([40.0, 50.0, 300.0]), np.array([150.0, 60.0, 40.0])):
        rng = np.random.default_rng(0)
        anatomy = draw_anatomy(tuple(ORGAN_PLANS), extent, draw_sector(extent, rng), rng)
        share = [organ.shape.volume_mm3() / extent.prod() for organ in anatomy.organs]
        assert min(share) > 0.001 and max(share) < 0.1


def test_organs_keep_their_arrangement_and_vary_in_size() -> None:
    subjects = [subject(seed)[0] for seed in range(12)]
    offsets = [s.organs[1].shape.centre - s.organs[0].shape.centre for s in subjects]
    assert min(offset[0] for offset in offsets) > 0.15 * EXTENT[0]
    volumes = np.array([[organ.shape.volume_mm3() for organ in s.organs] for s in subjects])
    assert (volumes[:, 0] > volumes[:, 1]).mean() > 0.8
    spread = volumes.std(0) / volumes.mean(0)
    assert (spread > 0.1).all() and (spread < 0.6).all()
