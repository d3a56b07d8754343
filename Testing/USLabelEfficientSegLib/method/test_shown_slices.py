"""Before a training it is known how large slices will be shown to 2-D networks."""

import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.sparse_labels import UNLABELLED
from USLabelEfficientSegLib.imaging.files import write_label_map, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.method.planned_stages import planned_stages
from USLabelEfficientSegLib.method.shown_slices import shown_pixels
from USLabelEfficientSegLib.slice_network.fine_volume import fine_volume
from USLabelEfficientSegLib.slice_network.slices import slice_size
from USLabelEfficientSegLib.study.settings import Settings
from USLabelEfficientSegLib.study.study import Study

SHAPE = (80, 64, 6)


def walled_study(folder, thickness, spacing=(0.5, 0.5, 2.0)):
    """Two volumes; the one labelled slice of the first shows a square wall of so many pixels."""
    geometry = Geometry(SHAPE, spacing, (0.0, 0.0, 0.0), np.eye(3))
    painted = np.full(SHAPE, UNLABELLED, np.uint8)
    painted[..., 3] = 0
    painted[10:-10, 10:-10, 3] = 1
    painted[10 + thickness : -10 - thickness, 10 + thickness : -10 - thickness, 3] = 0
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        voxels = rng.integers(1, 255, SHAPE, dtype=np.uint8)
        write_volume(folder / "images" / f"{name}.nrrd", Scan(voxels, geometry, name))
    write_label_map(folder / "labels" / "a.nrrd", LabelMap(painted, geometry, "a"))
    return Study.create(folder / "study", folder / "images", folder / "labels", organs=("wall",))


def trained_with(study, max_voxels):
    """The longer side that a training finds."""
    scans = [(study.read_scan(case.name), study.read_labels(case.name)) for case in study.cases]
    return slice_size([fine_volume(scan, labels, max_voxels) for scan, labels in scans], 2, max_voxels)


@pytest.mark.parametrize("thickness", [2, 4, 6, 15])
def test_slices_of_thin_organs_are_expected_as_large_as_they_will_be(tmp_path, thickness):
    study = walled_study(tmp_path, thickness)

    pixels = shown_pixels(study, 160)

    assert pixels.keys() == {2}
    assert pixels[2] == pytest.approx(trained_with(study, 160) ** 2 * 64 / 80)


def test_on_a_coarser_grid_the_size_is_nearly_that_of_the_training(tmp_path):
    study = walled_study(tmp_path, 6)

    assert (shown_pixels(study, 40)[2] / (64 / 80)) ** 0.5 == pytest.approx(trained_with(study, 40), rel=0.1)


def test_networks_on_magnified_slices_are_planned_to_take_longer(tmp_path):
    study, settings = walled_study(tmp_path, 2), Settings()
    pixels = shown_pixels(study, settings.slice_network.max_voxels)

    usual = dict((str(stage), seconds) for stage, seconds in planned_stages(study, settings))
    magnified = dict((str(stage), seconds) for stage, seconds in planned_stages(study, settings, slice_pixels=pixels))

    share = pixels[2] / 160**2
    for stage in ("slice network 1", "slice votes"):
        assert magnified[stage] == pytest.approx(share * usual[stage])
    assert magnified["alignment"] == usual["alignment"]
