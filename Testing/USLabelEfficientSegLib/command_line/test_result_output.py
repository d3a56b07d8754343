"""Results are printed case by case; a model is stored where it was loaded from, unless another has taken its place."""

import shutil
from dataclasses import replace

import pytest

from USLabelEfficientSegLib.calibration.intervals import Calibration
from USLabelEfficientSegLib.command_line.result_output import checksum_of_model, model_file, print_flags, save_model
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
from USLabelEfficientSegLib.segmentation.loading import load_model
from USLabelEfficientSegLib.segmentation.model import SegmentationModel


@pytest.fixture(params=["study", "file"])
def place(request, tmp_path, trained_study):
    """A trained study, or a model file, of its own."""
    shutil.copytree(trained_study, tmp_path / "study")
    if request.param == "study":
        return tmp_path / "study"
    shutil.copy(model_file(trained_study), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def calibrated(model):
    return replace(model, calibration=Calibration(factors={"volume": ((0.8, 1.2), (0.7, 1.3))}, method="on volumes."))


def test_a_calibrated_model_takes_the_place_of_the_one_it_was_made_of(place):
    was, model = checksum_of_model(place), load_model(place)

    assert save_model(place, calibrated(model), was) == model_file(place)

    assert load_model(place).calibration == calibrated(model).calibration
    assert checksum_of_model(place) != was


def test_a_calibration_does_not_bring_back_the_model_before_a_training(place):
    was, model = checksum_of_model(place), load_model(place)
    assert isinstance(model, SegmentationModel)
    trained = replace(model, overlap=0.5)
    trained.save(model_file(place))  # what a training ends with

    with pytest.raises(InputError, match=r"was replaced by another program.*calibrate it again"):
        save_model(place, calibrated(model), was)

    now = load_model(place)
    assert isinstance(now, SegmentationModel)
    assert now.overlap == 0.5 and now.calibration == model.calibration


def test_a_calibration_does_not_bring_back_a_model_that_a_training_has_set_aside(place):
    was, model = checksum_of_model(place), load_model(place)
    model_file(place).unlink()

    with pytest.raises(InputError, match="was replaced by another program"):
        save_model(place, calibrated(model), was)

    assert not model_file(place).exists()


def corrected_row(case, drawn_slices):
    zero = (0.0, 0.0, 0.0)
    return OrganMeasurement(
        case, "prostate", 10, 13.9, 15.1, label=1, surface_volume_ml=15.0, surface_area_mm2=1.0, axes_mm=zero,
        extents_ras_mm=zero, max_diameter_mm=1.0, centroid_ras_mm=zero, ellipsoid_volume_ml=1.0,
        flags=(Flag.CORRECTED,), drawn_slices=drawn_slices,
    )  # fmt: skip


def test_the_cautions_of_a_case_tell_of_the_slices_drawn_in_it_and_in_no_other(capsys):
    print_flags([corrected_row("anna", 1), corrected_row("berta", 3)])

    text = " ".join("".join(capsys.readouterr()).split())
    first, second = text.split("caution, berta")
    assert "(drawn slices: 1)." in first and "(drawn slices: 3)." in second
