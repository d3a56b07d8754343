"""Seconds of a simulated user follow from what is drawn, and from nothing else."""

import numpy as np
import pytest

from USLabelEfficientSegLib.evaluation.human_time import (
    USUAL,
    Pace,
    correction_seconds,
    lines_seconds,
    outline_seconds,
    perimeter,
)

SPACING = (0.5, 0.5)


def disc(radius, centre=(64, 64), shape=(128, 128)):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < radius**2


@pytest.mark.parametrize("spacing", [(0.5, 0.5), (0.25, 1.0)])
def test_the_outline_of_a_disc_is_its_circumference_whatever_the_pixels(spacing):
    rows, columns = np.meshgrid(np.arange(200) * spacing[0], np.arange(100) * spacing[1], indexing="ij")
    in_mm = np.hypot(rows - rows.mean(), columns - columns.mean()) < 12

    assert perimeter(in_mm, spacing) == pytest.approx(2 * np.pi * 12, rel=0.03)


def test_an_outline_takes_its_length_on_the_screen_at_the_pace_of_drawing():
    pace = Pace(drawing=100, travel=1e9, search=0, key=0, view=256)  # two pixels of the screen for each of the slice

    assert outline_seconds(disc(20), SPACING, pace) == pytest.approx(2 * 2 * np.pi * 20 / 100, rel=0.03)


def test_every_piece_costs_a_search_and_the_way_to_it():
    near, far = disc(8, (64, 40)), disc(8, (64, 100))
    pace = Pace(drawing=1e9, travel=100, search=3, key=0.5, view=128)

    assert outline_seconds(near | far, SPACING, pace) == pytest.approx(0.5 + 2 * 3 + (24 + 60) / 100, abs=0.02)


def test_an_empty_slice_costs_a_key():
    nothing = np.zeros((128, 128), bool)

    assert outline_seconds(nothing, SPACING) == USUAL.key


def test_a_right_outline_costs_a_look_and_a_key():
    assert correction_seconds(disc(20), disc(20), SPACING) == pytest.approx(USUAL.search + USUAL.key)


def test_differences_of_a_pixel_are_left():
    assert correction_seconds(disc(20), disc(20.6), SPACING) == pytest.approx(USUAL.search + USUAL.key)


def test_a_dent_costs_less_than_a_new_outline_and_a_wrong_place_no_more():
    organ = disc(30)
    dented = organ & ~disc(8, (64, 94))

    assert correction_seconds(dented, organ, SPACING) < USUAL.search + 0.6 * outline_seconds(organ, SPACING)
    elsewhere = correction_seconds(disc(10, (20, 20)), organ, SPACING)
    assert elsewhere == pytest.approx(USUAL.search + outline_seconds(organ, SPACING))


def test_lines_cost_their_lengths_on_the_screen():
    pace = Pace(drawing=100, travel=100, search=1, key=0.5, view=200)

    assert lines_seconds((20, 30), 100, pace) == pytest.approx(2 * 1.5 + 2 * 50 / 100 + 50 / 100)
