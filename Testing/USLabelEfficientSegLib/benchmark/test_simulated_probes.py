from dataclasses import replace

import numpy as np
import pytest

from USLabelEfficientSegLib.benchmark.data import read_dataset
from USLabelEfficientSegLib.benchmark.simulated_probes import simulated_subject
from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume


@pytest.fixture
def case(simulated):
    """A simulated volume and its labels, as they come from files."""
    dataset = read_dataset(simulated)
    name = sorted(dataset.images)[1]
    return read_volume(dataset.images[name]), read_label_map(dataset.labels[name])


def test_another_probe_shows_the_same_subject_on_the_same_grid(case):
    image, reference = case
    subject = simulated_subject(image, reference)

    assert subject is not None
    good, low_cost = subject("good"), subject("low-cost")

    np.testing.assert_array_equal(good.voxels, image.voxels)  # the probe that made it
    assert low_cost.geometry.same_grid(image.geometry)
    assert np.abs(low_cost.voxels.astype(float) - image.voxels)[image.voxels > 0].mean() > 10


def test_what_is_not_simulated_or_another_subject_has_no_other_probe(case):
    image, reference = case
    assert simulated_subject(replace(image, name="patient7"), reference) is None
    assert simulated_subject(replace(image, name="simulated_0002"), reference) is None
    voxels = reference.voxels.copy()
    voxels[0, 0, 0] = 1
    assert simulated_subject(image, replace(reference, voxels=voxels)) is None
    assert simulated_subject(image, replace(reference, voxels=np.zeros_like(voxels))) is None
