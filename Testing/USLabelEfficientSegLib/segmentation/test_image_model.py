"""The model of 2-D images: its file, its prediction, its intervals."""

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.calibration.intervals import Calibration
from USLabelEfficientSegLib.divergence.unext import UNeXt
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.segmentation.image_model import ImageModel, ImagePrediction
from USLabelEfficientSegLib.segmentation.image_statistics import ImageStatistics
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint, save_checkpoint

CPU = torch.device("cpu")
GRID = Geometry((40, 24, 1), (0.5, 0.6, 1.0), (0.0, 0.0, 0.0), np.eye(3))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return ImageModel(
        network=UNeXt(3).eval(),
        organs=("head", "brain"),
        image_size=32,
        mirrored=True,
        provenance={"labels": {"a": "0" * 64}},
        statistics=ImageStatistics(areas_mm2=((10.0, 20.0), None), pixel_mm=(0.4, 0.6)),
        calibration=Calibration(
            factors={"area": ((0.8, 1.2),) * 2, "circumference": ((0.9, 1.1),) * 2}, method="tried"
        ),
        zooms=(1.0, 0.8),
        zoom_margins=(1.3,),
    )


@pytest.fixture
def image():
    pixels = np.random.default_rng(0).integers(0, 255, (40, 24, 1)).astype(np.uint8)
    return Scan(pixels, GRID, "a")


def test_a_model_is_the_same_after_its_file(model, image, tmp_path):
    model.save(tmp_path / "model.safetensors")
    loaded = ImageModel.load(tmp_path / "model.safetensors")

    np.testing.assert_array_equal(loaded.predict(image, CPU).probability, model.predict(image, CPU).probability)
    for name in (
        "organs",
        "image_size",
        "mirrored",
        "zooms",
        "zoom_margins",
        "provenance",
        "statistics",
        "calibration",
    ):
        assert getattr(loaded, name) == getattr(model, name)


def test_a_model_from_before_there_were_zooms_and_zoomed_refinement_is_applied_without_them(model, tmp_path):
    path = tmp_path / "model.safetensors"
    model.save(path)
    tensors, metadata = load_checkpoint(path)
    for added in ("zooms", "closer_looks"):
        del metadata["image_model"][added]
    save_checkpoint(path, tensors, metadata)

    loaded = ImageModel.load(path)
    assert loaded.zooms == (1.0,) and loaded.zoom_margins == ()


def test_the_intervals_of_a_model_of_version_0_1_are_kept(model, tmp_path):
    path = tmp_path / "model.safetensors"
    model.save(path)
    tensors, metadata = load_checkpoint(path)
    factors = metadata["image_model"]["calibration"]["factors"]
    metadata["image_model"] |= {"format": 1, "calibration": {**factors, "method": "tried"}}
    save_checkpoint(path, tensors, metadata)

    assert ImageModel.load(path).calibration == model.calibration


@pytest.mark.parametrize("factors", [{"volume": [[0.5, 2.0]] * 2}, {"area": [[0.5, 2.0]] * 2}])
def test_intervals_of_other_quantities_are_refused(model, tmp_path, factors):
    path = tmp_path / "model.safetensors"
    model.save(path)
    tensors, metadata = load_checkpoint(path)
    metadata["image_model"]["calibration"]["factors"] = factors
    save_checkpoint(path, tensors, metadata)

    with pytest.raises(InputError, match="is not a segmentation model of this program"):
        ImageModel.load(path)


def test_models_of_images_and_of_volumes_are_told_apart(model, trained_study, tmp_path):
    model.save(tmp_path / "model.safetensors")

    with pytest.raises(InputError, match="is a model of 2-D images; give the model of a study of volumes"):
        SegmentationModel.load(tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="is a model of volumes; give the model of a study of 2-D images"):
        ImageModel.load(trained_study / "run" / "model.safetensors")


def test_a_prediction_lies_on_the_pixels_of_its_image(model, image):
    prediction = model.predict(image, CPU)

    assert prediction.probability.shape == (3, 40, 24, 1)
    np.testing.assert_allclose(prediction.probability.sum(axis=0), 1, atol=1e-5)
    assert prediction.labels().geometry is GRID
    uncertainty = prediction.uncertainty()
    assert uncertainty.shape == (40, 24, 1) and uncertainty.min() >= 0 and uncertainty.max() <= 1


def test_gain_and_unit_of_an_image_do_not_matter(model, image):
    louder = Scan(image.voxels.astype(np.float32) * 3 + 17, GRID, "b")

    np.testing.assert_allclose(model.predict(louder, CPU).probability, model.predict(image, CPU).probability, atol=1e-4)


def test_small_fragments_and_pinholes_go_and_real_pieces_stay():
    organ = np.zeros((40, 24), np.float32)
    organ[2:20, 3:20] = 1  # the organ
    organ[10, 10] = 0  # a pinhole
    organ[30:38, 4:20] = 1  # a second piece, nearly half as large
    organ[24:26, 1:3] = 1  # a small fragment
    probability = np.stack([1 - organ, organ])[..., None]

    labels = ImagePrediction(probability, GRID, "a").labels().voxels[..., 0]

    assert labels[10, 10] == 1 and labels[30:38, 4:20].all() and not labels[24:26, 1:3].any()


def test_areas_and_pixels_beyond_the_training_are_unusual(model):
    assert model.statistics.usual_area(0, 12.0) and not model.statistics.usual_area(0, 40.0)
    assert model.statistics.usual_area(1, 1e6)  # nothing is known of this organ
    coarse = Geometry((40, 24, 1), (2.0, 2.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    assert model.statistics.usual_pixels(GRID) and not model.statistics.usual_pixels(coarse)
