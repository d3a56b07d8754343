import numpy as np
import pytest
from scipy.integrate import quad

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.measurement.planar import measure_planar

SPACING = (0.3, 0.4)
SHAPE = (200, 180)


def ellipse(major, minor, degrees, centre=(30.0, 36.0), shape=SHAPE):
    i, j = np.indices(shape)
    x, y = i * SPACING[0] - centre[0], j * SPACING[1] - centre[1]
    angle = np.radians(degrees)
    u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    return ((2 * u / major) ** 2 + (2 * v / minor) ** 2 <= 1).astype(np.uint8)


def length(major, minor):
    return quad(lambda t: np.hypot(major / 2 * np.sin(t), minor / 2 * np.cos(t)), 0, 2 * np.pi)[0]


@pytest.mark.parametrize(("major", "minor", "degrees"), [(40, 30, 25), (40, 20, 130), (30, 29, 0)])
def test_an_ellipse_gives_itself(major, minor, degrees):
    (row,) = measure_planar("head", ellipse(major, minor, degrees), SPACING, ["head"])

    assert row.area_mm2 == pytest.approx(np.pi / 4 * major * minor, rel=0.005)
    assert row.ellipse is not None
    assert row.ellipse.axes_mm == pytest.approx((major, minor), rel=0.01)
    assert row.ellipse.centre_mm == pytest.approx((30, 36), abs=0.1)
    assert row.ellipse.circumference_mm == pytest.approx(length(major, minor), rel=0.005)
    assert row.perimeter_mm == pytest.approx(length(major, minor), rel=0.01)
    if major > 1.1 * minor:
        assert row.ellipse.angle_degrees == pytest.approx(degrees, abs=1)
    assert row.flags == ()


def test_the_perimeter_of_a_square_does_not_depend_on_how_it_lies():
    i, j = np.indices((160, 160))
    upright = (np.abs(i - 80) <= 40) & (np.abs(j - 80) <= 40)
    side = 81 * np.sqrt(2) / 2
    turned = np.abs(i - 80) + np.abs(j - 80) <= side

    rows = [measure_planar("a", mask.astype(np.uint8), (1.0, 1.0), ["a"])[0] for mask in (upright, turned)]

    assert rows[0].perimeter_mm == pytest.approx(4 * 81, rel=0.015)
    assert rows[1].perimeter_mm == pytest.approx(4 * np.sqrt(2) * side, rel=0.015)


def test_probabilities_are_summed():
    labels = ellipse(40, 30, 25)
    probability = np.stack([np.full(SHAPE, 0.75), np.full(SHAPE, 0.25)])

    (row,) = measure_planar("head", labels, SPACING, ["head"], probability)

    assert row.area_mm2 == pytest.approx(0.25 * labels.size * 0.12)


def test_an_absent_organ_has_no_area_and_one_at_the_edge_is_cut():
    cut = ellipse(40, 30, 0, centre=(5.0, 36.0))

    here, absent = measure_planar("head", cut, SPACING, ["head", "abdomen"])

    assert here.flags == (Flag.CUT_BY_EDGE,)
    assert (absent.area_mm2, absent.perimeter_mm, absent.ellipse, absent.flags) == (0.0, 0.0, None, (Flag.EMPTY,))


def test_holes_and_pieces_are_flagged():
    holed = ellipse(40, 30, 0) - ellipse(10, 8, 0)
    pieces = ellipse(20, 15, 0) | ellipse(15, 10, 0, centre=(50.0, 60.0))

    assert measure_planar("a", holed, SPACING, ["a"])[0].flags == (Flag.HOLES,)
    assert measure_planar("a", pieces, SPACING, ["a"])[0].flags == (Flag.SEVERAL_COMPONENTS,)


@pytest.mark.parametrize(
    ("labels", "spacing", "problem"),
    [
        (np.zeros((3, 3, 3), dtype=np.uint8), SPACING, "3 dimensions"),
        (np.zeros((3, 3), dtype=np.uint8), (0.0, 1.0), "spacing"),
        (np.full((3, 3), 2, dtype=np.uint8), SPACING, "label 2 but there are 1"),
    ],
)
def test_bad_input_is_refused(labels, spacing, problem):
    with pytest.raises(InputError, match=problem):
        measure_planar("a", labels, spacing, ["a"])
