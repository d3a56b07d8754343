"""What programs read of a segmented image."""

import json
import math
from pathlib import Path

from USLabelEfficientSegLib.command_line.result_lines import result_line, result_text
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
from USLabelEfficientSegLib.measurement.planar import PlanarMeasurement


def organ(name, **changes):
    zero = (0.0, 0.0, 0.0)
    values = {
        "volume_ml": 13.9, "outline_volume_ml": 15.1, "from_probabilities": True, "label": 1, "surface_volume_ml": 15.0,
        "surface_area_mm2": 1.0, "axes_mm": zero, "extents_ras_mm": zero, "max_diameter_mm": 1.0,
        "centroid_ras_mm": None, "ellipsoid_volume_ml": 1.0, **changes,
    }  # fmt: skip
    return OrganMeasurement("a", name, 10, **values)


def test_every_organ_has_its_volume_interval_outline_volume_and_flags():
    rows = [organ("prostate", interval_ml=(12.0, 16.0), flags=(Flag.HOLES,)), organ("cyst", volume_ml=math.nan)]

    line = result_line(Path("out/a.nrrd"), rows)

    record = json.loads(line, parse_constant=lambda constant: 1 / 0)
    assert record["organs"][0] == {
        "organ": "prostate", "volume_ml": 13.9, "interval_ml": [12.0, 16.0], "outline_volume_ml": 15.1,
        "flags": ["holes"],
    }  # fmt: skip
    assert (record["organs"][1]["volume_ml"], record["organs"][1]["interval_ml"]) == (None, None)
    assert record["volumes_ml"] == {"prostate": 13.9, "cyst": None} and record["file"] == str(Path("out/a.nrrd"))


def test_areas_of_2d_images_are_told_likewise():
    row = PlanarMeasurement("a", "head", 1, 9, 754.0, 760.0, True, 100.0, None, (Flag.EDITED,), (700.0, math.inf))

    (head,) = json.loads(result_line(Path("a.nrrd"), [row]))["organs"]

    assert (head["area_mm2"], head["outline_area_mm2"], head["circumference_mm"]) == (754.0, 760.0, 0.0)
    assert (head["area_interval_mm2"], head["flags"]) == ([700.0, None], ["edited"])


def test_people_read_volumes_in_one_unit_and_intervals_in_words():
    rows = [organ("prostate", interval_ml=(12.0, 16.0)), organ("cyst", volume_ml=0.05)]

    assert result_text(rows) == "prostate 13.9 ml (90 %: 12.0 to 16.0), cyst 0.0500 ml"
    assert result_text([organ("cyst", volume_ml=0.05)]) == "cyst 50.0 µl"


def test_people_read_area_and_circumference_of_2d_images():
    row = PlanarMeasurement("a", "head", 1, 9, 7540.0, 7600.0, True, 100.0, None, (), (7000.0, 8000.0))

    assert result_text([row]) == "head area 7540 mm² (90 %: 7000 to 8000), circumference 0.0 mm"
