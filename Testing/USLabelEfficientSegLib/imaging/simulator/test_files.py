"""Simulated volumes lie in two folders, image beside label map, as they were simulated."""

from typing import Any

import numpy as np

from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.imaging.simulator.files import simulate_files

HOW: dict[str, Any] = {"shape": (20, 18, 16), "spacing": (4.0, 4.0, 4.0), "organ_count": 1}


def test_each_seed_becomes_a_volume_and_its_labels(tmp_path):
    folder = simulate_files(tmp_path / "new" / "folder", (2, 5), **HOW)

    assert folder == tmp_path / "new" / "folder"
    for kind in ("images", "labels"):
        assert sorted(path.name for path in (folder / kind).iterdir()) == ["simulated_0002.nrrd", "simulated_0005.nrrd"]
    case = simulate_volume(5, **HOW)
    np.testing.assert_array_equal(read_volume(folder / "images" / "simulated_0005.nrrd").voxels, case.volume.voxels)
    stored = read_label_map(folder / "labels" / "simulated_0005.nrrd")
    np.testing.assert_array_equal(stored.voxels, case.label_map.voxels)
    assert stored.geometry.same_grid(case.volume.geometry) and stored.voxels.any()
