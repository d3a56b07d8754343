"""Models are told apart by all that decides how they segment, and by nothing else."""

from dataclasses import replace

import torch

from USLabelEfficientSegLib.calibration.intervals import Calibration
from USLabelEfficientSegLib.divergence.unext import UNeXt
from USLabelEfficientSegLib.segmentation.image_model import ImageModel


def model(seed=0):
    torch.manual_seed(seed)
    return ImageModel(UNeXt(2), ("head",), 32, False)


def test_calibration_does_not_make_another_model(tmp_path):
    one = model()
    calibration = Calibration(factors={"area": ((0.8, 1.3),), "circumference": ((0.9, 1.2),)}, method="tried")
    one.save(tmp_path / "model.safetensors")

    same = [model(), replace(one, calibration=calibration), ImageModel.load(tmp_path / "model.safetensors")]

    assert {each.digest() for each in same} == {one.digest()}


def test_a_weight_and_a_setting_make_another_model():
    one, other = model(), model()
    with torch.no_grad():
        next(other.network.parameters()).view(-1)[0] += 1e-3

    assert len({each.digest() for each in (one, other, model(1), replace(one, mirrored=True))}) == 4
