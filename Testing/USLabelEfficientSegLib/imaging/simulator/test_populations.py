"""Populations: each varies in what it promises to vary in, and every organ is there to be seen."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.simulator import POPULATIONS, SimulatedCase, simulate_population
from USLabelEfficientSegLib.imaging.simulator.anatomy import Anatomy
from USLabelEfficientSegLib.imaging.simulator.beams import Sector, draw_sector
from USLabelEfficientSegLib.imaging.simulator.populations import MOST_SHADED, shaded

EXTENT = np.array([86.0, 86.0, 77.0])


@cache
def case(name: str, seed: int = 0) -> SimulatedCase:
    return simulate_population(name, seed, shape=(44, 44, 40), spacing=(1.95, 1.95, 1.92))


def subject(name: str, seed: int) -> tuple[Anatomy, Sector]:
    rng = np.random.default_rng(seed)
    sector = draw_sector(EXTENT, rng)
    return POPULATIONS[name].draw(EXTENT, sector, rng), sector


def centres(name: str, organ: int = 0) -> np.ndarray:
    """Of an organ of 12 subjects, as fractions of the extent."""
    return np.array([subject(name, seed)[0].organs[organ].shape.centre / EXTENT for seed in range(12)])


@pytest.mark.parametrize("name", POPULATIONS)
def test_every_organ_is_labelled_where_it_is_and_only_in_the_sector(name: str) -> None:
    found = case(name)
    assert found.organs == POPULATIONS[name].organs == tuple(found.volumes_ml)
    for value, organ in enumerate(found.organs, start=1):
        counted = np.count_nonzero(found.label_map.voxels == value) * found.label_map.geometry.voxel_volume_ml
        exact = found.volumes_ml[organ]
        if name == "cut":
            assert 0.4 * exact < counted < 0.85 * exact
        else:
            assert counted == pytest.approx(exact, rel=0.06)
    fluid = ("two-organs", "tube", "follicles")  # as dark as what lies outside the sector
    shown = found.volume.voxels[found.label_map.voxels > 0]
    assert np.count_nonzero(shown) / len(shown) > (0.2 if name in fluid else 0.9)


def test_the_same_subject_has_the_same_labels_and_another_image_through_another_probe() -> None:
    again, cheap = (
        simulate_population("tiny", 0, shape=(44, 44, 40), spacing=(1.95, 1.95, 1.92), probe=probe)
        for probe in ("good", "low-cost")
    )
    np.testing.assert_array_equal(again.volume.voxels, case("tiny").volume.voxels)
    np.testing.assert_array_equal(cheap.label_map.voxels, again.label_map.voxels)
    assert (cheap.volume.voxels != again.volume.voxels).mean() > 0.3
    assert (case("tiny", 1).label_map.voxels != again.label_map.voxels).any()


def test_the_place_tells_much_in_one_population_and_little_in_others() -> None:
    assert centres("fixed-place").std(axis=0).max() < 0.05
    assert centres("anywhere").std(axis=0).min() > 0.08
    dark, bright = (centres("either-side", organ)[:, 0] for organ in (0, 1))
    assert 0 < (dark < 0.5).sum() < 12
    assert ((dark < 0.5) != (bright < 0.5)).all()


def test_two_organs_of_the_same_texture_differ_in_their_depth() -> None:
    for seed in range(3):
        upper, lower = subject("same-texture", seed)[0].organs
        assert upper.tissue == lower.tissue and upper.shape.centre[1] < lower.shape.centre[1]


def test_follicles_are_several_bodies_of_one_class_apart_from_each_other() -> None:
    counts = []
    for seed in range(3):
        follicles = subject("follicles", seed)[0].organs
        counts.append(len(follicles))
        assert {body.name for body in follicles} == {"follicle"}
        held = sum((body.shape.level(other.shape.surface()) < 1).any() for body in follicles for other in follicles)
        assert held <= len(follicles)  # each may hold its own surface, by rounding
    assert min(counts) >= 3


def test_a_tiny_organ_has_about_a_hundredth_of_the_image() -> None:
    shares = [subject("tiny", seed)[0].organs[0].shape.volume_mm3() / EXTENT.prod() for seed in range(6)]
    assert min(shares) > 0.004 and max(shares) < 0.016


@pytest.mark.parametrize("name", ["cut", "anywhere", "either-side"])
def test_no_bone_hides_an_organ(name: str) -> None:
    for seed in range(4):
        anatomy, sector = subject(name, seed)
        assert all(shaded(organ, bone, sector) < MOST_SHADED for organ in anatomy.organs for bone in anatomy.bones)


def test_an_unknown_population_is_refused() -> None:
    with pytest.raises(InputError, match="population spleen: does not exist; choose among two-organs"):
        simulate_population("spleen", 0)
