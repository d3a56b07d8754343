import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.views import views_of

SPACING = (1.0, 2.0, 3.0)


def geometry_of(shape, direction):
    return Geometry(shape, SPACING, (0.0, 0.0, 0.0), np.array(direction, dtype=float))


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, 1), (1, -1, -1)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_aligned_volumes_are_shown_with_right_at_the_left_and_superior_at_the_top(order, signs):
    # A volume whose voxel value tells its own LPS position: l + 10 p + 100 s.
    direction = np.zeros((3, 3))
    direction[order, range(3)] = signs
    geometry = geometry_of((3, 4, 5), direction)
    ijk = np.moveaxis(np.indices(geometry.shape), 0, -1)
    lps = ijk * np.array(signs) @ np.eye(3)[list(order)]
    voxels = lps @ np.array([1, 10, 100])

    axial, coronal, sagittal = views_of(geometry)

    # Steps to the right and down the picture.
    expected = {"axial": (1, 10), "coronal": (1, -100), "sagittal": (10, -100)}
    for view in (axial, coronal, sagittal):
        picture = view.picture(voxels, 1)
        right, down = expected[view.plane]
        assert (np.diff(picture, axis=1) == right).all()
        assert (np.diff(picture, axis=0) == down).all()
        assert view.size_mm(geometry) == (
            picture.shape[1] * view.pixel_mm[0],
            picture.shape[0] * view.pixel_mm[1],
        )
    assert (axial.edges, coronal.edges, sagittal.edges) == ("RLAP", "RLSI", "APSI")


def test_pixels_have_the_spacing_of_the_axes_they_show():
    axial, coronal, sagittal = views_of(geometry_of((3, 4, 5), np.eye(3)))

    assert (axial.pixel_mm, coronal.pixel_mm, sagittal.pixel_mm) == ((1.0, 2.0), (1.0, 3.0), (2.0, 3.0))


def test_oblique_volumes_are_shown_along_their_axes_without_letters():
    geometry = geometry_of((3, 4, 5), [[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    voxels = np.arange(60).reshape(3, 4, 5)

    views = views_of(geometry)

    assert [view.across for view in views] == [2, 1, 0]
    assert all(view.edges == "" for view in views)
    assert [view.plane for view in views] == ["axial", "coronal", "sagittal"]
    assert np.array_equal(views[0].picture(voxels, 2), voxels[:, :, 2].T)
