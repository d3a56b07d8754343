"""One list of quantities of volumes and of 2-D images."""

import numpy as np

from USLabelEfficientSegLib.measurement.planar import measure_planar
from USLabelEfficientSegLib.measurement.quantities import Quantity


def test_the_headline_of_a_volume_is_its_volume_with_interval_and_outline(measurement):
    row = measurement(volume_ml=20.0, outline_volume_ml=21.0, interval_ml=(18.0, 23.0))

    assert row.headline == (Quantity("volume", "ml", 20.0, (18.0, 23.0), 21.0, headline=True),)
    assert row.is_found and not measurement(volume_ml=0.0).is_found


def test_the_headline_of_an_image_is_area_and_circumference():
    square = np.zeros((30, 30), np.uint8)
    square[10:20, 10:20] = 1

    row, absent = measure_planar("a", square, (0.5, 0.5), ["head", "spine"])

    assert [quantity.column for quantity in row.headline] == ["area_mm2", "circumference_mm"]
    assert row.headline[0].value == row.headline[0].outline == 25.0
    assert row.headline[1].value == row.circumference_mm and row.headline[1].outline is None
    assert not absent.is_found and {quantity.value for quantity in absent.quantities} == {0, None}


def test_the_headline_stands_among_all_quantities(measurement):
    row = measurement(centroid_ras_mm=None)

    assert tuple(quantity for quantity in row.quantities if quantity.headline) == row.headline
    assert [quantity.value for quantity in row.quantities[-3:]] == [None, None, None]
