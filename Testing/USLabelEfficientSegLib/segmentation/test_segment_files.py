import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.disk.failures import Failures
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.imaging.scan_files import images_by_name
from USLabelEfficientSegLib.measurement.measuring import measure_files
from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
from USLabelEfficientSegLib.measurement.segmentation_files import organ_names, read_probabilities
from USLabelEfficientSegLib.segmentation.inference import VolumePrediction, predict
from USLabelEfficientSegLib.segmentation.loading import load_model
from USLabelEfficientSegLib.segmentation.segment_files import segment_files
from USLabelEfficientSegLib.segmentation.segments import segment_metadata
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.training.checkpoint import save_checkpoint

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(trained_study):
    return load_model(trained_study)


@pytest.fixture
def oblique(tmp_path):
    """An anisotropic, turned, left-handed volume far from the origin, as a file."""
    angle = 0.4
    about_z = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    geometry = Geometry((40, 21, 18), (0.31, 0.7, 1.3), (-35.2, 81.75, -12.125), about_z @ np.diag([1, 1, -1]))
    grey = np.random.default_rng(0).rayleigh(40, geometry.shape).clip(1, 255).astype(np.uint8)
    folder = tmp_path / "oblique"
    folder.mkdir()
    write_volume(folder / "Bläschen 7.nrrd", Scan(grey, geometry, "a"))
    return folder / "Bläschen 7.nrrd"


def test_a_segmentation_lies_exactly_on_its_image_and_names_its_organs(model, oblique, tmp_path):
    images = images_by_name([oblique])

    (result,) = segment_files(model, images, tmp_path / "out", CPU, probability=True, uncertainty=True)

    image, label_map = read_volume(oblique), read_label_map(result.path)
    assert result.path == tmp_path / "out" / "Bläschen 7.nrrd"
    assert label_map.geometry.same_grid(image.geometry, tolerance_voxels=1e-9)
    np.testing.assert_allclose(label_map.geometry.spacing, image.geometry.spacing, rtol=1e-12)
    np.testing.assert_array_equal(label_map.voxels, predict(model, image, CPU).labels().voxels)
    assert organ_names(result.path) == ["solid", "fluid"]
    uncertainty = read_volume(tmp_path / "out" / "Bläschen 7_uncertainty.nrrd")
    assert uncertainty.geometry.same_grid(image.geometry)
    assert 0 <= uncertainty.voxels.min() < uncertainty.voxels.max() <= 1


