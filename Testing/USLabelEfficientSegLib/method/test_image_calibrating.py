"""Intervals of 2-D images from held-out labelled images."""

from typing import Any

import numpy as np
import pytest
import torch
from simulated_heads import write_png
from torch import nn

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import find_images
from USLabelEfficientSegLib.imaging.pixel_sizes import PixelSizes
from USLabelEfficientSegLib.method.held_out_calibration import calibrated_on_scans
from USLabelEfficientSegLib.segmentation.image_model import ImageModel

CPU = torch.device("cpu")
SIZES = PixelSizes(otherwise=0.5)


class Bright(nn.Module):
    """Takes bright pixels for the organ."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(10.0))

    def forward(self, inputs):
        grey = inputs[:, :1] * self.scale
        return torch.cat([-grey, grey], dim=1)


@pytest.fixture
def discs(tmp_path):
    """Bright discs, the labels of which are a tenth larger in radius."""
    generator = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    y, x = np.mgrid[:64, :64]
    for number in range(12):
        radius = generator.uniform(12, 20)
        distance = np.hypot(x - 32, y - 32)
        write_png(tmp_path / "images" / f"{number}.png", 200 * (distance <= radius) + 20)
        write_png(tmp_path / "masks" / f"{number}.png", 255 * (distance <= 1.1 * radius))
    return tmp_path


def calibrated(folder, provenance=None):
    network: Any = Bright()
    model = ImageModel(network, ("disc",), 64, False, provenance or {})
    images, masks = (find_images(folder / kind, dimension=2) for kind in ("images", "masks"))
    return calibrated_on_scans(model, images, masks, CPU, SIZES).calibration


def test_intervals_hold_the_error_that_held_out_images_show(discs):
    calibration = calibrated(discs)

    (area,), (circumference,) = calibration.factors["area"], calibration.factors["circumference"]
    assert area[0] <= 1.21 <= area[1] * 1.05 and circumference[0] <= 1.1 <= circumference[1] * 1.05
    assert circumference[1] == pytest.approx(np.sqrt(area[1]), rel=0.05)
    assert "12 fully labelled images that the model was not trained on" in calibration.method


def test_images_whose_labels_the_model_knows_are_refused(discs):
    with pytest.raises(InputError, match="has the name of an image whose labels the model knows"):
        calibrated(discs, {"labels": {"3": "0" * 64}})


def test_missing_and_misfitting_references_are_refused(discs):
    write_png(discs / "masks" / "5.png", np.zeros((4, 4)))
    with pytest.raises(InputError, match=r"5\.png: has 4 x 4 pixels, its image 64 x 64"):
        calibrated(discs)
    (discs / "masks" / "5.png").unlink()
    with pytest.raises(InputError, match=r"5\.png: has no reference of the same name"):
        calibrated(discs)


def test_too_few_images_are_refused(discs):
    for number in range(4):
        (discs / "images" / f"{number}.png").unlink()

    with pytest.raises(InputError, match=r"has 8 images .* too few for a 90 % interval; give at least 9"):
        calibrated(discs)
