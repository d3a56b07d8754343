"""2-D images unlike those of a study are noticed, by what they look like and not by their gain."""

import numpy as np
import pytest
from pydantic import ValidationError
from simulated_heads import write_heads

from USLabelEfficientSegLib.imaging.image_files import read_image
from USLabelEfficientSegLib.imaging.pixel_sizes import read_pixel_sizes
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.segmentation.image_statistics import ImageStatistics
from USLabelEfficientSegLib.segmentation.intensity_features import IntensityFeatures, UsualIntensities, image_features


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """Ten simulated images of fetal heads."""
    folder = tmp_path_factory.mktemp("images") / "heads"
    write_heads(folder, 10)
    sizes = read_pixel_sizes(folder / "sizes.csv")
    return [read_image(path, sizes) for path in sorted((folder / "images").iterdir())]


@pytest.fixture(scope="module")
def usual(heads):
    return UsualIntensities.of([image_features(one) for one in heads[:8]])


def changed(image, voxels):
    return image_features(Scan(voxels.astype(np.float32), image.geometry, "changed"))


def test_images_like_those_of_the_study_are_usual_whatever_their_gain(heads, usual):
    assert all(usual.includes(image_features(one)) for one in heads)
    assert usual.includes(changed(heads[9], 7.0 * heads[9].voxels + 3))


def test_inverted_blurred_and_foreign_images_are_noticed(heads, usual):
    voxels = heads[9].voxels.astype(np.float32)
    blurred = np.mean([np.roll(voxels, (i, j), (0, 1)) for i in range(-3, 4) for j in range(-3, 4)], axis=0)
    i, j, _ = np.indices(voxels.shape)

    assert not usual.includes(changed(heads[9], 255 - voxels))
    assert not usual.includes(changed(heads[9], blurred))
    assert not usual.includes(changed(heads[9], 100.0 * (i > 30) + j))


def test_they_survive_json_and_other_features_are_refused(usual):
    assert UsualIntensities.model_validate_json(usual.model_dump_json()) == usual
    with pytest.raises(ValidationError, match="are not those of this program"):
        UsualIntensities.model_validate({**usual.model_dump(), "thumbnail": (0.5,) * 7})


def test_a_model_of_an_earlier_version_knows_no_intensities_and_warns_of_none(heads):
    known = ImageStatistics(areas_mm2=((1.0, 2.0),), pixel_mm=(0.4, 0.5))

    assert known.usual_intensities(image_features(heads[0]))


@pytest.mark.filterwarnings("error")
def test_a_sector_without_neighbours_along_an_axis_has_features_all_the_same():
    sector = np.zeros((6, 5, 2), dtype=bool)
    sector[..., 0] = True
    grey = np.random.default_rng(0).random(sector.shape, dtype=np.float32) * sector

    values = IntensityFeatures(grey, sector).values(np.zeros(6 * 6 * 6))

    assert np.isfinite(values).all()
