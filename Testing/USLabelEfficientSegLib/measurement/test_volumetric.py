import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.measurement.volumetric import measure_case

SUBVOXELS = 3
POSE = Rotation.from_rotvec([0.4, -0.9, 0.3]).as_matrix()
PLAIN = Geometry((24, 22, 20), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def oblique(shape, spacing, seed=0):
    axes = Rotation.random(random_state=seed).as_matrix()
    return Geometry(shape, spacing, (12.0, -7.0, 30.0), axes)


def share_of_voxels(geometry, inside):
    """Share of each voxel that a shape fills; `inside` takes LPS offsets in mm (..., 3) from the grid's middle."""
    middle = geometry.index_to_physical((np.array(geometry.shape) - 1) / 2)
    indices = np.moveaxis(np.indices(geometry.shape), 0, -1)
    steps = (np.arange(SUBVOXELS) + 0.5) / SUBVOXELS - 0.5
    offsets = np.array(np.meshgrid(steps, steps, steps)).reshape(3, -1).T
    return np.mean([inside(geometry.index_to_physical(indices + o) - middle) for o in offsets], axis=0)


def label_map_of(geometry, share, name="solid"):
    return LabelMap((share > 0.5).astype(np.uint8), geometry, name)


def ellipsoid(radii_mm, pose):
    return lambda points: (((points @ pose) / radii_mm) ** 2).sum(axis=-1) <= 1


def torus(ring_mm, tube_mm, pose):
    def inside(points):
        x, y, z = np.moveaxis(points @ pose, -1, 0)
        return (np.hypot(x, y) - ring_mm) ** 2 + z**2 <= tube_mm**2

    return inside


def ball(geometry=PLAIN, radius=6.0):
    return label_map_of(geometry, share_of_voxels(geometry, ellipsoid((radius,) * 3, np.eye(3))))


def test_an_oblique_anisotropic_ellipsoid_has_its_analytic_volume_axes_and_centre():
    geometry = oblique((64, 56, 40), (0.5, 0.6, 0.9))
    radii = (12.0, 9.0, 7.0)
    share = share_of_voxels(geometry, ellipsoid(radii, POSE))

    (row,) = measure_case(label_map_of(geometry, share), ["gland"], np.stack([1 - share, share]))

    true_ml = 4 / 3 * np.pi * np.prod(radii) / 1000
    assert row.volume_ml == pytest.approx(true_ml, rel=0.002)
    assert row.outline_volume_ml == pytest.approx(true_ml, rel=0.005)
    assert row.surface_volume_ml == pytest.approx(row.outline_volume_ml, rel=0.002)
    assert row.axes_mm == pytest.approx((24.0, 18.0, 14.0), rel=0.03)
    assert row.ellipsoid_volume_ml == pytest.approx(true_ml, rel=0.04)
    assert row.max_diameter_mm == pytest.approx(24.0, rel=0.02)
    # Half the extent of an ellipsoid along an axis is the norm of that axis's row of pose times radii.
    assert row.extents_ras_mm == pytest.approx(tuple(2 * np.linalg.norm(POSE * radii, axis=1)), rel=0.03)
    left, posterior, superior = geometry.index_to_physical((np.array(geometry.shape) - 1) / 2)
    assert row.centroid_ras_mm == pytest.approx((-left, -posterior, superior), abs=0.05)
    assert row.flags == ()


def test_a_torus_has_its_volume_and_surface():
    geometry = oblique((60, 60, 60), (0.8, 0.8, 0.8), seed=3)
    share = share_of_voxels(geometry, torus(12.0, 5.0, POSE))

    (row,) = measure_case(label_map_of(geometry, share), ["ring"], np.stack([1 - share, share]))

    assert row.volume_ml == pytest.approx(2 * np.pi**2 * 12 * 25 / 1000, rel=0.003)
    assert row.surface_volume_ml == pytest.approx(2 * np.pi**2 * 12 * 25 / 1000, rel=0.01)
    assert row.surface_area_mm2 == pytest.approx(4 * np.pi**2 * 12 * 5, rel=0.03)
    assert row.max_diameter_mm == pytest.approx(34.0, rel=0.02)


def test_a_cavity_is_no_part_of_the_closed_surface_volume():
    share = share_of_voxels(PLAIN, lambda p: (np.linalg.norm(p, axis=-1) <= 8) & (np.linalg.norm(p, axis=-1) > 4))

    (row,) = measure_case(label_map_of(PLAIN, share), ["shell"])

    assert row.surface_volume_ml == pytest.approx(4 / 3 * np.pi * (8**3 - 4**3) / 1000, rel=0.02)
    assert row.flags == (Flag.HOLES,)


def test_a_linear_transform_changes_volume_lengths_and_place():
    label_map = ball()
    transform = np.array([[2.0, 0.0, 0.0, 5.0], [0.0, 0.0, -1.0, 0.0], [0.0, 1.5, 0.0, -1.0], [0.0, 0.0, 0.0, 1.0]])

    (plain,), (moved,) = measure_case(label_map, ["a"]), measure_case(label_map, ["a"], transform=transform)

    assert moved.volume_ml == pytest.approx(3 * plain.volume_ml)
    assert moved.surface_volume_ml == pytest.approx(3 * plain.surface_volume_ml)
    assert moved.centroid_ras_mm == pytest.approx(tuple(transform[:3, :3] @ plain.centroid_ras_mm + transform[:3, 3]))
    assert moved.axes_mm == pytest.approx((24.0, 18.0, 12.0), rel=0.05)
    assert moved.voxel_count == plain.voxel_count


def test_a_transform_that_is_not_linear_is_refused():
    with pytest.raises(InputError, match="not linear"):
        measure_case(ball(), ["a"], transform=np.diag([1.0, 1.0, 0.0, 1.0]))


def test_an_empty_segmentation_has_0_ml_and_says_so():
    label_map = LabelMap(np.zeros(PLAIN.shape, dtype=np.uint8), PLAIN, "nothing")

    (row,) = measure_case(label_map, ["gland"])

    assert (row.voxel_count, row.volume_ml, row.surface_volume_ml, row.ellipsoid_volume_ml) == (0, 0.0, 0.0, 0.0)
    assert row.centroid_ras_mm is None and row.interval_ml is None
    assert row.flags == (Flag.EMPTY,)


def test_an_organ_of_one_voxel_has_a_surface():
    voxels = np.zeros(PLAIN.shape, dtype=np.uint8)
    voxels[5, 6, 7] = 1

    (row,) = measure_case(LabelMap(voxels, PLAIN, "speck"), ["gland"])

    assert row.volume_ml == pytest.approx(0.001)
    assert row.surface_volume_ml == pytest.approx(0.001, rel=0.2)
    assert row.centroid_ras_mm == pytest.approx((-5.0, -6.0, 7.0))


def test_an_image_of_another_geometry_is_refused():
    grey = np.random.default_rng(0).random(PLAIN.shape).astype(np.float32)
    shifted = Geometry(PLAIN.shape, PLAIN.spacing, (0.0, 0.0, 2.0), np.eye(3))

    with pytest.raises(InputError, match="another geometry than its image"):
        measure_case(ball(), ["gland"], image=Scan(grey, shifted, "image"))


def test_a_label_without_a_name_is_refused():
    voxels = np.zeros(PLAIN.shape, dtype=np.uint8)
    voxels[3, 3, 3] = 2

    with pytest.raises(InputError, match="label 2 but there are 1 organs"):
        measure_case(LabelMap(voxels, PLAIN, "a"), ["gland"])


@pytest.mark.parametrize("spacing", [(0.001, 0.001, 0.001), (10.0, 10.0, 10.0), (0.1, 0.1, 3.0)])
def test_a_spacing_that_no_scanner_has_is_flagged(spacing):
    geometry = Geometry(PLAIN.shape, spacing, (0.0, 0.0, 0.0), np.eye(3))
    label_map = LabelMap(ball().voxels, geometry, "a")

    assert Flag.UNUSUAL_SPACING in measure_case(label_map, ["gland"])[0].flags
