"""Real volumes, large and anisotropic, through the command line; the shared data is not part of the clone."""

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.cli import main
from USLabelEfficientSegLib.imaging.files import find_images, read_label_map, read_volume, write_label_map, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan

SHARED = Path(os.environ.get("USLABELSEG_DATA", Path(__file__).parents[3] / "shared" / "data")) / "volumes"
DISC_MM = 8.0

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"needs the shared volumes in {SHARED}")


def turned(volume: Scan, name: str) -> Scan:
    """The same voxels in an oblique, left-handed frame."""
    a = 0.5
    direction = np.array([[np.cos(a), 0, np.sin(a)], [0, -1, 0], [np.sin(a), 0, -np.cos(a)]])
    old = volume.geometry
    return Scan(volume.voxels, Geometry(old.shape, old.spacing, (11.5, -7.25, 93.0), direction), name)


def disc_labels(volume: Scan) -> LabelMap:
    """Three slices labelled with a disc at the centre of the volume, one slice without organ."""
    labels = SparseLabels.unlabelled(volume.geometry, ["disc"])
    i, j, k = volume.geometry.shape
    x, y = np.meshgrid(
        *[(np.arange(n) - n / 2) * s for n, s in zip((i, j), volume.geometry.spacing[:2], strict=True)], indexing="ij"
    )
    disc = (np.hypot(x, y) < DISC_MM).astype(np.uint8)
    for index in (k // 2 - 2, k // 2, k // 2 + 2):
        labels.set_slice(2, index, disc)
    labels.set_slice(2, 0, np.zeros_like(disc))
    return LabelMap(labels.voxels, volume.geometry, volume.name)


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert stop.value.code == 0


def test_real_volumes_are_labelled_trained_and_segmented_on_their_own_grids(tmp_path, tiny_changes):
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.mkdir()
    labels.mkdir()
    for path in find_images(SHARED).values():
        (images / path.name).symlink_to(path)
    oblique = turned(read_volume(next(iter(find_images(SHARED).values()))), "oblique")
    write_volume(images / "oblique.nrrd", oblique)
    for name, path in find_images(images).items():
        write_label_map(labels / f"{name}.nrrd", disc_labels(read_volume(path)))
    changes = [item for name, value in tiny_changes.items() for item in ("--set", f"{name}={value}")]

    run("study", "create", tmp_path / "study", "--images", images, "--labels", labels)
    run("train", tmp_path / "study", "--device", "cpu", *changes)
    run("segment", tmp_path / "study", images, "--output", tmp_path / "result", "--device", "cpu")

    for name, path in find_images(images).items():
        given, result = SimpleITK.ReadImage(str(path)), SimpleITK.ReadImage(str(tmp_path / "result" / f"{name}.nrrd"))
        assert result.GetSize() == given.GetSize()
        for value in ("GetSpacing", "GetOrigin", "GetDirection"):
            np.testing.assert_allclose(getattr(result, value)(), getattr(given, value)(), rtol=1e-9, atol=1e-9)
        assert set(np.unique(read_label_map(tmp_path / "result" / f"{name}.nrrd").voxels)) <= {0, 1}
