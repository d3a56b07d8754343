import pytest

from USLabelEfficientSegLib.text.durations import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s"),
        (44.6, "45 s"),
        (100, "2 min"),
        (720, "12 min"),
        (5369, "89 min"),
        (5399, "1 h 30 min"),
        (11_100, "3 h 05 min"),
        (200_000, "2 days"),
    ],
)
def test_times_are_told_in_the_unit_that_people_use(seconds, text):
    assert duration(seconds) == text
