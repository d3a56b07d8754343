import csv
import json

import numpy as np
import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import write_label_map
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.measurement.measuring import (
    measure_files,
    of_kind,
    read_measurements_of,
    write_measurements_of,
)
from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
from USLabelEfficientSegLib.measurement.record import read_measurements, write_measurements
from USLabelEfficientSegLib.measurement.tables import write_measurements_csv
from USLabelEfficientSegLib.measurement.volumetric import measure_case

GEOMETRY = Geometry((12, 12, 12), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def label_map(name="Müller, A"):
    voxels = np.zeros(GEOMETRY.shape, dtype=np.uint8)
    voxels[3:9, 3:9, 3:9] = 1
    return LabelMap(voxels, GEOMETRY, name)


@pytest.fixture
def rows(measurement):
    return [
        measurement(interval_ml=(15.0, 27.5), interval_method="a sentence.", flags=(Flag.HOLES, Flag.UNUSUAL_SPACING)),
        measurement(organ="cyst", label=2, volume_ml=0.0, voxel_count=0, centroid_ras_mm=None, flags=(Flag.EMPTY,)),
    ]


def test_measurements_are_read_as_they_were_written(tmp_path, rows):
    path = tmp_path / "measurements.json"

    write_measurements(path, rows)

    assert read_measurements(path) == rows
    assert json.loads(path.read_text())["measurements"][0]["flags"] == ["holes", "unusual_spacing"]
    assert list(tmp_path.iterdir()) == [path]


def test_records_of_earlier_versions_are_read_with_the_words_of_today(tmp_path, rows):
    path = tmp_path / "measurements.json"
    write_measurements(path, rows)
    record = json.loads(path.read_text()) | {"format": 1}
    for row, outline, weighted in zip(record["measurements"], (20.0, 0.0), (21.5, None), strict=True):
        del row["outline_volume_ml"], row["from_probabilities"]
        row.update(volume_ml=outline, probability_volume_ml=weighted)
    path.write_text(json.dumps(record))

    gland, cyst = of_kind(read_measurements(path), OrganMeasurement)

    assert (gland.volume_ml, gland.outline_volume_ml, gland.from_probabilities) == (21.5, 20.0, True)
    assert (cyst.volume_ml, cyst.outline_volume_ml, cyst.from_probabilities) == (0.0, 0.0, False)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "holds no measurements"),
        ('{"format": 1, "measurements": [{"case": "a"}]}', "holds no measurements"),
        ("[]", "holds no measurements"),
        ('{"format": 99, "measurements": []}', "newer version"),
    ],
)
def test_other_files_are_refused(tmp_path, text, problem):
    path = tmp_path / "measurements.json"
    path.write_text(text)

    with pytest.raises(InputError, match=problem):
        read_measurements(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_measurements(tmp_path / "measurements.json")


def test_what_was_measured_holds_until_the_segmentation_is_edited(tmp_path, rows):
    path = tmp_path / "a.nrrd"
    write_label_map(path, label_map())
    write_measurements_of(path, rows)

    assert (tmp_path / "a_measurements.json").exists()
    assert read_measurements_of(path) == rows
    assert measure_files([tmp_path]) == rows
    assert [row.organ for row in measure_files([path], ["CYST", "Prostate"])] == ["CYST", "Prostate"]
    with pytest.raises(InputError, match="names its labels prostate, cyst, and the organs are gland, stone"):
        measure_files([path], ["gland", "stone"])

    edited = label_map()
    edited.voxels[3] = 0
    write_label_map(path, edited)

    assert read_measurements_of(path) is None
    prostate, cyst = of_kind(measure_files([path]), OrganMeasurement)
    assert (prostate.voxel_count, prostate.volume_ml, prostate.interval_ml) == (180, 0.18, None)
    assert Flag.EDITED in prostate.flags and cyst == rows[1]


def test_csv_has_units_in_its_headings_and_empty_cells_for_what_is_not_known(tmp_path):
    path = tmp_path / "volumes.csv"

    write_measurements_csv(
        path, measure_case(label_map(), ["prostate", "cyst"]), {"Müller, A": {"prostate": 0.2, "cyst": 0}}
    )

    with path.open(encoding="utf-8", newline="") as file:
        gland, cyst = csv.DictReader(file)
    assert (gland["case"], gland["organ"], gland["voxel_count"]) == ("Müller, A", "prostate", "216")
    assert (gland["volume_ml"], gland["outline_volume_ml"]) == ("0.216", "0.216")
    assert float(gland["surface_volume_ml"]) == pytest.approx(0.216, rel=0.01)
    assert float(gland["axis_1_mm"]) == pytest.approx(6.0, abs=0.5)
    assert (gland["interval_low_ml"], gland["flags"], gland["true_volume_ml"]) == ("", "", "0.2")
    assert (cyst["volume_ml"], cyst["centroid_r_mm"], cyst["flags"]) == ("0", "", "empty")
    assert list(tmp_path.iterdir()) == [path]


def test_the_table_of_volumes_has_just_these_columns(tmp_path, rows):
    write_measurements_csv(tmp_path / "volumes.csv", rows)

    assert (tmp_path / "volumes.csv").read_text(encoding="utf-8-sig").splitlines()[0] == (
        "case,organ,voxel_count,volume_ml,outline_volume_ml,interval_low_ml,interval_high_ml,surface_volume_ml,"
        "ellipsoid_formula_volume_ml,surface_area_mm2,axis_1_mm,axis_2_mm,axis_3_mm,right_left_mm,"
        "anterior_posterior_mm,superior_inferior_mm,max_diameter_mm,centroid_r_mm,centroid_a_mm,centroid_s_mm,flags"
    )


def test_a_large_count_keeps_all_its_digits(tmp_path, measurement):
    write_measurements_csv(tmp_path / "volumes.csv", [measurement(voxel_count=2**31 - 1)])

    assert "2147483647" in (tmp_path / "volumes.csv").read_text(encoding="utf-8")


def test_csv_holds_intervals_and_flags(tmp_path, rows):
    path = tmp_path / "volumes.csv"

    write_measurements_csv(path, rows)

    with path.open(encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    assert (first["interval_low_ml"], first["interval_high_ml"]) == ("15", "27.5")
    assert first["flags"] == "holes unusual_spacing"
    assert "true_volume_ml" not in first
