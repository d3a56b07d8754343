from dataclasses import replace

import numpy as np
import torch

from USLabelEfficientSegLib.calibration.intervals import Calibration
from USLabelEfficientSegLib.imaging.files import find_images, read_volume, write_volume
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.measurement.measuring import measure_files, of_kind
from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
from USLabelEfficientSegLib.measurement.segmenting import segment_and_measure
from USLabelEfficientSegLib.segmentation.inference import VolumePrediction
from USLabelEfficientSegLib.segmentation.loading import load_model

CPU = torch.device("cpu")


def test_a_segmentation_is_measured_with_the_intervals_and_warnings_of_its_model(trained_study, simulated, tmp_path):
    calibration = Calibration(factors={"volume": ((0.5, 2.0), None)}, method="a sentence.")
    model = replace(load_model(trained_study), calibration=calibration)
    images = dict(list(find_images(simulated / "images").items())[:1])

    (result,) = segment_and_measure(model, images, tmp_path, CPU)

    solid, fluid = of_kind(result.rows, OrganMeasurement)
    assert solid.from_probabilities and solid.outline_volume_ml > 0
    assert solid.interval_ml == (0.5 * solid.volume_ml, 2.0 * solid.volume_ml)
    assert solid.interval_method == "a sentence."
    assert fluid.interval_ml is None and fluid.interval_method is None
    assert Flag.UNUSUAL_INTENSITIES not in solid.flags and Flag.UNUSUAL_SPACING not in solid.flags
    assert measure_files([tmp_path]) == result.rows


def test_an_interval_by_offsets_follows_from_the_probabilities_of_the_case(trained_study, simulated, tmp_path):
    calibration = Calibration(factors={"volume": (None, None)}, offsets=((-1.0, 2.0), None), method="a sentence.")
    model = replace(load_model(trained_study), calibration=calibration)
    images = dict(list(find_images(simulated / "images").items())[:1])

    (result,) = segment_and_measure(model, images, tmp_path, CPU)

    prediction = model.predict(read_volume(next(iter(images.values()))), CPU)
    assert isinstance(prediction, VolumePrediction)
    solid, fluid = of_kind(result.rows, OrganMeasurement)
    assert solid.interval_ml == (prediction.volume_ml(0, -1.0), prediction.volume_ml(0, 2.0))
    assert solid.interval_ml[0] < solid.volume_ml < solid.interval_ml[1]
    assert solid.interval_method == "a sentence."
    assert fluid.interval_ml is None and fluid.interval_method is None


def test_an_image_unlike_those_of_the_study_is_flagged(trained_study, simulated, tmp_path):
    model = load_model(trained_study)
    name, path = next(iter(find_images(simulated / "images").items()))
    volume = read_volume(path)
    noise = np.random.default_rng(0).integers(1, 255, volume.voxels.shape).astype(np.uint8)
    write_volume(tmp_path / "noise.nrrd", Scan(noise, volume.geometry, name))

    (result,) = segment_and_measure(model, {"noise": tmp_path / "noise.nrrd"}, tmp_path / "out", CPU)

    assert all(Flag.UNUSUAL_INTENSITIES in row.flags for row in result.rows)
