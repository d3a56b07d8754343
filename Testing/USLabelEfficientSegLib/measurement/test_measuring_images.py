"""Areas of 2-D images in files, and what is measured while they are segmented."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from simulated_heads import write_png

from USLabelEfficientSegLib.calibration.intervals import Calibration
from USLabelEfficientSegLib.divergence.unext import UNeXt
from USLabelEfficientSegLib.errors import InputError, Notice
from USLabelEfficientSegLib.imaging.files import write_label_map, write_map, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.pixel_sizes import PixelSizes
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.measurement.flags import IMAGE_SENTENCES, Flag
from USLabelEfficientSegLib.measurement.measuring import (
    measure,
    measure_files,
    of_kind,
    read_measurements_of,
    write_measurements_of,
)
from USLabelEfficientSegLib.measurement.planar import PlanarMeasurement
from USLabelEfficientSegLib.measurement.record import write_measurements
from USLabelEfficientSegLib.measurement.segmenting import measure_prediction
from USLabelEfficientSegLib.measurement.tables import write_measurements_csv
from USLabelEfficientSegLib.segmentation.image_model import ImageModel, ImagePrediction
from USLabelEfficientSegLib.segmentation.image_statistics import ImageStatistics
from USLabelEfficientSegLib.segmentation.intensity_features import UsualIntensities, image_features
from USLabelEfficientSegLib.segmentation.loading import load_model
from USLabelEfficientSegLib.segmentation.segments import segment_metadata

SPACING = (0.5, 0.4)
GRID = Geometry((120, 100, 1), (*SPACING, 1.0), (0.0, 0.0, 0.0), np.eye(3))
AXES_MM = (40.0, 24.0)


def ellipse_labels(name="a", label=1):
    i, j = np.indices((120, 100))
    inside = np.hypot((i - 60) * SPACING[0] / (AXES_MM[0] / 2), (j - 50) * SPACING[1] / (AXES_MM[1] / 2)) <= 1
    return LabelMap((label * inside).astype(np.uint8)[..., None], GRID, name)


@pytest.fixture
def segmented(tmp_path):
    labels = ellipse_labels()
    write_label_map(tmp_path / "a.nrrd", labels, segment_metadata(labels, ["head"]))
    probability = np.stack([labels.voxels == 0, labels.voxels]).astype(np.float32)
    write_map(tmp_path / "a_probability.nrrd", 0.1 + 0.8 * probability, GRID)
    return tmp_path


def test_a_segmentation_is_measured_with_its_probabilities_and_names(segmented):
    (row,) = of_kind(measure_files([segmented]), PlanarMeasurement)

    area = np.pi / 4 * AXES_MM[0] * AXES_MM[1]
    assert (row.case, row.organ) == ("a", "head")
    assert row.outline_area_mm2 == pytest.approx(area, rel=0.01)
    assert row.area_mm2 == pytest.approx(0.8 * row.outline_area_mm2 + 0.1 * 120 * 100 * 0.2, rel=1e-5)
    assert row.ellipse is not None
    assert row.ellipse.axes_mm == pytest.approx(AXES_MM, rel=0.01)
    assert row.circumference_mm == pytest.approx(102.1, rel=0.01)  # Ramanujan's approximation


def test_a_file_that_is_given_twice_is_measured_once(segmented):
    assert measure_files([segmented, segmented / "a.nrrd"]) == measure_files([segmented])


def test_masks_of_other_programs_are_measured_if_their_pixel_size_is_known(tmp_path):
    path = write_png(tmp_path / "a.png", 255 * ellipse_labels().voxels[..., 0].T)

    with pytest.raises(InputError, match="does not say how large its pixels are"):
        measure_files([path])
    (row,) = of_kind(measure_files([path], ["head"], sizes=PixelSizes({"a": SPACING})), PlanarMeasurement)
    assert row.ellipse is not None
    assert row.ellipse.axes_mm == pytest.approx(AXES_MM, rel=0.01) and row.organ == "head"


def test_the_table_has_units_and_empty_cells_for_what_is_unknown(segmented, tmp_path):
    rows = of_kind(measure_files([segmented]), PlanarMeasurement)
    absent = replace(rows[0], case="b", pixel_count=0, ellipse=None, flags=(Flag.EMPTY, Flag.HOLES))

    write_measurements_csv(tmp_path / "areas.csv", [*rows, absent])

    with (tmp_path / "areas.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert float(first["circumference_mm"]) == pytest.approx(rows[0].circumference_mm, abs=1e-3)
    assert first["area_interval_low_mm2"] == "" and second["ellipse_major_axis_mm"] == ""
    assert second["flags"] == "empty holes"


def test_the_table_of_areas_has_just_these_columns(segmented, tmp_path):
    write_measurements_csv(tmp_path / "areas.csv", measure_files([segmented]))

    assert (tmp_path / "areas.csv").read_text(encoding="utf-8-sig").splitlines()[0] == (
        "case,organ,pixel_count,area_mm2,outline_area_mm2,area_interval_low_mm2,area_interval_high_mm2,perimeter_mm,"
        "ellipse_major_axis_mm,ellipse_minor_axis_mm,circumference_mm,circumference_interval_low_mm,"
        "circumference_interval_high_mm,ellipse_centre_i_mm,ellipse_centre_j_mm,ellipse_angle_degrees,flags"
    )


def test_measurements_are_taken_over_until_the_segmentation_is_edited(segmented):
    (row,) = of_kind(measure_files([segmented]), PlanarMeasurement)
    row = replace(row, circumference_interval_mm=(90.0, 110.0), interval_method="tried")
    write_measurements_of(segmented / "a.nrrd", [row])

    assert measure_files([segmented]) == [row]
    write_label_map(segmented / "a.nrrd", ellipse_labels())  # without names and fields, but the same pixels
    assert measure_files([segmented]) == [row]
    edited = ellipse_labels()
    edited.voxels[:60] = 0
    write_label_map(segmented / "a.nrrd", edited)
    assert read_measurements_of(segmented / "a.nrrd") is None
    (row,) = of_kind(measure_files([segmented]), PlanarMeasurement)
    assert row.circumference_interval_mm is None and Flag.EDITED in row.flags
    assert row.area_mm2 == row.outline_area_mm2 == pytest.approx(edited.voxels.sum() * 0.2)


def test_json_for_programs_holds_the_circumference(segmented, tmp_path):
    write_measurements(tmp_path / "areas.json", measure_files([segmented]))

    (record,) = json.loads((tmp_path / "areas.json").read_text())["measurements"]
    assert record["circumference_mm"] == pytest.approx(102.1, rel=0.01) and record["flags"] == []


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1, "measurements": [{"volume_ml": 3}]}'])
def test_measurements_that_are_none_are_told_and_made_again(segmented, text):
    expected = measure_files([segmented])
    (segmented / "a_measurements.json").write_text(text)

    with pytest.warns(Notice, match="holds no measurements of this program, so nothing is taken over"):
        assert measure_files([segmented]) == expected


def test_two_segmentations_of_one_image_are_refused(segmented, tmp_path):
    (tmp_path / "more").mkdir()
    write_label_map(tmp_path / "more" / "a_segmentation.nrrd", ellipse_labels())

    with pytest.raises(InputError, match="is of the same image as"):
        measure_files([segmented / "a.nrrd", tmp_path / "more"])


def test_probabilities_of_another_kind_are_refused(segmented):
    write_label_map(segmented / "a_probability.nrrd", ellipse_labels())

    with pytest.raises(InputError, match="holds no class probabilities"):
        measure_files([segmented / "a.nrrd"])


def measured(probability=None, statistics=None, calibration=None):
    labels = ellipse_labels()
    inside = labels.voxels.astype(np.float32)
    shares = np.stack([1 - inside, inside]) if probability is None else probability(inside)
    model = ImageModel(UNeXt(2), ("head",), 32, False, statistics=statistics, calibration=calibration)
    return measure_prediction(model, ImagePrediction(shares, GRID, "a"), labels)[0]


def test_a_calibrated_model_gives_intervals_and_its_method():
    torch.manual_seed(0)
    calibration = Calibration(factors={"area": ((0.8, 1.3),), "circumference": ((0.9, 1.2),)}, method="tried")

    row = measured(calibration=calibration)

    assert row.area_interval_mm2 == pytest.approx((0.8 * row.area_mm2, 1.3 * row.area_mm2))
    assert row.circumference_interval_mm == pytest.approx((0.9 * row.circumference_mm, 1.2 * row.circumference_mm))
    assert row.interval_method == "tried"


def fading(seed):
    """An image that fades with depth."""
    speckle = np.random.default_rng(seed).uniform(0.5, 1.5, GRID.shape)
    return Scan((speckle * np.linspace(200, 20, GRID.shape[1])[:, None]).astype(np.float32), GRID, "a")


def test_flags_warn_of_what_the_model_has_not_learnt():
    usual = ImageStatistics(areas_mm2=((700.0, 800.0),), pixel_mm=(0.4, 0.5))
    assert measured(statistics=usual).flags == ()

    other = ImageStatistics(areas_mm2=((7000.0, 8000.0),), pixel_mm=(4.0, 5.0))
    assert measured(statistics=other).flags == (Flag.OUTSIDE_TRAINING_RANGE, Flag.UNUSUAL_SPACING)

    features = [image_features(fading(seed)) for seed in range(4)]
    foreign = usual.model_copy(update={"intensities": UsualIntensities.of(features)})
    grey = Scan(ellipse_labels().voxels * 200.0, GRID, "a")
    (row,) = measure(ellipse_labels(), ["head"], image=grey, statistics=foreign)
    assert row.flags == (Flag.UNUSUAL_INTENSITIES,)
    (row,) = measure(ellipse_labels(), ["head"], image=fading(9), statistics=foreign)
    assert row.flags == ()

    unsure = measured(lambda inside: np.stack([1 - 0.3 * inside, 0.3 * inside]))
    assert unsure.flags == (Flag.UNCERTAIN_BOUNDARY,)


def test_probabilities_of_another_image_are_refused(segmented):
    volume = np.zeros((2, 120, 100, 3), np.float32)
    write_map(segmented / "a_probability.nrrd", volume, replace(GRID, shape=(120, 100, 3)))

    with pytest.raises(InputError, match="has 120 x 100 x 3 voxels, and its segmentation 120 x 100 x 1"):
        measure_files([segmented / "a.nrrd"])


def test_a_picture_has_the_pixel_size_of_its_image(tmp_path):
    path = write_png(tmp_path / "a.png", 255 * ellipse_labels().voxels[..., 0].T)
    grey = np.random.default_rng(0).integers(0, 200, GRID.shape).astype(np.uint8)
    write_volume(tmp_path / "image.nrrd", Scan(grey, GRID, "a"))

    (row,) = of_kind(measure_files([path], ["head"], images={"a": tmp_path / "image.nrrd"}), PlanarMeasurement)

    assert row.ellipse is not None
    assert row.ellipse.axes_mm == pytest.approx(AXES_MM, rel=0.01)


def test_another_image_than_the_segmented_one_is_refused(segmented):
    other = replace(GRID, spacing=(0.6, 0.4, 1.0))
    image = Scan(np.random.default_rng(0).integers(0, 200, GRID.shape).astype(np.uint8), other, "a")

    with pytest.raises(InputError, match="has other pixels than its image"):
        measure_files([segmented / "a.nrrd"], images={"a": image})


def test_volumes_and_images_are_not_measured_into_one_table(segmented):
    volume = LabelMap(np.ones((4, 4, 4), np.uint8), Geometry((4, 4, 4), (1.0,) * 3, (0.0,) * 3, np.eye(3)), "b")
    write_label_map(segmented / "b.nrrd", volume, segment_metadata(volume, ["head"]))

    with pytest.raises(InputError, match=r"b\.nrrd: is of a volume, and .*a\.nrrd of a 2-D image; measure them in two"):
        measure_files([segmented])


def test_a_model_of_volumes_does_not_judge_images(trained_study):
    statistics = load_model(trained_study).statistics

    with pytest.raises(InputError, match="is a 2-D image, and the model is of volumes"):
        measure(ellipse_labels(), ["head"], statistics=statistics)


def test_every_flag_that_images_raise_is_explained():
    assert set(IMAGE_SENTENCES) == set(Flag)
