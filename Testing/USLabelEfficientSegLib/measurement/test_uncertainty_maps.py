import numpy as np
import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import write_map
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.measurement.uncertainty_maps import entropy_of, read_uncertainty

TURNED = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
GRID = Geometry((4, 5, 3), (1.0, 2.0, 0.5), (3.0, 2.0, 1.0), TURNED)
EMPTY = LabelMap(np.zeros(GRID.shape, dtype=np.uint8), GRID, "a")


def test_uncertainty_is_the_entropy_of_the_probabilities():
    probabilities = (
        np.array([1.0, 0.5, 1 / 3, 0.0]),
        np.array([0.0, 0.5, 1 / 3, 0.25]),
        np.array([0.0, 0.0, 1 / 3, 0.75]),
    )

    found = entropy_of(np.stack(probabilities).reshape(3, 4, 1, 1))

    quarter = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75)) / np.log(3)
    assert found.ravel() == pytest.approx([0, np.log(2) / np.log(3), 1, quarter])


def test_its_own_map_counts_more_than_the_probabilities(tmp_path):
    file = tmp_path / "a.nrrd"
    assert read_uncertainty(file, EMPTY) is None

    probability = np.random.default_rng(0).dirichlet((1, 1), GRID.shape).astype(np.float32)
    write_map(tmp_path / "a_probability.nrrd", np.moveaxis(probability, -1, 0), GRID)
    assert read_uncertainty(file, EMPTY) == pytest.approx(entropy_of(np.moveaxis(probability, -1, 0)))

    own = (np.arange(60).reshape(GRID.shape) / 60).astype(np.float32)
    write_map(tmp_path / "a_uncertainty.nrrd", own, GRID)
    found = read_uncertainty(file, EMPTY)
    assert found is not None and np.array_equal(found, own)


def test_the_map_of_a_2d_image_has_its_pixels(tmp_path):
    grid = Geometry((6, 4, 1), (0.5, 0.5, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    own = (np.arange(24).reshape(grid.shape) / 24).astype(np.float32)
    write_map(tmp_path / "a_uncertainty.nrrd", own, grid)

    labels = LabelMap(np.zeros(grid.shape, dtype=np.uint8), grid, "a")
    found = read_uncertainty(tmp_path / "a.nrrd", labels)
    assert found is not None and np.array_equal(found, own)


def test_a_map_on_another_grid_is_refused(tmp_path):
    moved = Geometry(GRID.shape, GRID.spacing, (9.0, 2.0, 1.0), TURNED)
    write_map(tmp_path / "a_uncertainty.nrrd", np.zeros(GRID.shape, dtype=np.float32), moved)

    with pytest.raises(InputError, match=r"a_uncertainty\.nrrd: has another geometry than its segmentation"):
        read_uncertainty(tmp_path / "a.nrrd", EMPTY)


def test_numbers_that_are_no_uncertainty_are_refused(tmp_path):
    write_map(tmp_path / "a_uncertainty.nrrd", np.full(GRID.shape, np.nan, dtype=np.float32), GRID)

    with pytest.raises(InputError, match="is not what its name says"):
        read_uncertainty(tmp_path / "a.nrrd", EMPTY)