@pytest.mark.parametrize("at_once", [2, 3])
def test_images_in_the_works_at_once_give_the_same_files_in_their_order(model, oblique, tmp_path, at_once):
    images = oblique.parent
    image = read_volume(oblique)
    for number in range(4):
        write_volume(images / f"{number}.nrrd", replace(image, voxels=np.roll(image.voxels, 3 * number, axis=0)))
    (images / "2.nrrd").write_bytes((images / "2.nrrd").read_bytes()[:-100])
    told: list[str] = []
    asked: list[int] = []

    def segmented(folder, **more):
        failures = Failures(told.append)
        found = images_by_name([images])
        return [result.path.name for result in segment_files(model, found, folder, CPU, failures=failures, **more)]

    def threads():
        asked.append(at_once)
        return at_once

    alone = segmented(tmp_path / "alone")
    together = segmented(tmp_path / "together", threads=threads)

    assert together == alone == ["0.nrrd", "1.nrrd", "3.nrrd", "Bläschen 7.nrrd"]
    for name in alone:
        assert (tmp_path / "together" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    assert len(told) == 2 and told[0] == told[1] and "2.nrrd" in told[0]
    assert len(asked) == 5  # asked before each


def test_probabilities_are_found_beside_the_segmentation_and_give_the_expected_volumes(model, oblique, tmp_path):
    (result,) = segment_files(model, images_by_name([oblique]), tmp_path, CPU, probability=True)

    probabilities = read_probabilities(result.path, "Bläschen 7")
    assert probabilities is not None and isinstance(result.prediction, VolumePrediction)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    measured = [row.volume_ml for row in measure_files([result.path]) if isinstance(row, OrganMeasurement)]
    assert measured == pytest.approx(result.prediction.volumes_ml(), rel=1e-3)


def test_maps_of_an_earlier_segmentation_do_not_outlive_it(model, oblique, tmp_path):
    out, images = tmp_path / "out", images_by_name([oblique])
    list(segment_files(model, images, out, CPU, probability=True, uncertainty=True))

    list(segment_files(model, images, out, CPU))

    assert [path.name for path in out.iterdir()] == ["Bläschen 7.nrrd"]


def test_segment_fields_hold_extent_and_colour_and_an_absent_organ_is_empty(model, oblique):
    label_map = predict(model, read_volume(oblique), CPU).labels()
    label_map.voxels[:] = 0
    label_map.voxels[3:9, 4, 5:7] = 2

    fields = segment_metadata(label_map, ("solid", "fluid"))

    assert fields["Segment0_Extent"] == "0 -1 0 -1 0 -1"
    assert fields["Segment1_Extent"] == "3 8 4 4 5 6"
    assert fields["Segment1_LabelValue"] == "2"
    assert fields["Segment0_Color"] == "0.901961 0.623529 0.000000"
    assert fields["Segment0_Color"] != fields["Segment1_Color"]


@pytest.mark.parametrize(("one", "other"), [("a", "a_probability"), ("a", "A"), ("é", "e\u0301")])
def test_two_images_with_one_result_file_are_refused(model, oblique, tmp_path, one, other):
    images = {one: oblique, other: oblique.with_name("b.nrrd")}

    with pytest.raises(InputError, match="would both be segmented into"):
        next(segment_files(model, images, tmp_path / "out", CPU))
    assert not (tmp_path / "out").exists()


def test_an_image_is_never_replaced_by_its_segmentation(model, oblique):
    before = oblique.read_bytes()

    with pytest.raises(InputError, match=r"holds an image that .* would replace"):
        next(segment_files(model, images_by_name([oblique]), oblique.parent, CPU))
    assert oblique.read_bytes() == before


def test_a_damaged_image_is_found_before_anything_is_written(model, oblique, tmp_path):
    damaged = oblique.with_name("damaged.nrrd")
    damaged.write_bytes(oblique.read_bytes()[:-500])

    with pytest.raises(InputError, match="damaged"):
        next(segment_files(model, images_by_name([oblique.parent]), tmp_path / "out", CPU))
    assert not (tmp_path / "out").exists()


def test_a_model_is_read_from_a_study_or_from_its_file(trained_study):
    from_file = load_model(trained_study / "run" / "model.safetensors")

    assert from_file.organs == load_model(trained_study).organs == ("solid", "fluid")


def test_an_untrained_study_has_no_model(tmp_path, simulated):
    Study.create(tmp_path / "study", simulated / "images", simulated / "labels")

    with pytest.raises(InputError, match="not trained"):
        load_model(tmp_path / "study")


def test_a_model_of_other_organs_than_those_of_its_study_is_refused(tmp_path, simulated, trained_study):
    Study.create(tmp_path / "study", simulated / "images", simulated / "labels", organs=("heart", "vessel"))
    shutil.copytree(trained_study / "run", tmp_path / "study" / "run")

    with pytest.raises(InputError, match="was trained for solid, fluid, but the study is of heart, vessel"):
        load_model(tmp_path / "study")


def test_a_checkpoint_of_another_stage_is_no_model(tmp_path):
    save_checkpoint(tmp_path / "head.safetensors", {"weight": torch.zeros(2)}, {"stage": "slice head"})

    with pytest.raises(InputError, match="not a segmentation model"):
        load_model(tmp_path / "head.safetensors")
