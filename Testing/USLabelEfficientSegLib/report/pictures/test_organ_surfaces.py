import io

import numpy as np
import pytest
from PIL import Image

from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.report.pictures.organ_surfaces import SIDES, organs_png


def organs(spheres, shape=(40, 40, 40), spacing=(1.0, 1.0, 1.0), direction=((1, 0, 0), (0, 1, 0), (0, 0, 1))):
    """Labels 1, 2, ... as balls (centre in mm along the axes, radius in mm)."""
    mm = np.indices(shape).T.reshape(-1, 3) * spacing
    labels = np.zeros(len(mm), dtype=np.uint8)
    for label, (centre, radius) in enumerate(spheres, start=1):
        labels[((mm - centre) ** 2).sum(axis=1) < radius**2] = label
    voxels = labels.reshape(shape[::-1]).T.copy()
    return LabelMap(voxels, Geometry(shape, spacing, (0.0, 0.0, 0.0), np.array(direction)), "balls")


def painted(label_map):
    """Where the picture from each side is orange (organ 1) and blue (organ 2)."""
    png = organs_png(label_map)
    assert png is not None
    rgb = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    sides = np.split(rgb, len(SIDES), axis=1)
    return [(side[..., 0] - side[..., 2] > 40, side[..., 2] - side[..., 0] > 40) for side in sides]


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 1.0, 2.0)])
def test_a_ball_is_round_from_every_side_whatever_the_spacing(spacing):
    shape = tuple(round(40 / s) for s in spacing)
    for orange, blue in painted(organs([((20, 20, 20), 15)], shape, spacing)):
        rows, columns = np.flatnonzero(orange.any(axis=1)), np.flatnonzero(orange.any(axis=0))
        assert np.ptp(rows) == pytest.approx(np.ptp(columns), rel=0.05)
        assert orange.sum() == pytest.approx(np.pi / 4 * np.ptp(rows) * np.ptp(columns), rel=0.05)
        assert not blue.any()


def test_sides_show_what_lies_where():
    # LPS: organ 2 lies to the left of, and above, organ 1.
    front, left, above = painted(organs([((10, 20, 10), 8), ((30, 20, 30), 8)]))

    def place(mask):
        return np.argwhere(mask).mean(axis=0)

    assert place(front[1])[1] > place(front[0])[1]  # the patient's left is on the viewer's right
    assert place(front[1])[0] < place(front[0])[0]
    assert place(above[1])[1] < place(above[0])[1]
    assert left[1].sum() > 0.9 * left[0].sum()  # nearer to a viewer at the left, so that nothing hides it


def test_a_left_handed_grid_shows_the_same_organs_from_outside():
    balls = [((10, 20, 10), 8), ((30, 20, 30), 8)]
    mirrored = [((39 - x, y, z), radius) for (x, y, z), radius in balls]

    right_handed = painted(organs(balls))
    left_handed = painted(organs(mirrored, direction=((-1, 0, 0), (0, 1, 0), (0, 0, 1))))

    for one, other in zip(right_handed, left_handed, strict=True):
        assert all((a != b).mean() < 0.01 for a, b in zip(one, other, strict=True))


def test_a_small_organ_in_a_large_volume_is_drawn_as_finely_as_a_large_one():
    small = painted(organs([((20, 20, 20), 9)], (160, 160, 160)))[0][0]
    large = painted(organs([((20, 20, 20), 9)], (40, 40, 40)))[0][0]

    assert (small != large).mean() < 0.01


def test_an_organ_inside_another_shines_through():
    inner = organs([((20, 20, 20), 16), ((20, 20, 20), 8)])
    outer = organs([((20, 20, 20), 16)])

    assert organs_png(inner) != organs_png(outer)


def test_nothing_is_drawn_of_nothing():
    assert organs_png(organs([])) is None


def test_an_organ_of_one_voxel_in_a_corner_is_drawn():
    label_map = organs([])
    label_map.voxels[0, 0, 0] = 1

    assert all(orange.any() for orange, _ in painted(label_map))
