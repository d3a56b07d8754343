"""`uslabelseg split`: a heart's cycle becomes volumes that every other command takes."""

import numpy as np
import pytest
import SimpleITK

from USLabelEfficientSegLib.imaging import files
from USLabelEfficientSegLib.imaging.files import read_volume


@pytest.fixture
def cycle(tmp_path):
    """An image of three time points on an oblique, anisotropic grid, and its voxels (time, k, j, i)."""
    voxels = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 6)).astype(np.uint8)
    frames = [SimpleITK.GetImageFromArray(frame) for frame in voxels]
    for frame in frames:
        frame.SetSpacing((0.5, 0.7, 1.1))
        frame.SetOrigin((10.0, -20.0, 30.0))
        frame.SetDirection((0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))
    path = tmp_path / "cycle.nrrd"
    SimpleITK.WriteImage(SimpleITK.JoinSeries(frames), str(path))
    return path, voxels


def test_each_time_point_is_a_volume_on_the_grid_of_the_image(call, cycle, tmp_path):
    path, voxels = cycle

    code, out, _ = call("split", path, "--output", tmp_path / "volumes")

    assert code == 0 and "Wrote 3 volumes" in out and "cycle_000.nrrd to cycle_002.nrrd" in out
    for time, expected in enumerate(voxels):
        volume = read_volume(tmp_path / "volumes" / f"cycle_{time:03d}.nrrd")
        np.testing.assert_array_equal(volume.voxels, expected.T)
        np.testing.assert_allclose(volume.geometry.spacing, (0.5, 0.7, 1.1))
        np.testing.assert_allclose(volume.geometry.origin, (10, -20, 30))
        turned = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
        np.testing.assert_allclose(volume.geometry.direction, turned, atol=1e-9)


def test_a_file_that_exists_is_not_replaced(refused, cycle, tmp_path):
    (tmp_path / "volumes").mkdir()
    (tmp_path / "volumes" / "cycle_001.nrrd").write_text("somebody's work")

    assert "exists already" in refused("split", cycle[0], "--output", tmp_path / "volumes")


def test_its_own_volumes_are_replaced_and_told(call, cycle, tmp_path):
    call("split", cycle[0], "--output", tmp_path / "volumes")

    code, out, _ = call("split", cycle[0], "--output", tmp_path / "volumes")

    assert code == 0 and "Replacing 3 files in" in out


def test_nothing_is_left_where_not_all_can_be_written(call, cycle, tmp_path, monkeypatch):
    def write(path, volume):
        if volume.name.endswith("002"):
            raise OSError(28, "No space left on device", str(path))
        files.write_image(path, volume.voxels, volume.geometry)

    monkeypatch.setattr(files, "write_volume", write)

    code, _, err = call("split", cycle[0], "--output", tmp_path / "volumes")

    assert code == 2 and "free some space" in err
    assert list((tmp_path / "volumes").iterdir()) == []
