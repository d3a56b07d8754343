import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import find_images, read_label_map, write_label_map
from USLabelEfficientSegLib.method.held_out_calibration import calibrated_on_scans
from USLabelEfficientSegLib.segmentation.loading import load_model
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.segmentation.segments import segment_metadata

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(trained_study):
    return load_model(trained_study)


@pytest.fixture(scope="module")
def held_out(simulated, tmp_path_factory):
    """Twelve images and references by name: copies of the simulated ones."""
    folder = tmp_path_factory.mktemp("held out")
    found = {}
    for kind in ("images", "labels"):
        (folder / kind).mkdir()
        files = list(find_images(simulated / kind).values())
        for number in range(12):
            shutil.copy(files[number % len(files)], folder / kind / f"subject{number:02d}.nrrd")
        found[kind] = find_images(folder / kind)
    return found


def test_training_leaves_statistics_of_the_study_in_the_model(model, simulated):
    statistics = model.statistics

    assert statistics is not None
    assert statistics.spacing_mm[0] == pytest.approx((3.3, 3.3))
    assert len(statistics.volumes_ml) == 2
    assert all(0 < low <= high for low, high in statistics.volumes_ml)


def test_training_calibrates_on_the_labelled_slices(model):
    """Of an organ that three of the labelled volumes show in a middle slice; else there is no interval."""
    assert model.calibration is not None
    factors = model.calibration.factors["volume"]
    assert len(factors) == 2
    assert any(factors)
    assert all(one is None or one[0] < 1 < one[1] for one in factors)


def test_a_model_is_calibrated_on_held_out_volumes_and_keeps_it(model, held_out, tmp_path):
    better = calibrated_on_scans(model, held_out["images"], held_out["labels"], CPU)

    better.save(tmp_path / "model.safetensors")
    kept = SegmentationModel.load(tmp_path / "model.safetensors")
    assert kept.calibration == better.calibration != model.calibration
    assert kept.statistics == model.statistics
    assert kept.calibration is not None and "12 fully labelled volumes" in kept.calibration.method
    assert all(factors is not None and np.isfinite(factors).all() for factors in kept.calibration.factors["volume"])


def test_volumes_whose_labels_the_model_knows_are_refused(model, held_out):
    name = next(iter(held_out["images"]))
    knowing = replace(model, provenance={"labels": {name: "0" * 64}})

    with pytest.raises(InputError, match="whose labels the model knows"):
        calibrated_on_scans(knowing, held_out["images"], held_out["labels"], CPU)


def test_an_image_without_a_reference_is_refused(model, held_out):
    with pytest.raises(InputError, match="has no reference"):
        calibrated_on_scans(model, held_out["images"], {}, CPU)


def test_too_few_volumes_are_refused(model, held_out):
    few = dict(list(held_out["images"].items())[:3])

    with pytest.raises(InputError, match="too few for a 90 % interval"):
        calibrated_on_scans(model, few, held_out["labels"], CPU)


def test_references_are_matched_by_the_names_of_their_organs(model, held_out, tmp_path):
    swapped = {}
    for name, path in held_out["labels"].items():
        label_map = read_label_map(path)
        label_map = replace(label_map, voxels=np.array([0, 2, 1], np.uint8)[label_map.voxels], segments={})
        swapped[name] = tmp_path / f"{name}.nrrd"
        write_label_map(swapped[name], label_map, segment_metadata(label_map, [o.upper() for o in model.organs[::-1]]))

    by_name = calibrated_on_scans(model, held_out["images"], swapped, CPU)

    assert by_name.calibration == calibrated_on_scans(model, held_out["images"], held_out["labels"], CPU).calibration
