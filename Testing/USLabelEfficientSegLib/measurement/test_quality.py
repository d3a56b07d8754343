import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.measurement.quality import sector_flags, uncertain, voxel_flags
from USLabelEfficientSegLib.measurement.volumetric import measure_case

SHAPE = (32, 30, 28)
GEOMETRY = Geometry(SHAPE, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def ball(centre=(15, 15, 14), radius=8.0):
    return ((np.moveaxis(np.indices(SHAPE), 0, -1) - centre) ** 2).sum(axis=-1) <= radius**2


def flags(mask):
    (row,) = measure_case(LabelMap(mask.astype(np.uint8), GEOMETRY, "case"), ["organ"])
    return row.flags


def test_a_whole_organ_raises_no_flag():
    assert flags(ball()) == ()


@pytest.mark.parametrize("centre", [(3, 15, 14), (28, 15, 14), (15, 3, 14), (15, 15, 25)])
def test_an_organ_at_the_edge_of_the_volume_is_cut(centre):
    assert flags(ball(centre)) == (Flag.CUT_BY_EDGE,)


def test_an_organ_at_the_edge_of_the_sector_is_cut():
    mask, sector = ball(), np.ones((16, 15, 14), dtype=bool)
    sector[11:] = False
    part, corner = mask[7:23, 7:24, 6:23], np.array([7, 7, 6])

    assert list(sector_flags(part, corner, sector, SHAPE)) == [Flag.CUT_BY_EDGE]
    assert list(sector_flags(part, corner, np.ones_like(sector), SHAPE)) == []


def test_two_pieces_are_flagged_and_a_speck_is_not():
    speck = ball(radius=7.0)
    speck[1, 1, 1] = True

    assert flags(ball((9, 15, 14), 6.0) | ball((24, 15, 14), 5.0)) == (Flag.SEVERAL_COMPONENTS,)
    assert flags(speck) == ()


def test_a_hole_is_flagged_and_a_bay_is_not():
    bay = ball()
    bay[15, 15, 14:] = False

    assert flags(ball() & ~ball(radius=3.0)) == (Flag.HOLES,)
    assert flags(bay) == ()


def test_the_expected_dice_decides_on_certainty():
    assert uncertain(0.5) and not uncertain(0.85)


def test_probabilities_that_fade_slowly_are_uncertain():
    distance = np.linalg.norm(np.moveaxis(np.indices(SHAPE), 0, -1) - (15, 15, 14), axis=-1)
    label_map = LabelMap((distance <= 8).astype(np.uint8), GEOMETRY, "case")

    def measured(width):
        share = 1 / (1 + np.exp((distance - 8) / width))
        return measure_case(label_map, ["organ"], np.stack([1 - share, share]).astype(np.float32))[0].flags

    assert measured(0.5) == ()
    assert measured(6.0) == (Flag.UNCERTAIN_BOUNDARY,)


def test_voxel_flags_need_the_place_of_the_organ_in_the_volume():
    mask = np.ones((5, 5, 5), dtype=bool)

    assert list(voxel_flags(mask, np.array([4, 4, 4]), (20, 20, 20))) == []
    assert list(voxel_flags(mask, np.array([15, 4, 4]), (20, 20, 20))) == [Flag.CUT_BY_EDGE]


def test_every_flag_has_a_sentence():
    sentences = [flag.sentence for flag in Flag]

    assert all(sentence.endswith(".") for sentence in sentences)
    assert len(set(sentences)) == len(Flag)
