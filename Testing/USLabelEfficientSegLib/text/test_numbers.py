"""Numbers for people: three significant digits, one unit a table; for programs nothing is lost."""

import math

import pytest

from USLabelEfficientSegLib.text.numbers import MICROLITRE, MILLILITRE, for_programs, three_digits, volume_unit


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (13.94, "13.9"), (8.5, "8.50"), (123.4, "123"), (1234.5, "1234"), (0.0005, "0.000500"),
        (0.000008, "0.00000800"), (9.996, "10.0"), (-2.345, "−2.35"), (99.96, "100"), (None, "–"), (math.nan, "–"),
    ],
)  # fmt: skip
def test_three_significant_digits_are_shown(value, text):
    assert three_digits(value) == text


def test_signs_and_decimals_are_as_asked_for():
    assert [three_digits(value, signed=True) for value in (2.0, -2.0, 0.0)] == ["+2.00", "−2.00", "0"]
    assert [three_digits(value, least_decimals=1) for value in (102.1, 0.0412, 0.0)] == ["102.1", "0.0412", "0.0"]


def test_the_unit_is_that_of_the_largest_volume_of_a_table():
    assert volume_unit([13.9, 0.0005]) is MILLILITRE and volume_unit([0.0, None]) is MILLILITRE
    assert volume_unit([0.0005, 0.000008]) is MICROLITRE
    assert [MICROLITRE.text(ml) for ml in (0.0005, 0.000008)] == ["0.500", "0.00800"]
    assert MICROLITRE.interval((0.0004, 0.0006)) == "0.400 to 0.600" and MICROLITRE.interval(None) == "–"


def test_programs_get_a_positive_number_for_a_positive_volume():
    assert [for_programs(value) for value in (8e-6, 5e-7, 0.216, 15.0, 0.0, None, math.nan)] == [
        "8e-06", "5e-07", "0.216", "15", "0", "", "",
    ]  # fmt: skip
