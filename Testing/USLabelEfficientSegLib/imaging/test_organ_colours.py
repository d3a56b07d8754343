"""Organs are told apart by colour, also by people who lack one kind of cone."""

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.organ_colours import ORGAN_COLOURS, organ_colour, organ_rgb

# Machado, Oliveira, Fernandes 2009, severity 1, for linear red, green, blue.
SIGHTS = {
    "all cones": np.eye(3),
    "no long-wave cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no medium-wave cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "no short-wave cones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}
TO_XYZ = np.array([[0.412456, 0.357576, 0.180438], [0.212673, 0.715152, 0.072175], [0.019334, 0.119192, 0.950304]])


def linear(colours):
    values = np.array(colours) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def cielab(light):
    xyz = light @ TO_XYZ.T / TO_XYZ.sum(axis=1)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def seen_with(sight, colours):
    return cielab((linear(colours) @ np.array(SIGHTS[sight]).T).clip(0, 1))


@pytest.mark.parametrize(
    ("sight", "count", "distance"),
    [("all cones", 24, 20), *((sight, count, far) for sight in list(SIGHTS)[1:] for count, far in ((6, 16), (24, 12)))],
)
def test_organs_lie_far_apart_in_cielab_for_every_kind_of_sight(sight, count, distance):
    seen = seen_with(sight, [organ_rgb(label) for label in range(1, count + 1)])

    apart = np.linalg.norm(seen[:, None] - seen, axis=2)[~np.eye(count, dtype=bool)]

    assert count >= 6 and apart.min() >= distance


def test_organs_stand_out_from_the_grey_of_the_image_and_the_white_of_references():
    seen = seen_with("all cones", [organ_rgb(label) for label in range(1, 25)])

    assert np.hypot(seen[:, 1], seen[:, 2]).min() > 25
    assert seen[:, 0].min() > 45  # light enough for the dark of the image


def test_there_are_colours_for_more_than_twenty_organs():
    assert len(set(ORGAN_COLOURS)) == len(ORGAN_COLOURS) == 24
    assert (organ_colour(1), organ_rgb(1), organ_colour(25)) == ("#E69F00", (230, 159, 0), "#E69F00")
