import numpy as np
import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.measurement.volumes import (
    organ_volumes,
    probability_volumes_ml,
)

ORGANS = ("prostate", "bladder")


def oblique_geometry(shape, spacing):
    tilt = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    roll = np.array([[1.0, 0.0, 0.0], [0.0, 0.28, -0.96], [0.0, 0.96, 0.28]])
    return Geometry(shape, spacing, (10.0, -20.0, 5.0), tilt @ roll)


def ellipsoid(geometry, radii_mm):
    centre = (np.array(geometry.shape) - 1) / 2
    offsets = (np.moveaxis(np.indices(geometry.shape), 0, -1) - centre) * geometry.spacing
    return ((offsets / radii_mm) ** 2).sum(axis=-1) <= 1


def test_volume_of_an_oblique_anisotropic_ellipsoid_is_its_analytic_volume():
    geometry = oblique_geometry((80, 70, 40), (0.5, 0.7, 1.1))
    voxels = ellipsoid(geometry, (15.0, 20.0, 18.0)).astype(np.uint8)

    prostate, bladder = organ_volumes(LabelMap(voxels, geometry, "case"), ORGANS)

    assert prostate.volume_ml == pytest.approx(4 / 3 * np.pi * 15 * 20 * 18 / 1000, rel=0.005)
    assert prostate.voxel_count == np.count_nonzero(voxels)
    columns = geometry.direction * geometry.spacing
    assert prostate.volume_ml == pytest.approx(prostate.voxel_count * abs(np.linalg.det(columns)) / 1000)
    assert prostate.outline_volume_ml == prostate.volume_ml and not prostate.from_probabilities
    assert (bladder.organ, bladder.voxel_count, bladder.volume_ml) == ("bladder", 0, 0.0)


@pytest.mark.parametrize("order", ["C", "F"])
def test_counts_do_not_depend_on_the_memory_layout(order):
    voxels = np.random.default_rng(0).integers(0, 3, (130, 110, 90)).astype(np.uint8)
    geometry = Geometry(voxels.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))

    rows = organ_volumes(LabelMap(np.array(voxels, order=order), geometry, "case"), ORGANS)

    assert [row.voxel_count for row in rows] == [np.count_nonzero(voxels == 1), np.count_nonzero(voxels == 2)]


def test_probability_weighted_volume_is_the_sum_of_the_probabilities_of_each_organ():
    geometry = oblique_geometry((6, 5, 4), (1.0, 2.0, 3.0))
    probabilities = np.random.default_rng(1).dirichlet((2, 1, 1), geometry.shape).transpose(3, 0, 1, 2)
    label_map = LabelMap(probabilities.argmax(axis=0).astype(np.uint8), geometry, "case")

    rows = organ_volumes(label_map, ORGANS, probabilities)

    expected = probabilities[1:].sum(axis=(1, 2, 3)) * 0.006
    assert [row.volume_ml for row in rows] == pytest.approx(expected)
    assert probability_volumes_ml(probabilities.astype(np.float32), 0.006) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("label", "problem"), [(3, "label 3 but there are 2 organs"), (255, "unlabelled voxels")])
def test_labels_that_have_no_volume_are_refused(label, problem):
    geometry = Geometry((4, 4, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    voxels = np.zeros(geometry.shape, dtype=np.uint8)
    voxels[1, 2, 3] = label

    with pytest.raises(InputError, match=problem):
        organ_volumes(LabelMap(voxels, geometry, "case"), ORGANS)


def test_probabilities_of_other_classes_are_refused():
    geometry = Geometry((4, 4, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    label_map = LabelMap(np.zeros(geometry.shape, dtype=np.uint8), geometry, "case")

    with pytest.raises(InputError, match="probabilities of shape"):
        organ_volumes(label_map, ORGANS, np.zeros((2, 4, 4, 4), dtype=np.float32))
