"""Studies of 2-D images: creation, what they hold, and old studies beside them."""

import json

import numpy as np
import pytest
import SimpleITK
from simulated_heads import write_heads, write_png

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.pixel_sizes import PixelSizes, read_pixel_sizes
from USLabelEfficientSegLib.study.study import Study


@pytest.fixture
def heads(tmp_path):
    write_heads(tmp_path / "heads", 6)
    return tmp_path / "heads"


def made(heads, folder, **options):
    sizes = read_pixel_sizes(heads / "sizes.csv")
    return Study.create(folder, heads / "images", heads / "masks", pixel_sizes=sizes, **options)


def test_a_study_of_images_keeps_pixels_sizes_and_labels(heads, tmp_path):
    study = made(heads, tmp_path / "study", organs=["head"])

    image, labels = study.read_scan("head_2"), study.read_labels("head_2")
    pixels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(heads / "images" / "head_2.png")))
    mask = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(heads / "masks" / "head_2.png")))
    size = read_pixel_sizes(heads / "sizes.csv").table["head_2"]
    assert study.dimension == 2 and image.is_planar and image.name == "head_2"
    assert image.geometry.spacing[:2] == size
    np.testing.assert_array_equal(image.voxels[..., 0].T, pixels)
    np.testing.assert_array_equal(labels.voxels[..., 0].T, mask // 255)
    assert Study.open(tmp_path / "study").summary()["dimension"] == 2


def test_a_label_fraction_is_a_share_of_the_images(heads, tmp_path):
    study = made(heads, tmp_path / "study", label_fraction=0.33, seed=3)

    labelled = {case.name for case in study.cases if case.labels is not None}
    chosen = np.sort(np.random.default_rng(3).choice(6, 2, replace=False))
    assert labelled == {f"head_{number}" for number in chosen}
    assert study.label_fraction() == pytest.approx(2 / 6)


def test_images_can_be_added_and_labels_changed(heads, tmp_path):
    study = made(heads, tmp_path / "study")
    write_heads(tmp_path / "more", 1, seed=5)
    (tmp_path / "more" / "images" / "head_0.png").rename(tmp_path / "more" / "images" / "late.png")

    with pytest.raises(InputError, match="does not say how large its pixels are"):
        study.add_images(tmp_path / "more" / "images")
    study.add_images(tmp_path / "more" / "images", PixelSizes(otherwise=0.9))
    labels = study.read_labels("head_0")
    labels.voxels[:] = 0
    study.set_labels("head_0", labels)

    study.check_files()
    assert study.read_scan("late").geometry.spacing[:2] == (0.9, 0.9)
    assert not study.read_labels("head_0").voxels.any()


def test_a_study_of_an_older_version_is_one_of_volumes(tmp_path, simulated):
    Study.create(tmp_path / "study", simulated / "images", simulated / "labels")
    manifest = tmp_path / "study" / "study.json"
    record = json.loads(manifest.read_text())
    assert record.pop("dimension") == 3
    manifest.write_text(json.dumps(record))

    assert Study.open(tmp_path / "study").dimension == 3


def test_volumes_and_images_together_are_refused(heads, tmp_path, simulated):
    volume = next((simulated / "images").iterdir())
    (heads / "images" / volume.name).write_bytes(volume.read_bytes())

    with pytest.raises(InputError, match=r"holds volumes .* and 2-D images .*; put them into two folders"):
        made(heads, tmp_path / "study")
    with pytest.raises(InputError, match="is no 2-D image but a volume"):
        made(heads, tmp_path / "study", dimension=2)
    assert not (tmp_path / "study").exists()


def test_volumes_need_no_pixel_sizes(simulated, tmp_path):
    with pytest.raises(InputError, match="pixel sizes: are for 2-D images, and these are volumes"):
        Study.create(tmp_path / "study", simulated / "images", pixel_sizes=PixelSizes(otherwise=1.0))


def test_a_label_of_another_size_is_refused(heads, tmp_path):
    write_png(heads / "masks" / "head_1.png", np.zeros((5, 6)))

    with pytest.raises(InputError, match=r"head_1\.png: has 6 x 5 pixels, its image 64 x 48"):
        made(heads, tmp_path / "study")


def test_a_mask_cannot_be_of_several_organs(heads, tmp_path):
    with pytest.raises(InputError, match="is black and white, but there are 2 organs"):
        made(heads, tmp_path / "study", organs=["head", "brain"])
